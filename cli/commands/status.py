"""List every dataset: state, newest event, age, next deadline, open incident.

Reads only the state table; the warehouse stays asleep, unless --rows asks it. Exits
with 1 if a dataset is warn, error or unknown, or if checks have stopped.

Example: catflap status --env prod
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options
from cli.deployed.environment import Deployed, deployed, now
from cli.deployed.local import LOCAL, LocalStack
from cli.deployed.remembered import newest_loaded
from cli.output import age, coloured, columns, iso, percent, when
from lambdas.core.dataset import Catalogue
from lambdas.core.diagnosis.causes.beyond import CHECKS_MISSED
from lambdas.core.freshness.attainment import attainment
from lambdas.core.freshness.model_state import InputState, ModelState, model_state
from lambdas.core.freshness.watch import Watch
from lambdas.core.incidents.document import state_of
from lambdas.core.incidents.incident import HumanSide, Incident
from lambdas.core.models.graph import inputs_of
from lambdas.core.names import MONITOR
from lambdas.core.quality.release import in_short
from lambdas.core.quality.result import CheckedLoad
from lambdas.core.silences.silence import Silence
from project.fault import printable
from project.names import declared
from project.yaml_files import read_files

if TYPE_CHECKING:
    from lambdas.adapters.state.incidents import IncidentTable

WELL, NOT_WELL = 0, 1
NOT_ASKED = -1
"""Rows that nobody asked for."""

Rows = Annotated[
    bool,
    typer.Option("--rows", help="Count what each table shows; wakes the warehouse."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One dataset; without a watch it was never checked. `is_faulty`: by its file."""

    name: str
    watch: Watch | None
    incident: Incident | None
    is_faulty: bool = False
    paused: str | None = None
    """Why it is not pulled for now."""
    failing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    """Its quality checks that fail, and that could not run."""
    checks_incident: Incident | None = None
    held: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    shown_until: datetime | None = None
    """Runs that its circuit breaker holds back, those that wait, and what shows."""
    loaded_until: datetime | None = None
    """The newest event as of the last load, which may be younger than the check."""
    rows: int | None = NOT_ASKED
    """What its relation shows; None where it cannot be read."""

    @property
    def newest_at(self) -> datetime | None:
        """The newest event, by the last check or the last load."""
        seen = self.watch.newest_at if self.watch else None
        return max(filter(None, (seen, self.loaded_until)), default=None)

    @property
    def state(self) -> str:
        """As last checked; unknown without a check, and no pass beside an incident."""
        if self.paused is not None:
            return "no promise"
        if self.watch is None:
            return "unknown"
        incident, state = self.incident, self.watch.state
        if state == "pass" and incident is not None:
            is_muted = incident.well_since is None and incident.state != "pass"
            return incident.state if is_muted else "at risk"
        if state == "pass" and self.checks_incident is not None:
            return state_of(self.checks_incident)
        is_promised = self.watch.is_promised or state != "pass"
        return state if is_promised else "no promise"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One model: as new as its oldest input, and which of its checks fail."""

    how: ModelState
    failing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong with it, nor with what it is made from."""
        return self.how.state == "pass" and not self.failing and not self.unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """All there is to say. `of_all`: the open incidents that concern all datasets."""

    environment: str
    now: datetime
    last_check_at: datetime | None
    check_every: timedelta
    rows: Sequence[Row]
    of_all: Sequence[Incident]
    models: Sequence[ModelRow] = ()
    silences: Sequence[Silence] = ()
    """What people silenced."""

    @property
    def monitor(self) -> Incident | None:
        """The monitor's own open incident."""
        return next((one for one in self.of_all if one.dataset == MONITOR), None)

    @property
    def is_monitor_late(self) -> bool:
        """Whether checks have stopped: then nobody knows how anything is."""
        last = self.last_check_at
        return last is None or self.now - last > CHECKS_MISSED * self.check_every

    @property
    def code(self) -> int:
        """0 if everything is well, else 1."""
        states = {row.state for row in self.rows} & {"warn", "error", "unknown"}
        is_failing = not all(one.is_well for one in self.models)
        is_well = not (states or self.is_monitor_late or self.of_all or is_failing)
        return WELL if is_well else NOT_WELL


