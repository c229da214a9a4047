"""Silence alerts for a time, list silences, or end one.

Example: catflap silence --team data-eng --until "tomorrow 06:00" --why "upgrade"
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated

import msgspec
import typer
from botocore.exceptions import ClientError

from cli import options
from cli.deployed.environment import Deployed, deployed, now, who
from cli.deployed.published import published_catalogue
from cli.output import columns, when
from lambdas.adapters.state.silences import SilenceTable
from lambdas.core.diagnosis.causes import BY_CODE
from lambdas.core.errors import BadInput
from lambdas.core.incidents.context import context_of
from lambdas.core.quality.due import relations
from lambdas.core.schedule.when import time_to_come
from lambdas.core.silences.silence import SERIES, Every, Silence, checked
from project.fault import printable

DONE = 0
MEMBERS = 1_000
"""Datasets that a silence is begun for; of more it does not tell when one joins."""


def run(
    *,
    dataset: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of this dataset.")
    ] = None,
    team: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of this team's datasets.")
    ] = None,
    api: Annotated[
        str | None,
        typer.Option(metavar="HOST", help="Of what comes from this API's host."),
    ] = None,
    cause: Annotated[
        str | None, typer.Option(metavar="CODE", help="Only with this cause.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="2h, 14:00, tomorrow 09:00 or ISO."),
    ] = None,
    starts: Annotated[
        str | None,
        typer.Option("--from", metavar="WHEN", help="When it begins, if not now."),
    ] = None,
    every: Annotated[
        Every | None, typer.Option(help="Again at that time of day, until --last.")
    ] = None,
    last: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN", help="When it stops recurring, if not in 90 days."
        ),
    ] = None,
    zone: Annotated[
        str, typer.Option(metavar="ZONE", help="The time zone of these times.")
    ] = "UTC",
    why: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The reason, shown to everyone.")
    ] = None,
    end: Annotated[
        str | None, typer.Option(metavar="ID", help="End this silence now.")
    ] = None,
    environment: options.Env = "dev",
    environments: options.Environments = options.ENVIRONMENTS,
    as_json: options.Json = False,
) -> int:
    """Begin a silence with --until and --why, end one with --end, or print all.

    Checks go on, and whoever was notified of an incident hears of its end. What still
    holds when the silence ends is notified then. Raises BadInput.
    """
    made = None
    if any(one is not None for one in (until, why, dataset, team, api, cause)):
        made = _silence(until, why, starts=starts, last=last, every=every, zone=zone)
        made = _about(made, dataset=dataset, team=team, api=api, cause=cause)
    reached = deployed(environment, environments=environments)
    with reached.reached():
        table = SilenceTable(
            dynamodb=reached.aws("dynamodb"), table=reached.settings.state_table
        )
        if made is not None:
            table.keep(replace(made, members=_members(reached, made)))
        if end is not None:
            _end(table, end)
        known = sorted(table.all(), key=lambda one: one.ends_at)
    print(json.dumps(_document(known, now())) if as_json else _text(known, now()))
    return DONE


def _silence(
    until: str | None,
    why: str | None,
    *,
    starts: str | None,
    last: str | None,
    every: Every | None,
    zone: str,
) -> Silence:
    """A silence of nothing yet. Raises BadInput."""
    if until is None or why is None:
        raise BadInput("a silence needs --until WHEN and --why TEXT")
    if last is not None and every is None:
        raise BadInput("--last goes with --every")
    begins = now() if starts is None else _moment("--from", starts, now(), zone)
    ends = _moment("--until", until, begins, zone)
    series = begins + SERIES if last is None else _moment("--last", last, begins, zone)
    return Silence(
        silence_id=f"s{secrets.token_hex(3)}",
        by=who(),
        why=why,
        starts_at=begins,
        until=ends,
        ends_at=ends if every is None else series,
        every=every,
        timezone=zone,
    )


def _members(reached: Deployed, silence: Silence) -> tuple[str, ...]:
    """The datasets of it that have an open incident as it begins; none if they are very
    many, or what is deployed cannot be read, which keeps no silence from beginning.
    """
    if silence.starts_at > now():
        return ()
    watches = reached.incidents().watches()
    try:
        known = published_catalogue(reached)
    except (BadInput, ClientError):
        return ()
    datasets = {} if known is None else relations(known)
    found = []
    for name, watch in watches.items():
        if watch.incident_id is None or name not in datasets:
            continue
        subject = context_of(datasets[name])
        if silence.is_of(
            dataset=name, team=subject.team, api=subject.api, cause=watch.cause
        ):
            found.append(name)
    return tuple(sorted(found)) if len(found) <= MEMBERS else ()


def _about(
    silence: Silence,
    *,
    dataset: str | None,
    team: str | None,
    api: str | None,
    cause: str | None,
) -> Silence:
    if cause is not None and cause not in BY_CODE:
        raise BadInput(
            f"--cause: {cause!r} is no cause; accepted: {', '.join(sorted(BY_CODE))}"
        )
    kept = {**msgspec.to_builtins(silence), "dataset": dataset, "team": team}
    return checked(msgspec.convert({**kept, "api": api, "cause": cause}, Silence))


def _moment(option: str, text: str, after: datetime, zone: str) -> datetime:
    try:
        return time_to_come(text, now=after, timezone=zone)
    except ValueError as error:
        raise BadInput(f"{option}: {error}") from None


def _end(table: SilenceTable, silence_id: str) -> None:
    known = [one.silence_id for one in table.all()]
    if silence_id not in known:
        raise BadInput(
            f"--end: there is no silence {silence_id!r}; there are: "
            f"{', '.join(known) or 'none'}"
        )
    table.drop(silence_id)


def _document(known: Sequence[Silence], at: datetime) -> dict[str, object]:
    return {
        "silences": [
            {**msgspec.to_builtins(one), "holds_until": _iso(one.until_at(at))}
            for one in known
        ]
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _text(known: Sequence[Silence], at: datetime) -> str:
    if not known:
        return "no silence"
    rows = [
        (
            one.silence_id,
            one.target,
            _state(one, at),
            f"every {one.every}" if one.every else "once",
            one.by,
            printable(one.why),
        )
        for one in known
    ]
    return columns(("silence", "of", "state", "recurs", "by", "why"), rows)


def _state(silence: Silence, at: datetime) -> str:
    until = silence.until_at(at)
    if until is not None:
        return f"until {when(until)}"
    return "over" if at >= silence.ends_at else f"from {when(silence.starts_at)}"
