"""What the status page says: of each dataset for its stakeholders, then for engineers.

Everything is told from the catalogue and the state table. What nobody knows is said to
be not known; what is not well is told in full, and of the rest as much as has room.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from lambdas.core.dataset import Api, Catalogue, Dataset, SqlModel
from lambdas.core.freshness.attainment import Attainment, Day, Late, attainment
from lambdas.core.freshness.model_state import model_state
from lambdas.core.freshness.watch import Watch
from lambdas.core.incidents.context import promise_of
from lambdas.core.incidents.incident import Incident, in_plain_words
from lambdas.core.incidents.inhibition import lineage
from lambdas.core.incidents.message import local_time
from lambdas.core.incidents.models import INPUT_TOO_OLD
from lambdas.core.incidents.pointers import Pointers
from lambdas.core.incidents.ports import CheckState
from lambdas.core.models.graph import inputs_of
from lambdas.core.pull.run import Run, RunStatus
from lambdas.core.quality.due import relations
from lambdas.core.quality.release import added_delay
from lambdas.core.quality.result import CheckedLoad, DatasetChecks, QualityResult
from lambdas.core.reports.access_week import personal_columns
from lambdas.core.reports.strip import bad_days, lasted, strip_of
from lambdas.core.reports.text import plain_text, web_address
from lambdas.core.schedule.expressions import expression, next_due
from lambdas.core.text.count import counted

CHECKS_MISSED = 3
"""So many checks late, and nobody knows how anything is."""
IN_FULL = 60
"""Datasets that are told of in full: those that are not well, then the others."""
RUNS_SHOWN = 30
_SHORT, _LONG = 160, 600
"""Characters of a description, and of a sentence of evidence."""
_LINES = 8


class RowState(StrEnum):
    """How a dataset is, in the order in which people want to read it."""

    ERROR = "error"
    WARN = "warn"
    UNKNOWN = "unknown"
    AT_RISK = "at_risk"
    ON_TIME = "on_time"
    NO_PROMISE = "no_promise"


SAID = {
    RowState.ERROR: "Late",
    RowState.WARN: "Late (warning)",
    RowState.UNKNOWN: "Not known",
    RowState.AT_RISK: "On time, at risk",
    RowState.ON_TIME: "On time",
    RowState.NO_PROMISE: "No promise",
}
_OF_STATE = {
    "error": RowState.ERROR,
    "warn": RowState.WARN,
    "unknown": RowState.UNKNOWN,
    "pass": RowState.ON_TIME,
}
_ORDER = list(RowState)
_LATE = frozenset({"warn", "error"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFacts:
    """What the page is made of. `incidents` are open ones, by dataset; `runs` are the
    newest of a dataset, newest first; `days` are those that are over.
    """

    environment: str
    now: datetime
    check_every: timedelta
    catalogue: Catalogue
    state: CheckState
    incidents: Mapping[str, Incident] = field(default_factory=dict)
    runs: Mapping[str, Sequence[Run]] = field(default_factory=dict)
    days: Mapping[str, Sequence[Day]] = field(default_factory=dict)
    loads: Mapping[str, CheckedLoad] = field(default_factory=dict)
    """What quality checks found in the newest load, by dataset."""
    checks: Mapping[str, DatasetChecks] = field(default_factory=dict)
    costs: Mapping[str, str] = field(default_factory=dict)
    """What each dataset cost in the last week, in a sentence."""
    pointers: Pointers = field(default_factory=Pointers)
    simulated: bool = False


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

    @property
    def is_late(self) -> bool:
        """Whether people wait for it."""
        return self.state in {RowState.ERROR, RowState.WARN}


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseMinutes:
    """How often and how long a cause held something up in the last 30 days."""

    code: str
    plain: str
    minutes: int
    times: int
    datasets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPage:
    """The whole page."""

    environment: str
    made_at: datetime
    checked_at: datetime | None
    checks_stopped: bool
    stale_after: timedelta
    """After the last check: then nobody knows how anything is."""
    rows: tuple[PageRow, ...]
    teams: tuple[str, ...]
    causes: tuple[CauseMinutes, ...]
    notes: tuple[str, ...]
    """What concerns all datasets, a sentence each."""
    simulated: bool

    @property
    def late(self) -> list[PageRow]:
        """Those that people wait for, the worst first."""
        return [row for row in self.rows if row.is_late]

    @property
    def counts(self) -> dict[RowState, int]:
        """How many there are of each, those that there are none of left out."""
        found = dict.fromkeys(RowState, 0)
        for row in self.rows:
            found[row.state] += 1
        return {one: count for one, count in found.items() if count}

    @property
    def headline(self) -> str:
        """The page in one sentence."""
        total, late = len(self.rows), self.late
        if not total:
            return "No dataset is declared yet"
        if self.checks_stopped:
            return "Not known: checks have stopped"
        if late:
            names = ", ".join(row.name for row in late[:3])
            more = f" and {len(late) - 3} more" if len(late) > 3 else ""  # noqa: PLR2004 - the three that are named
            return f"{names}{more} {'is' if len(late) == 1 else 'are'} late"
        unknown = self.counts.get(RowState.UNKNOWN, 0)
        if unknown:
            return f"{unknown} of {total} datasets: not known whether on time"
        return "Everything is on time"


def status_page(facts: PageFacts) -> StatusPage:
    """The page at `facts.now`."""
    last = facts.state.last_check_at
    stale_after = CHECKS_MISSED * facts.check_every
    stopped = last is None or facts.now - last > stale_after
    rows = [_row(facts, name, stopped=stopped) for name in _names(facts)]
    known = relations(facts.catalogue) if facts.catalogue.models else {}
    rows += [
        _model_row(facts, model, known[name], stopped=stopped)
        for name, model in facts.catalogue.models.items()
    ]
    rows.sort(key=lambda row: (_ORDER.index(row.state), row.name))
    return StatusPage(
        environment=facts.environment,
        made_at=facts.now,
        checked_at=last,
        checks_stopped=stopped,
        stale_after=stale_after,
        rows=tuple(rows),
        teams=tuple(sorted({row.team for row in rows if row.team})),
        causes=tuple(_causes(facts)),
        notes=tuple(
            plain_text(in_plain_words(one.cause), _LONG)
            for one in facts.state.own.values()
            if one.resolved_at is None
        ),
        simulated=facts.simulated,
    )


def in_full(
    catalogue: Catalogue, state: CheckState, *, most: int = IN_FULL
) -> list[str]:
    """The datasets that are told of in full, the worst first."""

    def order(name: str) -> tuple[int, str]:
        watch = state.watches.get(name)
        is_open = watch is not None and watch.incident_id is not None
        known = RowState.UNKNOWN if watch is None else _OF_STATE[watch.state]
        is_risk = is_open and known is RowState.ON_TIME
        return _ORDER.index(RowState.AT_RISK if is_risk else known), name

    return sorted(catalogue.datasets, key=order)[:most]


def _names(facts: PageFacts) -> list[str]:
    return sorted(facts.catalogue.datasets)


def _row(facts: PageFacts, name: str, *, stopped: bool) -> PageRow:
    dataset = facts.catalogue[name]
    watch, incident = facts.state.watches.get(name), facts.incidents.get(name)
    runs = facts.runs.get(name, ())
    tally = watch.tally if watch else None
    bad = bad_days(tally, now=facts.now)
    state = _state(dataset, watch, incident, stopped=stopped)
    is_late = state in {RowState.ERROR, RowState.WARN}
    human = incident.human if incident else None
    return PageRow(
        name=name,
        description=plain_text(dataset.description, _SHORT),
        team=plain_text(dataset.owner.team, 60),
        engineers_at=_maybe(dataset.owner.slack),
        stakeholders_at=_maybe(dataset.owner.stakeholders),
        timezone=_zone(dataset),
        promise="; ".join(
            filter(None, (promise_of(dataset.freshness), added_delay(dataset)))
        ),
        state=state,
        since=(incident.late_since or incident.opened_at)
        if incident and is_late
        else None,
        newest_at=watch.newest_at if watch else None,
        expected_at=_expected(dataset, incident, facts, is_late=is_late),
        promised=bool(is_late and human and human.promised_for),
        why=_why(dataset, watch, incident, state, stopped=stopped),
        strip=strip_of(tally, now=facts.now),
        month=None if tally is None else attainment(tally, days=30, now=facts.now),
        newest_run=runs[0] if runs else None,
        remarks=tuple(_remarks(facts, dataset, incident)),
        details=_details(facts, name, bad) if name in facts.days else None,
    )


def _model_row(
    facts: PageFacts, model: SqlModel, dataset: Dataset, *, stopped: bool
) -> PageRow:
    """A model: as its inputs are, and by its own promise. `dataset` is it as one."""
    name, watches = model.name, facts.state.watches
    how = model_state(facts.catalogue, model, watches, facts.now)
    incident, watch = facts.incidents.get(name), watches.get(name)
    tally = watch.tally if watch else None
    inputs = inputs_of(facts.catalogue, name)
    state = _OF_STATE[how.state]
    if state is RowState.ON_TIME and stopped:
        state = RowState.UNKNOWN
    own = dataset.freshness.warn_after or dataset.freshness.error_after
    is_promised = own is not None or any(
        watches[one].is_promised for one in inputs if one in watches
    )
    if state is RowState.ON_TIME and not is_promised:
        state = RowState.NO_PROMISE
    is_late = state in {RowState.ERROR, RowState.WARN}
    late = [one for one in inputs if one in watches and watches[one].state in _LATE]
    why = None
    if is_late:
        named = plain_text(", ".join(late), _SHORT)
        why = f"Late with what it is made from: {named}."
    if is_late and not late:
        why = in_plain_words(INPUT_TOO_OLD)
    if state is RowState.UNKNOWN:
        why = "It is not known how new the tables are that it is made from."
    return PageRow(
        name=name,
        description=plain_text(dataset.description, _SHORT),
        team=plain_text(dataset.owner.team, 60),
        engineers_at=_maybe(dataset.owner.slack),
        stakeholders_at=_maybe(dataset.owner.stakeholders),
        timezone=dataset.freshness.calendar.timezone,
        promise=promise_of(dataset.freshness),
        state=state,
        since=(incident.late_since or incident.opened_at)
        if incident and is_late
        else None,
        newest_at=how.newest_at,
        expected_at=None,
        promised=False,
        why=why,
        strip=strip_of(tally, now=facts.now),
        month=None if tally is None else attainment(tally, days=30, now=facts.now),
        newest_run=None,
        remarks=tuple(_remarks(facts, dataset, incident)),
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
        return (
            _OF_STATE.get(incident.state, RowState.AT_RISK)
            if (incident.state != "pass")
            else RowState.AT_RISK
        )
    if watch.state == "pass" and not watch.is_promised:
        return RowState.NO_PROMISE
    return _OF_STATE[watch.state]


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
        return plain_text(f"Paused: {dataset.schedule.paused}", _SHORT)
    if watch is None:
        return "It has not been checked yet."
    if stopped and state is RowState.UNKNOWN:
        return "Our checks have stopped."
    if state is RowState.NO_PROMISE:
        return None
    if state is RowState.ON_TIME:
        return None if watch.first_load_over else "It waits for its first rows."
    cause = incident.cause if incident else watch.cause
    return in_plain_words(cause)


def _remarks(
    facts: PageFacts, dataset: Dataset, incident: Incident | None
) -> Iterator[str]:
    load = facts.loads.get(dataset.name)
    if load is not None and load.failing:
        count = len(load.failing)
        yield (
            "A check of the data fails."
            if count == 1
            else (f"{count} checks of the data fail.")
        )
    if load is not None and (load.held or load.waiting):
        until = load.shown_until
        shown = (
            "the last good data"
            if until is None
            else f"data up to {local_time(until, _zone(dataset))}"
        )
        later = "is being looked at" if load.held else "waits for its checks"
        yield f"It shows {shown}; what came later {later}."
    snoozed = incident.human.snoozed_until if incident is not None else None
    if snoozed is not None and snoozed > facts.now:
        yield f"Alerts are snoozed until {local_time(snoozed, _zone(dataset))}."
    client = dataset.source.client
    api = urlsplit(client.base_url).netloc if isinstance(client, Api) else None
    for silence in facts.state.silences:
        held = silence.until_at(facts.now)
        cause = incident.cause if incident is not None else None
        if held is not None and silence.is_of(
            dataset=dataset.name, team=dataset.owner.team, api=api, cause=cause
        ):
            why = plain_text(silence.why, _SHORT)
            yield f"Alerts are silenced until {local_time(held, _zone(dataset))}: {why}"


def _zone(dataset: Dataset) -> str:
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


def _details(facts: PageFacts, name: str, bad: Sequence[Day]) -> EngineerDetails:
    watch = facts.state.watches.get(name)
    tally = watch.tally if watch else None
    made_from = lineage(facts.catalogue)
    today = [tally.today] if tally else []
    checks = facts.checks.get(name)
    return EngineerDetails(
        incident=_incident(facts.incidents.get(name), facts.pointers),
        runs=tuple(facts.runs.get(name, ())[:RUNS_SHOWN]),
        lag=tuple(_lag([*facts.days.get(name, ()), *today])),
        bad=tuple(bad),
        lates=tally.lates if tally else (),
        made_from=tuple(sorted(made_from.get(name, ()))),
        used_by=tuple(sorted(one for one, of in made_from.items() if name in of)),
        week=None if tally is None else attainment(tally, days=7, now=facts.now),
        rows=watch.row_count if watch else None,
        checks=checks.results if checks else (),
        cost=_maybe(facts.costs.get(name)),
        personal=tuple(personal_columns(facts.catalogue[name])),
    )


def _incident(one: Incident | None, pointers: Pointers) -> OpenIncident | None:
    if one is None:
        return None
    human = one.human
    page = pointers.in_text(f"docs/runbooks/{one.cause}.md") if one.cause else None
    return OpenIncident(
        incident_id=one.incident_id,
        headline=plain_text(one.headline, _LONG),
        stage=one.stage,
        cause=one.cause,
        evidence=tuple(plain_text(text, _LONG) for text in one.evidence[:_LINES]),
        next_step=plain_text(pointers.in_text(one.next_step), _LONG),
        runbook=web_address(page),
        opened_at=one.opened_at,
        acknowledged_by=_maybe(human.acknowledged_by),
        promised_by=_maybe(human.promised_by),
        note=_maybe(human.note),
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


def _causes(facts: PageFacts) -> list[CauseMinutes]:
    """What held things up in the last 30 days, the longest first."""
    first = facts.now - timedelta(days=30)
    seconds: defaultdict[str, float] = defaultdict(float)
    times: defaultdict[str, int] = defaultdict(int)
    hit: defaultdict[str, set[str]] = defaultdict(set)
    for name in facts.catalogue.datasets:
        watch = facts.state.watches.get(name)
        for late in watch.tally.lates if watch and watch.tally else ():
            if late.at >= first:
                code = late.cause or "unknown"
                seconds[code] += late.seconds
                times[code] += 1
                hit[code].add(name)
    return [
        CauseMinutes(
            code=code,
            plain=in_plain_words(code),
            minutes=round(total / 60),
            times=times[code],
            datasets=tuple(sorted(hit[code])),
        )
        for code, total in sorted(seconds.items(), key=lambda one: (-one[1], one[0]))
    ]


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
    seconds = (run.finished_at - run.started_at).total_seconds()
    return f"{seconds:.0f} s" if seconds < 60 else lasted(seconds)  # noqa: PLR2004 - a minute


def _maybe(text: str | None) -> str | None:
    return None if text is None else plain_text(text, _SHORT)
