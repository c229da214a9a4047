"""The causes report: what kept data late over a month, for planning what to mend.

What comes back and has no fix stands first. An incident counts in each span that it
was open in, with what of its lateness lies there; quiet time is not counted.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from lambdas.core.dataset import Calendar, Dataset
from lambdas.core.freshness.attainment import WINDOW_DAYS, Attainment, attainment
from lambdas.core.freshness.watch import Watch
from lambdas.core.incidents.channels import Routes
from lambdas.core.incidents.context import context_of
from lambdas.core.incidents.incident import Ending, Incident, NoticeKind, Recipient
from lambdas.core.incidents.message import Block, Message, block, cut
from lambdas.core.incidents.notice import Notice
from lambdas.core.incidents.verdicts.api import apis_of, host_of
from lambdas.core.names import API
from lambdas.core.reports.team_notices import TeamReport, day_of
from lambdas.core.schedule.calendar import due_time_between
from lambdas.core.schedule.zones import zone
from lambdas.core.text.count import counted
from lambdas.core.text.duration import lasting

LINE = 300
"""Characters of a line."""
NAMED = 5
"""Datasets that a line names; the rest is counted."""
NOT_KNOWN, FALSE_ALARM = "not_known", "false_alarm"
"""In place of a cause: nobody found one, and there was none."""
REPEATS = 2
"""From so many incidents on a cause is one that comes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CausesFacts:
    """What a report of `since` to `until` is made of. `incidents` are those that were
    open then, or in as long a time before. No `team`: the datasets are all there are.
    """

    team: str = ""
    timezone: str = "UTC"
    since: datetime
    until: datetime
    datasets: Sequence[Dataset]
    incidents: Sequence[Incident]
    watches: Mapping[str, Watch] = field(default_factory=dict)

    def of(self, datasets: Sequence[Dataset]) -> CausesFacts:
        """The same for some datasets and their APIs."""
        names = {one.name for one in datasets} | apis_of(datasets)
        kept = [one for one in self.incidents if one.dataset in names]
        return dataclasses.replace(self, datasets=datasets, incidents=kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How much of it there was: seconds out of the promise, and pages."""

    incidents: int = 0
    out_s: float = 0.0
    pages: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """One cause, dataset, API or team; `before` is what it was in the span before.

    `fixes` are those that people named, `newest` is the newest incident of all.
    """

    name: str
    figures: Figures
    before: Figures
    datasets: tuple[str, ...]
    fixes: tuple[str, ...]
    newest: str
    is_fixed: bool

    @property
    def comes_back(self) -> bool:
        """Whether there were several, and the newest of them has no fix."""
        is_cause = self.name not in {NOT_KNOWN, FALSE_ALARM}
        return is_cause and self.figures.incidents >= REPEATS and not self.is_fixed


@dataclass(frozen=True, slots=True, kw_only=True)
class CausesReport:
    """What there is to say. `attained` is how each dataset kept its promise over the
    last days of the span, as many as are remembered.
    """

    facts: CausesFacts
    total: Figures
    before: Figures
    kept: int
    missed: int
    causes: Sequence[Ranked]
    datasets: Sequence[Ranked]
    apis: Sequence[Ranked]
    teams: Sequence[Ranked]
    attained: Mapping[str, Attainment]


def month_before(until: datetime, timezone: str) -> datetime:
    """A month before by the calendar on the wall: of 31 March, the last of February."""
    here = until.astimezone(zone(timezone))
    last = here.replace(day=1) - timedelta(days=1)
    return here.replace(
        year=last.year, month=last.month, day=min(here.day, last.day)
    ).astimezone(UTC)


def causes_report(facts: CausesFacts) -> CausesReport:
    """The report of some facts."""
    length = facts.until - facts.since
    now = _Span(facts, facts.since, facts.until)
    before = _Span(facts, facts.since - length, facts.since)
    owner = {one.name: one.owner.team for one in facts.datasets}
    api = {one.name: context_of(one).api for one in facts.datasets}

    def ranked(name_of: Callable[[Incident], str | None]) -> Sequence[Ranked]:
        return _ranked(name_of, now, before)

    days = min(WINDOW_DAYS, max(1, round(length / timedelta(days=1))))
    known = {
        one.name: found
        for one in facts.datasets
        if (watch := facts.watches.get(one.name)) is not None
        and watch.tally is not None
        and (found := attainment(watch.tally, days=days, now=facts.until)) is not None
    }
    return CausesReport(
        facts=facts,
        total=now.figures(now.incidents),
        before=before.figures(before.incidents),
        kept=sum(one.promise == "kept" for one in now.incidents),
        missed=sum(one.promise == "missed" for one in now.incidents),
        causes=ranked(cause_of),
        datasets=ranked(lambda one: one.dataset if one.dataset in owner else None),
        apis=ranked(
            lambda one: (
                host_of(one.dataset)
                if one.dataset.startswith(API)
                else api.get(one.dataset)
            )
        ),
        teams=ranked(lambda one: owner.get(one.dataset)),
        attained=known,
    )


def cause_of(incident: Incident) -> str:
    """What an incident is counted under."""
    if incident.ended_by is Ending.FALSE_ALARM:
        return FALSE_ALARM
    return incident.main_cause or NOT_KNOWN


class _Span:
    """Some time, and the incidents that were open in it."""

    def __init__(self, facts: CausesFacts, since: datetime, until: datetime) -> None:
        self._since, self._until = since, until
        self._calendars = {one.name: _calendar(one) for one in facts.datasets}
        self.incidents = sorted(
            (
                one
                for one in facts.incidents
                if one.opened_at < until and (one.resolved_at or until) > since
            ),
            key=lambda one: (one.opened_at, one.incident_id),
        )

    def figures(self, incidents: Iterable[Incident]) -> Figures:
        found = list(incidents)
        return Figures(
            incidents=len(found),
            out_s=sum(map(self._out_s, found)),
            pages=sum(map(self._pages, found)),
        )

    def _out_s(self, one: Incident) -> float:
        if one.late_since is None or one.ended_by is Ending.FALSE_ALARM:
            return 0.0
        begin = max(one.late_since, self._since)
        end = min(one.resolved_at or self._until, self._until)
        calendar = self._calendars.get(one.dataset, Calendar())
        return (
            due_time_between(calendar, begin, end).total_seconds()
            if end > begin
            else 0.0
        )

    def _pages(self, one: Incident) -> int:
        """A page goes by several channels at once."""
        told = {notice.at for notice in one.notices if notice.page}
        return sum(self._since <= at < self._until for at in told)


def _calendar(dataset: Dataset) -> Calendar:
    """A deadline is asked for whenever it comes: it knows no quiet time."""
    freshness = dataset.freshness
    return Calendar() if freshness.deadline_cron is not None else freshness.calendar


def _ranked(
    name_of: Callable[[Incident], str | None], now: _Span, before: _Span
) -> Sequence[Ranked]:
    groups: defaultdict[str, list[Incident]] = defaultdict(list)
    for one in now.incidents:
        name = name_of(one)
        if name is not None:
            groups[name].append(one)
    found = [
        Ranked(
            name=name,
            figures=now.figures(incidents),
            before=before.figures(x for x in before.incidents if name_of(x) == name),
            datasets=tuple(sorted({one.dataset for one in incidents})),
            fixes=tuple(dict.fromkeys(filter(None, map(_fix, incidents)))),
            newest=incidents[-1].incident_id,
            is_fixed=_fix(incidents[-1]) is not None,
        )
        for name, incidents in groups.items()
    ]
    return sorted(found, key=_rank)


def _rank(one: Ranked) -> tuple[bool, float, int, str]:
    return not one.comes_back, -one.figures.out_s, -one.figures.incidents, one.name


def _fix(incident: Incident) -> str | None:
    return incident.human.fix_url


def causes_message(report: CausesReport) -> Message | None:
    """What a team reads; None: nobody has watched its datasets yet."""
    if not report.attained and not report.total.incidents:
        return None
    facts = report.facts
    first, last = (
        one.astimezone(zone(facts.timezone)) for one in (facts.since, facts.until)
    )
    span = f"{first.day} {first:%b} to {last.day} {last:%b}"
    back = [one for one in report.causes if one.comes_back]
    others = [one for one in report.causes if not one.comes_back]
    parts = {
        "Comes back, and has no fix": [_fixable_line(one) for one in back],
        "Other causes" if back else "Causes": [_line(one) for one in others],
        "By dataset": _several(report.datasets),
        "By API": _several(report.apis),
        "By team": _several(report.teams),
        "Times promised by people": [f"{report.kept} kept, {report.missed} missed"]
        if report.kept or report.missed
        else [],
        "Promise kept": list(_attained_lines(report)),
    }
    return Message(
        headline=f"{facts.team or 'all teams'}, {span}: {_said(report.total)}"
        + (f" (before: {_said(report.before)})" if _any(report.before) else ""),
        blocks=tuple(_blocks(parts)),
    )


def causes_notices(
    facts: CausesFacts, *, routes: Routes, now: datetime
) -> tuple[Notice, ...]:
    """One for each channel of the team's engineers."""

    def said(some: Sequence[Dataset]) -> Message | None:
        return causes_message(causes_report(facts.of(some)))

    return TeamReport(
        kind=NoticeKind.CAUSES,
        team=facts.team,
        day=day_of(facts.until, facts.timezone),
        datasets=facts.datasets,
        says={Recipient.ENGINEERS: said},
    ).notices(routes=routes, now=now)


def _any(figures: Figures) -> bool:
    return figures != Figures()


def _blocks(parts: Mapping[str, Sequence[str]]) -> list[Block]:
    return [
        block(label, [cut(line, LINE) for line in lines], listed=True)
        for label, lines in parts.items()
        if lines
    ]


def _several(found: Sequence[Ranked]) -> list[str]:
    return [_line(one) for one in found] if len(found) > 1 else []


def _line(one: Ranked) -> str:
    before = f" (before: {_said(one.before)})" if _any(one.before) else ""
    fixes = f"; fix: {', '.join(one.fixes)}" if one.fixes else ""
    return f"{one.name}: {_said(one.figures)}{before}{_of(one)}{fixes}"


def _fixable_line(one: Ranked) -> str:
    return f"{_line(one)}; name a fix: `catflap incident {one.newest} --fix URL`"


def _of(one: Ranked) -> str:
    if one.datasets == (one.name,):
        return ""
    more = len(one.datasets) - NAMED
    named = ", ".join(one.datasets[:NAMED])
    return f"; {named}" + (f" and {more} more" if more > 0 else "")


def _said(figures: Figures) -> str:
    parts = [
        counted(figures.incidents, "incident") if figures.incidents else "no incident",
        f"{lasting(figures.out_s)} out of promise" if figures.out_s else "",
        counted(figures.pages, "page") if figures.pages else "",
    ]
    return ", ".join(filter(None, parts))


def _attained_lines(report: CausesReport) -> Iterable[str]:
    """The team's, and those of its datasets that kept theirs least."""
    if not report.attained:
        return
    whole = list(report.attained.values())
    yield f"all {len(whole)}: {_share(whole)}" if len(whole) > 1 else _share(whole)
    worst = sorted(report.attained.items(), key=lambda pair: (pair[1].share, pair[0]))
    if len(whole) > 1:
        for name, one in worst[:NAMED]:
            if one.share < 1:
                yield f"{name}: {_share([one])}"


def _share(found: Sequence[Attainment]) -> str:
    out_s = sum(one.warn_s + one.error_s for one in found)
    due_s = sum(one.due_s for one in found)
    left = error_budget_left(found)
    budget = (
        f"{left:.0%} of the error budget is left"
        if left >= 0
        else f"the error budget is spent {1 - left:.1f} times"
    )
    share = max(0.0, 1 - out_s / due_s)
    return f"{share:.2%} of due time in the last {found[0].days} days; {budget}"


def error_budget_left(found: Iterable[Attainment]) -> float:
    """What share of several budgets together is left; negative once overspent."""
    known = list(found)
    budget_s = sum(one.budget_s for one in known)
    return 1 - sum(one.error_s for one in known) / budget_s if budget_s else 0.0


def causes_document(report: CausesReport) -> dict[str, Any]:
    """The report for programs."""
    facts = report.facts
    return {
        "since": facts.since.isoformat(),
        "until": facts.until.isoformat(),
        "total": _figures(report.total),
        "before": _figures(report.before),
        "promises": {"kept": report.kept, "missed": report.missed},
        "causes": [_cause(one) for one in report.causes],
        **{
            name: [
                {key: one.name, **_figures(one.figures), "before": _figures(one.before)}
                for one in found
            ]
            for name, key, found in (
                ("datasets", "dataset", report.datasets),
                ("apis", "api", report.apis),
                ("teams", "team", report.teams),
            )
        },
        "attainment": [
            {
                "dataset": name,
                "days": one.days,
                "share": round(one.share, 5),
                "error_budget_left": round(one.left, 4),
            }
            for name, one in sorted(report.attained.items())
        ],
    }


def _cause(one: Ranked) -> dict[str, Any]:
    return {
        "cause": one.name,
        "times": one.figures.incidents,
        "datasets": [*one.datasets],
        "minutes_out_of_promise": _minutes(one.figures),
        "pages": one.figures.pages,
        "before": _figures(one.before),
        "fixes": [*one.fixes],
        "comes_back_without_fix": one.comes_back,
        "newest": one.newest,
    }


def _figures(one: Figures) -> dict[str, Any]:
    return {
        "incidents": one.incidents,
        "minutes_out_of_promise": _minutes(one),
        "pages": one.pages,
    }


def _minutes(one: Figures) -> float:
    return round(one.out_s / 60, 2)
