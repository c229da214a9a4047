"""Show one incident, and record what you know about it.

Example: catflap incident flights --ack --eta 2026-11-23T14:00:00Z --note "API down"
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from cli import options
from cli.deployed.environment import Deployed, deployed, now, who
from cli.documents import incident_document
from cli.output import age, when
from lambdas.core.errors import BadInput
from lambdas.core.incidents.channels import routes
from lambdas.core.incidents.context import (
    IncidentContext,
    context_of,
    loading_context,
    monitor_context,
    removed_context,
)
from lambdas.core.incidents.human import Change
from lambdas.core.incidents.incident import Incident, NoticeKind, Recipient
from lambdas.core.incidents.verdicts.api import api_context
from lambdas.core.names import API, MONITOR, OURS
from lambdas.core.people.edit import edit
from lambdas.core.quality.due import relations
from lambdas.core.quality.result import Release
from lambdas.core.schedule.when import time_to_come
from project.fault import printable
from project.names import declared
from project.yaml_files import load_datasets, read_files

DONE = 0


def run(
    incident_id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="An incident, or a dataset with an open one."
        ),
    ],
    *,
    ack: Annotated[
        bool, typer.Option("--ack", help="Say that you take care of it.")
    ] = False,
    eta: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="When the data will be there: 2h, 14:00, tomorrow 09:00 or ISO; "
            "stakeholders are notified.",
        ),
    ] = None,
    cause: Annotated[
        str | None, typer.Option(metavar="CODE", help="What the cause really was.")
    ] = None,
    note: Annotated[
        str | None, typer.Option(metavar="TEXT", help="A line for the next reader.")
    ] = None,
    fix: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The change that keeps it from recurring."),
    ] = None,
    snooze: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN", help="No messages until then, except when it ends."
        ),
    ] = None,
    false_alarm: Annotated[
        bool,
        typer.Option("--false-alarm", help="Close it: the data were right."),
    ] = False,
    release: Annotated[
        str | None,
        typer.Option(
            metavar="RUN", help="Show a run that its quality checks have held back."
        ),
    ] = None,
    resolve: Annotated[
        bool,
        typer.Option("--resolve", help="Close it; everyone who was notified is told."),
    ] = False,
    yes: Annotated[
        bool,
        typer.Option("--yes", help="Close it even if it is still late."),
    ] = False,
    environment: options.Env = "dev",
    environments: options.Environments = options.ENVIRONMENTS,
    datasets: options.Datasets = options.DATASETS,
    apis: options.Apis = options.APIS,
    models: options.Models = None,
    as_json: options.Json = False,
) -> int:
    """Print an incident, after it was changed as asked.

    Raises BadInput if there is no such incident or the change cannot be, StateConflict
    if checks keep changing it.
    """
    reached = deployed(environment, environments=environments)
    with reached.reached():
        before = _found(reached, incident_id, of_checks=release is not None)
        if release is not None:
            wanted = Release(dataset=before.dataset, run_id=release, by=who(), at=now())
            _release(reached, wanted)
            note = f"{wanted.by} shows run {release}" + (f": {note}" if note else "")
        folder = options.models_of(datasets, models)
        subject = _subject(before.dataset, datasets=datasets, apis=apis, models=folder)
        change = Change(
            by=who(),
            acknowledge=ack,
            promised_for=_when("--eta", eta, subject),
            cause=cause,
            note=note,
            fix_url=fix,
            snooze_until=_when("--snooze", snooze, subject),
            false_alarm=false_alarm,
            resolve=resolve,
        )
        if resolve and not yes:
            _refuse_if_late(before)
        is_change = change != Change(by=change.by)
        incident, told = (
            _change(reached, before.incident_id, change, subject)
            if is_change
            else (before, ())
        )
    if as_json:
        print(json.dumps(incident_document(incident, now())))
        return DONE
    print(reached.pointers.in_text(as_text(incident, now())))
    if told:
        print(f"\nThe next check notifies {', '.join(sorted(set(told)))}.")
    return DONE


def _when(option: str, text: str | None, subject: IncidentContext) -> datetime | None:
    """A time to come, on the clock of the dataset. Raises BadInput."""
    if text is None:
        return None
    try:
        return time_to_come(text, now=now(), timezone=subject.timezone)
    except ValueError as error:
        raise BadInput(f"{option}: {error}") from None


def _refuse_if_late(incident: Incident) -> None:
    if incident.resolved_at is None and incident.state in {"warn", "error"}:
        raise BadInput(
            f"{incident.dataset} is still late: the next check opens "
            f"{incident.incident_id} again. Add --yes to close it anyway, "
            "--false-alarm if the data are right, or --snooze WHEN for silence"
        )


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
        ("kept", _causes(incident, at)),
        ("ended", incident.ended_by or ""),
        ("snooze", when(human.snoozed_until) if human.snoozed_until else ""),
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


def _by(who: str | None, at: datetime | None) -> str:
    return "" if at is None else f"acknowledged by {who} at {when(at)}"


def _causes(incident: Incident, at: datetime) -> str:
    """How long each cause stood."""
    spent = incident.spent_at(incident.resolved_at or at)
    return ", ".join(f"{one.code} {round(one.seconds / 60)} min" for one in spent)


def _release(reached: Deployed, wanted: Release) -> None:
    """Have the next check show a run. Raises BadInput if it is not held back."""
    table = reached.checks()
    checked = table.loads().get(wanted.dataset)
    held = () if checked is None else checked.held
    if wanted.run_id not in held:
        raise BadInput(
            f"run {wanted.run_id} of {wanted.dataset} is not held back; accepted: "
            f"{', '.join(held) or 'none, all its runs are shown or wait for checks'}"
        )
    table.release(wanted)


def _found(reached: Deployed, incident_id: str, *, of_checks: bool = False) -> Incident:
    """The incident of that id, or the open one of a dataset of that name."""
    table = reached.incidents()
    found = table.incident(incident_id)
    if found is None and not of_checks:
        found = table.open_incident(incident_id)
    found = found or table.open_incident(incident_id, of_checks=True)
    if found is None:
        raise BadInput(
            f"there is no incident {incident_id!r}, nor an open one of a dataset of "
            "that name; `catflap incidents` lists them"
        )
    return found


def _change(
    reached: Deployed, subject_id: str, change: Change, subject: IncidentContext
) -> tuple[Incident, tuple[str, ...]]:
    """The incident after the change, and who will be told."""
    incident, told = edit(
        reached.incidents(),
        lambda: _found(reached, subject_id),
        change,
        subject=subject,
        routes=routes(reached.settings.secrets_of_channels),
        now=now,
    )
    people = (one.audience for one in told if one.kind is not NoticeKind.EDITED)
    return incident, tuple(who.value for who in people if who is not Recipient.SYSTEMS)


def _subject(name: str, *, datasets: Path, apis: Path, models: Path) -> IncidentContext:
    if name in OURS:
        return monitor_context() if name == MONITOR else loading_context()
    made = read_files(datasets, apis, models).sound if datasets.is_dir() else None
    if name.startswith(API):
        return api_context(name, made.datasets.values() if made is not None else ())
    if made is not None and name in made.models:
        return context_of(relations(made)[name])
    if made is not None and name not in declared(datasets):
        return removed_context(name)
    return context_of(load_datasets([name], datasets=datasets, apis=apis)[name])
