"""A row of the status page: a dataset for its stakeholders, then for engineers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from lambdas.core.columns.declared import personal_columns
from lambdas.core.dataset import Api, Dataset
from lambdas.core.freshness.attainment import (
    Attainment,
    AttainmentState,
    Day,
    Late,
    attainment,
)
from lambdas.core.freshness.watch import Watch
from lambdas.core.incidents.context import promise_of
from lambdas.core.incidents.incident import Incident, in_plain_words
from lambdas.core.incidents.message import local_time
from lambdas.core.incidents.pointers import Pointers
from lambdas.core.models.graph import neighbours
from lambdas.core.pull.run import Run, RunStatus
from lambdas.core.quality.release import added_delay
from lambdas.core.quality.result import QualityResult
from lambdas.core.reports.page.facts import PageFacts
from lambdas.core.reports.page.row_state import LATE, OF_STATE, RowState
from lambdas.core.reports.page.strip import bad_days, strip_of
from lambdas.core.reports.text import plain_text, web_address
from lambdas.core.schedule.expressions import expression, next_due
from lambdas.core.text.count import counted
from lambdas.core.text.duration import lasting

RUNS_SHOWN = 30
SHORT, LONG = 160, 600
"""Characters of a description, and of a sentence of evidence."""
_LINES = 8
_ONE_FAILS = "A check of the data fails."


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIncident:
    """What an engineer wants of an open incident."""

    incident_id: str
    headline: str
    stage: str | None
    cause: str | None
    evidence: tuple[str, ...]
    next_step: str
    runbook: str | None
    opened_at: datetime
    acknowledged_by: str | None
    promised_by: str | None
    note: str | None
    fix_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineerDetails:
    """What stands on the second click."""

    incident: OpenIncident | None
    runs: tuple[Run, ...]
    lag: tuple[tuple[datetime, int], ...]
    """(when, age in seconds) of the newest row, the oldest first."""
    bad: tuple[Day, ...]
    lates: tuple[Late, ...]
    made_from: tuple[str, ...]
    used_by: tuple[str, ...]
    week: Attainment | None
    rows: int | None
    checks: tuple[QualityResult, ...]
    cost: str | None
    personal: tuple[str, ...]
    """Columns that say something of a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRow:
    """One dataset. `expected_at` is when the next data are expected: by a person's
    word or a signal if it is late, by its schedule if it is not.
    """

    name: str
    description: str
    team: str
    engineers_at: str | None
    stakeholders_at: str | None
    timezone: str
    promise: str
    state: RowState
    since: datetime | None
    newest_at: datetime | None
    expected_at: datetime | None
    promised: bool
    why: str | None
    strip: str
    month: Attainment | None
    newest_run: Run | None
    remarks: tuple[str, ...]
    """What else people should know, a sentence each."""
    details: EngineerDetails | None = None
    is_model: bool = False
    late_with: str | None = None
    """What it is late with, that being late itself and not with another."""
    made_late: tuple[str, ...] = ()
    """What is late with it."""

    @property
    def is_late(self) -> bool:
        """Whether people wait for it."""
        return self.state in LATE


def dataset_row(facts: PageFacts, name: str, *, stopped: bool) -> PageRow:
    """The row of a dataset. `stopped`: nobody checks anything."""
    dataset = facts.catalogue[name]
    watch, incident = facts.state.watches.get(name), facts.incidents.get(name)
    runs = facts.runs.get(name, ())
    tally = watch.tally if watch else None
    state = _state(dataset, watch, incident, stopped=stopped)
    if state is RowState.ON_TIME and checks_fail(facts, name):
        state = RowState.AT_RISK
    is_late = state in LATE
    human = incident.human if incident else None
    return PageRow(
        name=name,
        description=plain_text(dataset.description, SHORT),
        team=plain_text(dataset.owner.team, 60),
        engineers_at=told(dataset.owner.slack),
        stakeholders_at=told(dataset.owner.stakeholders),
        timezone=zone_of(dataset),
        promise="; ".join(
            filter(None, (promise_of(dataset.freshness), added_delay(dataset)))
        ),
        state=state,
        since=late_since(incident) if is_late else None,
        newest_at=watch.newest_at if watch else None,
        expected_at=_expected(dataset, incident, facts, is_late=is_late),
        promised=bool(is_late and human and human.promised_for),
        why=_why(dataset, watch, incident, state, stopped=stopped),
        strip=strip_of(tally, now=facts.now),
        month=None if tally is None else attainment(tally, days=30, now=facts.now),
        newest_run=runs[0] if runs else None,
        remarks=tuple(remarks(facts, dataset, incident)),
        details=details_of(facts, name, tally),
    )


def _state(
    dataset: Dataset, watch: Watch | None, incident: Incident | None, *, stopped: bool
) -> RowState:
    """Never on time beside an open incident, nor while nobody looks."""
    if dataset.schedule.paused is not None:
        return RowState.NO_PROMISE
    if watch is None or (stopped and watch.state == "pass"):
        return RowState.UNKNOWN
    if watch.state == "pass" and (incident is not None or watch.incident_id):
        if incident is None or incident.well_since is not None:
            return RowState.AT_RISK
        muted = OF_STATE.get(incident.state, RowState.ON_TIME)
        return RowState.AT_RISK if muted is RowState.ON_TIME else muted
    if watch.state == "pass" and not watch.is_promised:
        return RowState.NO_PROMISE
    return OF_STATE[watch.state]