def run(
    *,
    environment: options.Env = "dev",
    environments: options.Environments = options.ENVIRONMENTS,
    datasets: options.Datasets = options.DATASETS,
    apis: options.Apis = options.APIS,
    models: options.Models = None,
    rows: Rows = False,
    as_json: options.Json = False,
) -> int:
    """Print the status; 1 if anything is warn, error or unknown, or checks stopped."""
    reached = deployed(environment, environments=environments)
    stack = LocalStack.read() if environment == LOCAL else None
    folder = options.models_of(datasets, models)
    table, checks = reached.incidents(), reached.checks()
    with reached.reached():
        checked = checks.loads()
        check_state = table.check_state()
        watches = check_state.watches
        read = read_files(datasets, apis, folder) if datasets.is_dir() else None
        faulty = read.faulty if read else {}
        paused = (
            {name: one.schedule.paused for name, one in read.sound.datasets.items()}
            if read
            else {}
        )
        loaded_until = newest_loaded(reached, read.sound.datasets) if read else {}
        made = {*read.sound.models} if read else set()
        names = sorted({*watches, *faulty, *declared(datasets)} - made)
        if stack is not None:
            names = [name for name in names if name in stack.datasets]
        counted = _rows_shown(reached, names) if rows else {}
        status = Status(
            environment=environment,
            now=now(),
            last_check_at=check_state.last_check_at,
            check_every=timedelta(seconds=reached.settings.check_every_s),
            rows=[
                Row(
                    name=name,
                    watch=watches.get(name),
                    incident=_open_incident(watches.get(name), table),
                    is_faulty=name in faulty,
                    paused=paused.get(name),
                    loaded_until=loaded_until.get(name),
                    rows=counted.get(name, NOT_ASKED),
                    failing=checked[name].failing if name in checked else (),
                    unknown=checked[name].unknown if name in checked else (),
                    held=checked[name].held if name in checked else (),
                    waiting=checked[name].waiting if name in checked else (),
                    shown_until=checked[name].shown_until if name in checked else None,
                    checks_incident=_open_of_checks(checked.get(name), table),
                )
                for name in names
            ],
            of_all=list(check_state.own.values()),
            silences=check_state.silences,
        )
        if read is not None:
            of_models = _models(read.sound, status.rows, checked)
            status = dataclasses.replace(status, models=of_models)
    print(json.dumps(as_document(status)) if as_json else as_text(status))
    if stack is not None and not as_json:
        for name, url in stack.pages.items():
            print(f"{name}: {url}")
    return status.code


def as_document(status: Status) -> dict[str, object]:
    """For scripts."""
    return {
        "environment": status.environment,
        "now": iso(status.now),
        "last_check_at": iso(status.last_check_at),
        "monitor_late": status.is_monitor_late,
        "monitor_incident": _brief(status.monitor),
        "incidents": [_brief(one) for one in status.of_all],
        "silences": [
            {"silence_id": one.silence_id, "of": one.target, "until": iso(until)}
            for one in status.silences
            if (until := one.until_at(status.now)) is not None
        ],
        "models": [
            {
                "model": one.how.model,
                "state": one.how.state,
                "newest_at": iso(one.how.newest_at),
                "failing": [*one.failing],
                "unknown": [*one.unknown],
            }
            for one in status.models
        ],
        "datasets": [
            {
                "dataset": row.name,
                "state": row.state,
                "cause": row.watch.cause if row.watch else None,
                "newest_at": iso(row.newest_at),
                "age_s": _age_s(row.newest_at, status.now),
                **({} if row.rows == NOT_ASKED else {"rows": row.rows}),
                "checked_at": iso(row.watch.checked_at) if row.watch else None,
                "paused": row.paused,
                "next_deadline": iso(row.watch.next_look_at) if row.watch else None,
                "attainment": {
                    "7d": _share(row.watch, 7, status.now),
                    "30d": _share(row.watch, 30, status.now),
                },
                "incident": _brief(row.incident),
                "checks": {
                    "failing": [*row.failing],
                    "unknown": [*row.unknown],
                    "incident": _brief(row.checks_incident),
                },
                "breaker": {
                    "held": [*row.held],
                    "waiting": [*row.waiting],
                    "shown_until": iso(row.shown_until),
                },
            }
            for row in status.rows
        ],
    }


def as_text(status: Status) -> str:
    """For a person."""
    rows = [
        (
            row.name,
            row.state,
            when(row.newest_at),
            age(row.newest_at, status.now),
            when(row.watch.next_look_at if row.watch else None),
            percent(_share(row.watch, 30, status.now)),
            *(() if row.rows == NOT_ASKED else (_known(row.rows),)),
            _incident(row),
        )
        for row in status.rows
    ]
    is_counted = any(row.rows != NOT_ASKED for row in status.rows)
    head = (
        "dataset", "state", "newest", "age", "next deadline", "kept 30 d",
        *(("rows",) if is_counted else ()), "open incident",
    )  # fmt: skip
    top, *lines = columns(head, rows).split("\n")
    text = [
        top,
        *(
            coloured(line, row.state)
            for line, row in zip(lines, status.rows, strict=True)
        ),
    ]
    if not status.rows:
        text.append("no dataset is deployed or declared")
    text += ["", *_promised_times(status), *_notes(status)]
    last = status.last_check_at
    checked = f"{age(last, status.now)} ago" if last else "never"
    text.append(f"last check: {checked}; `newest` is as of that check or the last load")
    if status.is_monitor_late:
        text.append(
            coloured("checks have stopped: the states above are old", "error")
            if last
            else "no check has finished yet"
        )
    text += [f"{one.incident_id}: {printable(one.headline)}" for one in status.of_all]
    text += [_model_line(one) for one in status.models]
    text += [
        f"silenced until {when(until)}: {printable(f'{one.target} ({one.why})')}"
        for one in status.silences
        if (until := one.until_at(status.now)) is not None
    ]
    return "\n".join(text)


