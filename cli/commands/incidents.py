"""`catflap incidents` and `catflap incident ID`: what went wrong, what people say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from cli.deployed.environment import Deployed, deployed, moment, now
from cli.output import age, columns, when
from lambdas.adapters.channels.registry import routes
from lambdas.adapters.environment import variables
from lambdas.core.dataset import Dataset
from lambdas.core.errors import BadInput, StateConflict
from lambdas.core.incidents.context import IncidentContext, context_of, monitor_context
from lambdas.core.incidents.human import Change, changed_by_hand, said_by
from lambdas.core.incidents.incident import Incident, Recipient
from lambdas.core.incidents.notice import notices
from lambdas.core.names import MONITOR
from project.fault import printable

DONE = 0
TRIES = 5
"""A check may change the same incident at the same moment."""


def list_all(
    *,
    limit: int,
    environment: str,
    environments: Path,
    as_json: bool,
) -> int:
    """Print the open incidents, then the newest of those that are over."""
    reached = deployed(environment, environments=environments)
    with reached.reached():
        known = reached.incidents().incidents()
    known.sort(key=lambda one: (one.resolved_at is None, one.opened_at), reverse=True)
    shown = known[:limit]
    if as_json:
        print(json.dumps({"incidents": [as_document(one) for one in shown]}))
        return DONE
    print(_table(shown, now()))
    if len(known) > limit:
        print(f"and {len(known) - limit} more; --limit shows them")
    return DONE


def one(
    incident_id: str,
    *,
    acknowledge: bool,
    eta: str | None,
    cause: str | None,
    note: str | None,
    fix: str | None,
    resolve: bool,
    environment: str,
    environments: Path,
    datasets: Path,
    apis: Path,
    as_json: bool,
) -> int:
    """Print an incident, after it was changed as asked.

    Raises BadInput if there is no such incident or the change cannot be, StateConflict
    if checks keep changing it.
    """
    reached = deployed(environment, environments=environments)
    change = Change(
        by=_who(),
        acknowledge=acknowledge,
        promised_for=None if eta is None else moment("--eta", eta),
        cause=cause,
        note=note,
        fix_url=fix,
        resolve=resolve,
    )
    is_change = change != Change(by=change.by)
    with reached.reached():
        incident, told = (
            _change(reached, incident_id, change, datasets=datasets, apis=apis)
            if is_change
            else (_found(reached, incident_id), ())
        )
    if as_json:
        print(json.dumps(as_document(incident)))
        return DONE
    print(as_text(incident, now()))
    if told:
        print(f"\nThe next check tells {', '.join(sorted(set(told)))}.")
    return DONE


def as_document(incident: Incident) -> dict[str, object]:
    """For scripts: all that is kept of it, and whether it is open."""
    document: dict[str, object] = msgspec.to_builtins(incident)
    return {**document, "open": incident.resolved_at is None}


def as_text(incident: Incident, at: datetime) -> str:
    """For a person."""
    human = incident.human
    over = incident.resolved_at
    state = f"over since {when(over)}" if over else f"open, {incident.state}"
    labelled = [
        ("opened", f"{when(incident.opened_at)} ({age(incident.opened_at, at)} ago)"),
        ("cause", f"{incident.cause}: docs/runbooks/{incident.cause}.md"),
        ("also", ", ".join(incident.also)),
        ("from", incident.inhibited_by or ""),
        ("with", ", ".join(incident.dependents)),
        ("next", incident.next_step),
        ("due", when(incident.expected_at) if incident.expected_at else ""),
        ("ack", _by(human.acknowledged_by, human.acknowledged_at)),
        ("really", human.cause or ""),
        ("note", human.note or ""),
        ("fix", human.fix_url or ""),
        ("closed", human.resolved_by or ""),
    ]
    return "\n".join(
        [
            f"{incident.incident_id}  {state}",
            printable(incident.headline),
            *(f"        - {printable(line)}" for line in incident.evidence),
            *(f"  {label:<7}{printable(text)}" for label, text in labelled if text),
        ]
    )


def _who() -> str:
    shell = variables()
    return shell.get("LOGNAME") or shell.get("USER") or "somebody"


def _by(who: str | None, at: datetime | None) -> str:
    return "" if at is None else f"{who} has it since {when(at)}"


def _table(shown: Sequence[Incident], at: datetime) -> str:
    if not shown:
        return "no incident yet"
    rows = [
        (
            one.incident_id,
            one.state if one.resolved_at is None else "over",
            str(one.cause),
            age(one.opened_at, one.resolved_at or at),
            one.human.acknowledged_by or "-",
            when(one.expected_at) if one.resolved_at is None else "-",
        )
        for one in shown
    ]
    return columns(("incident", "state", "cause", "for", "ack", "expected"), rows)


def _found(reached: Deployed, incident_id: str) -> Incident:
    """The incident of that id, or the open one of a dataset of that name."""
    table = reached.incidents()
    found = table.incident(incident_id) or table.open_incident(incident_id)
    if found is None:
        raise BadInput(
            f"there is no incident {incident_id!r}, nor an open one of a dataset of "
            "that name; `catflap incidents` lists them"
        )
    return found


def _change(
    reached: Deployed, incident_id: str, change: Change, *, datasets: Path, apis: Path
) -> tuple[Incident, tuple[str, ...]]:
    """The incident after the change, and who will be told."""
    for _ in range(TRIES):
        at = now()
        before = _found(reached, incident_id)
        transition = changed_by_hand(before, change, now=at)
        after = transition.incident
        if after is None or after is before:
            return before, ()
        told = (
            notices(
                transition,
                said_by(after),
                subject=_subject(after.dataset, datasets=datasets, apis=apis),
                routes=routes(reached.settings),
                now=at,
            )
            if transition.announcements
            else ()
        )
        try:
            reached.incidents().record(before, after, notices=told, watch=None)
        except StateConflict:
            continue
        people = (notice.audience for notice in told)
        return after, tuple(who.value for who in people if who is not Recipient.SYSTEMS)
    raise StateConflict(
        f"incident {incident_id} was changed {TRIES} times meanwhile; ask once more"
    )


def _subject(name: str, *, datasets: Path, apis: Path) -> IncidentContext:
    if name == MONITOR:
        return monitor_context()
    from cli.one_machine.wiring import dataset_named  # noqa: PLC0415 - reads every file

    dataset: Dataset = dataset_named(name, datasets=datasets, apis=apis)
    return context_of(dataset)