def _why(
    dataset: Dataset,
    watch: Watch | None,
    incident: Incident | None,
    state: RowState,
    *,
    stopped: bool,
) -> str | None:
    """Why it is not on time, as people say it who only use the data."""
    if dataset.schedule.paused is not None:
        return plain_text(f"Paused: {dataset.schedule.paused}", SHORT)
    if watch is None:
        return "It has not been checked yet."
    if stopped and state is RowState.UNKNOWN:
        return "Our checks have stopped."
    if state is RowState.NO_PROMISE:
        return None
    if state is RowState.ON_TIME:
        return None if watch.first_load_over else "It waits for its first rows."
    cause = incident.cause if incident else watch.cause
    is_checked = state is RowState.AT_RISK and cause is None
    return None if is_checked else in_plain_words(cause)


def late_since(incident: Incident | None) -> datetime | None:
    """Since when, by its own incident."""
    return (incident.late_since or incident.opened_at) if incident else None


def checks_fail(facts: PageFacts, name: str) -> bool:
    """Whether a check of its data found something."""
    load = facts.loads.get(name)
    return load is not None and bool(load.failing)


def remarks(
    facts: PageFacts, dataset: Dataset, incident: Incident | None
) -> Iterator[str]:
    """What else people should know of it, a sentence each."""
    load = facts.loads.get(dataset.name)
    if load is not None and load.failing:
        count = len(load.failing)
        yield f"{count} checks of the data fail." if count > 1 else _ONE_FAILS
    if load is not None and (load.held or load.waiting):
        until = load.shown_until
        shown = (
            "the last good data"
            if until is None
            else f"data up to {local_time(until, zone_of(dataset))}"
        )
        later = "is being checked" if load.held else "waits for its checks"
        yield f"It shows {shown}; what came later {later}."
    snoozed = incident.human.snoozed_until if incident is not None else None
    if snoozed is not None and snoozed > facts.now:
        yield f"Alerts are snoozed until {local_time(snoozed, zone_of(dataset))}."
    client = dataset.source.client
    api = urlsplit(client.base_url).netloc if isinstance(client, Api) else None
    for silence in facts.state.silences:
        held = silence.until_at(facts.now)
        cause = incident.cause if incident is not None else None
        if held is not None and silence.is_of(
            dataset=dataset.name, team=dataset.owner.team, api=api, cause=cause
        ):
            until_said = local_time(held, zone_of(dataset))
            why = plain_text(silence.why, SHORT)
            yield f"Alerts are silenced until {until_said}: {why}"


def zone_of(dataset: Dataset) -> str:
    """The one that its people live in, as far as its YAML tells."""
    declared = dataset.freshness.calendar.timezone
    return dataset.schedule.timezone if declared == "UTC" else declared


def _expected(
    dataset: Dataset,
    incident: Incident | None,
    facts: PageFacts,
    *,
    is_late: bool,
) -> datetime | None:
    if is_late:
        expected = incident.expected_at if incident else None
        return expected if expected is not None and expected > facts.now else None
    if dataset.schedule.paused is not None:
        return None
    schedule = dataset.schedule
    return next_due(expression(schedule), schedule.timezone, facts.now)


def details_of(
    facts: PageFacts, name: str, tally: AttainmentState | None
) -> EngineerDetails | None:
    """What stands on the second click, of those that are told of in full."""
    if name not in facts.days:
        return None
    watch = facts.state.watches.get(name)
    today = [watch.tally.today] if watch and watch.tally else []
    checks = facts.checks.get(name)
    dataset = facts.catalogue.datasets.get(name)
    made_from, used_by = neighbours(facts.catalogue, name)
    return EngineerDetails(
        incident=_incident(facts.incidents.get(name), facts.pointers),
        runs=tuple(facts.runs.get(name, ())[:RUNS_SHOWN]),
        lag=tuple(_lag([*facts.days.get(name, ()), *today])),
        bad=tuple(bad_days(tally, now=facts.now)),
        lates=tally.lates if tally else (),
        made_from=made_from,
        used_by=used_by,
        week=None if tally is None else attainment(tally, days=7, now=facts.now),
        rows=watch.row_count if watch else None,
        checks=checks.results if checks else (),
        cost=told(facts.costs.get(name)),
        personal=() if dataset is None else personal_columns(dataset),
    )


def _incident(one: Incident | None, pointers: Pointers) -> OpenIncident | None:
    if one is None:
        return None
    human = one.human
    page = pointers.in_text(f"docs/runbooks/{one.cause}.md") if one.cause else None
    return OpenIncident(
        incident_id=one.incident_id,
        headline=plain_text(one.headline, LONG),
        stage=one.stage,
        cause=one.cause,
        evidence=tuple(plain_text(text, LONG) for text in one.evidence[:_LINES]),
        next_step=plain_text(pointers.in_text(one.next_step), LONG),
        runbook=web_address(page),
        opened_at=one.opened_at,
        acknowledged_by=told(human.acknowledged_by),
        promised_by=told(human.promised_by),
        note=told(human.note),
        fix_url=web_address(human.fix_url),
    )


def _lag(days: Sequence[Day]) -> list[tuple[datetime, int]]:
    points = {
        datetime.fromisoformat(f"{day.day}T00:00:00+00:00")
        + timedelta(seconds=second): age
        for day in days
        for second, age in day.ages
    }
    return sorted(points.items())


def run_said(run: Run) -> str:
    """A run in a few words."""
    if run.status is RunStatus.FAILED:
        kind = f" ({run.error.kind.value})" if run.error else ""
        return f"failed{kind}"
    if run.status is RunStatus.LANDED:
        return counted(run.rows, "row")
    return run.status.value


def took(run: Run) -> str | None:
    """How long a run took."""
    if run.finished_at is None:
        return None
    return lasting((run.finished_at - run.started_at).total_seconds())


def told(text: str | None) -> str | None:
    """A short text by others, as the page shows it."""
    return None if text is None else plain_text(text, SHORT)