def _rows_shown(reached: Deployed, names: Sequence[str]) -> Mapping[str, int | None]:
    from cli.deployed.reader import rows_shown  # noqa: PLC0415 - Snowflake's connector, for who asks for rows

    return rows_shown(reached, names)


def _known(rows: int | None) -> str:
    return "not known" if rows is None else f"{rows:,}"


def _share(watch: Watch | None, days: int, now: datetime) -> float | None:
    """The share of due time in which the promise was kept."""
    if watch is None or watch.tally is None:
        return None
    found = attainment(watch.tally, days=days, now=now)
    return None if found is None else round(found.share, 5)


def _incident(row: Row) -> str:
    found = [one for one in (row.incident, row.checks_incident) if one is not None]
    return ", ".join(f"{one.incident_id} ({one.cause})" for one in found) or "-"


def _shown(row: Row) -> str:
    return (
        f"shows data up to {when(row.shown_until)}"
        if row.shown_until
        else ("shows the last good data")
    )


def _promised_times(status: Status) -> Iterator[str]:
    """Until when people have said that what is late comes."""
    for row in status.rows:
        human = HumanSide() if row.incident is None else row.incident.human
        if human.promised_for is not None:
            by = f" by {printable(human.promised_by)}" if human.promised_by else ""
            over = ", which has passed" if human.promised_for <= status.now else ""
            yield f"{row.name}: promised{by} for {when(human.promised_for)}{over}"


def _notes(status: Status) -> Iterator[str]:
    """What a state alone does not say, a line each."""
    where = f" --env {status.environment}"
    for row in status.rows:
        if row.failing:
            yield f"{row.name}: failing checks: {', '.join(row.failing)}"
        if row.unknown:
            yield f"{row.name}: checks that could not run: {', '.join(row.unknown)}"
        if row.held:
            yield (
                f"{row.name}: {_shown(row)}; held back: {in_short(row.held)}; "
                f"`catflap incident {row.name} --release {row.held[-1]}{where}` shows "
                "it anyway"
            )
        if row.waiting:
            waits = in_short(row.waiting)
            yield f"{row.name}: {_shown(row)}; waiting for their checks: {waits}"
        if row.is_faulty:
            yield f"{row.name}: its file has faults; `catflap check` lists them"
        elif row.paused is not None:
            yield f"{row.name}: paused: {row.paused}"
        elif row.watch is None:
            yield f"{row.name}: not checked yet"
        elif row.watch.state == "pass" and not row.watch.first_load_over:
            yield f"{row.name}: waiting for its first rows"


def _open_incident(watch: Watch | None, table: IncidentTable) -> Incident | None:
    if watch is None or watch.incident_id is None:
        return None
    incident = table.incident(watch.incident_id)
    is_open = incident is not None and incident.resolved_at is None
    return incident if is_open else None


def _models(
    catalogue: Catalogue, rows: Sequence[Row], checked: Mapping[str, CheckedLoad]
) -> list[ModelRow]:
    """Every model that is declared, and made from these datasets alone."""
    inputs = {
        row.name: InputState(state=row.state, newest_at=row.newest_at) for row in rows
    }
    return [
        ModelRow(
            how=model_state(catalogue, model, inputs, now()),
            failing=checked[name].failing if name in checked else (),
            unknown=checked[name].unknown if name in checked else (),
        )
        for name, model in sorted(catalogue.models.items())
        if set(inputs_of(catalogue, name)) <= inputs.keys()
    ]


def _model_line(one: ModelRow) -> str:
    checks = "".join(
        f"; {said}: {', '.join(which)}"
        for said, which in (
            ("failing checks", one.failing),
            ("checks that could not run", one.unknown),
        )
        if which
    )
    newest = when(one.how.newest_at)
    return f"model {one.how.model}: {one.how.state}, newest {newest}{checks}"


def _open_of_checks(
    checked: CheckedLoad | None, table: IncidentTable
) -> Incident | None:
    if checked is None or checked.incident_id is None:
        return None
    incident = table.incident(checked.incident_id)
    is_open = incident is not None and incident.resolved_at is None
    return incident if is_open else None


def _age_s(newest_at: datetime | None, now: datetime) -> float | None:
    if newest_at is None:
        return None
    return max(0.0, (now - newest_at).total_seconds())


def _brief(incident: Incident | None) -> dict[str, object] | None:
    if incident is None:
        return None
    return {
        "incident_id": incident.incident_id,
        "cause": incident.cause,
        "headline": incident.headline,
        "datasets": [*incident.datasets],
        "opened_at": iso(incident.opened_at),
        "acknowledged_by": incident.human.acknowledged_by,
        "expected_at": iso(incident.expected_at),
    }
