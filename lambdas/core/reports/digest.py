"""The morning digest of a team: how the night ended, what is open, what is due today.

It is made from the state alone. What nobody knows is said to be not known.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from lambdas.core.dataset import Dataset
from lambdas.core.freshness.watch import Watch
from lambdas.core.incidents.channels import Routes
from lambdas.core.incidents.context import IncidentContext, context_of
from lambdas.core.incidents.incident import (
    REPORT,
    Ending,
    Incident,
    NoticeKind,
    Recipient,
    in_plain_words,
)
from lambdas.core.incidents.message import Block, Message, block, cut, local_time
from lambdas.core.incidents.notice import Notice
from lambdas.core.incidents.verdicts.api import apis_of
from lambdas.core.names import OURS, is_ours
from lambdas.core.quality.result import CheckedLoad
from lambdas.core.reports.team_notices import TeamReport, day_of
from lambdas.core.schedule.zones import zone
from lambdas.core.silences.silence import Silence
from lambdas.core.text.count import counted
from lambdas.core.text.duration import lasting

LINE = 300
"""Characters of a line."""
_ENDED = {
    Ending.RECOVERED: "well again",
    Ending.NOT_PROMISED: "no longer promised",
    Ending.REMOVED: "removed",
    Ending.CLOSED: "closed by hand",
    Ending.FALSE_ALARM: "a false alarm",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Morning:
    """What a team's digest is made of. `incidents` are those that are open, and those
    that are over since the digest before. `checks_stopped`: nobody looks at present.
    """

    team: str
    timezone: str
    due_at: datetime
    datasets: Sequence[Dataset]
    watches: Mapping[str, Watch] = field(default_factory=dict)
    incidents: Sequence[Incident] = ()
    loads: Mapping[str, CheckedLoad] = field(default_factory=dict)
    silences: Sequence[Silence] = ()
    checks_stopped: bool = False

    @property
    def since(self) -> datetime:
        """When the digest before was due, by the clock on the wall."""
        return night_before(self.due_at, self.timezone)

    @property
    def day(self) -> str:
        """Its day on the team's calendar."""
        return day_of(self.due_at, self.timezone)

    def at(self, moment: datetime) -> str:
        """A time as the team's clock shows it."""
        return local_time(moment, self.timezone)

    def is_today(self, moment: datetime) -> bool:
        """Whether it comes before the next digest."""
        return moment <= self.due_at + timedelta(days=1)

    def of(self, datasets: Sequence[Dataset]) -> Morning:
        """The same for some datasets and their APIs; what concerns all stays."""
        names = {one.name for one in datasets} | OURS | apis_of(datasets)
        kept = [one for one in self.incidents if one.dataset in names]
        return dataclasses.replace(self, datasets=datasets, incidents=kept)


def night_before(due_at: datetime, timezone: str) -> datetime:
    """A day before on the wall's clock."""
    here = due_at.astimezone(zone(timezone))
    return (here - timedelta(days=1)).astimezone(UTC)


def digest_notices(
    morning: Morning, *, routes: Routes, now: datetime
) -> tuple[Notice, ...]:
    """One for each audience and channel of the team's. Engineers hear of a quiet night,
    too, in a line; stakeholders only of what is late.
    """
    return TeamReport(
        kind=NoticeKind.DIGEST,
        team=morning.team,
        day=morning.day,
        datasets=morning.datasets,
        says={
            Recipient.ENGINEERS: lambda some: engineers_digest(morning.of(some)),
            Recipient.STAKEHOLDERS: lambda some: stakeholders_digest(morning.of(some)),
        },
    ).notices(routes=routes, now=now)


def engineers_digest(morning: Morning) -> Message:
    """What engineers read; one line if nothing happened."""
    parts = {
        "open": [_open_line(morning, one) for one in _open(morning)],
        "promised for today": list(_due_today(morning)),
        "at risk": [_open_line(morning, one) for one in _at_risk(morning)],
        "ended since yesterday": [_ended_line(morning, one) for one in _over(morning)],
        "with failing checks": list(_failing(morning)),
        "not known": list(_unknown(morning)),
    }
    ending = list(_silences(morning))
    said = ", ".join(f"{len(lines)} {what}" for what, lines in parts.items() if lines)
    if morning.checks_stopped:
        said = "not known, checks have stopped" + (f"; before: {said}" if said else "")
    said = said or "nothing is open, nothing happened overnight"
    return Message(
        headline=f"{morning.team} this morning: {said}",
        blocks=(
            *_blocks({what.capitalize(): lines for what, lines in parts.items()}),
            *_blocks({"Silences that end today": ending}),
            *([_footer(morning)] if ending or any(parts.values()) else []),
        ),
    )


def stakeholders_digest(morning: Morning) -> Message | None:
    """What is late now, and until when; None: nothing is. Of what is silenced, those
    hear who had heard of it.
    """
    late = [
        one
        for one in _open(morning)
        if one.late_since is not None
        and (Recipient.STAKEHOLDERS in one.told or not _silenced(morning, one))
    ]
    if not late:
        return None
    names = list(dict.fromkeys(one.dataset for one in late))
    who = f"{names[0]} is" if len(names) == 1 else f"{len(names)} of your datasets are"
    lines = [_late_line(morning, one) for one in late]
    return Message(
        headline=f"{who} late this morning",
        blocks=(*_blocks({"Late": lines}), _footer(morning)),
    )


def _blocks(parts: Mapping[str, Sequence[str]]) -> list[Block]:
    return [
        block(label, [cut(line, LINE) for line in lines], listed=True)
        for label, lines in parts.items()
        if lines
    ]


def _footer(morning: Morning) -> Block:
    return block(None, [f"As of {morning.at(morning.due_at)}"], aside=True)


def _is_open(one: Incident, kinds: Sequence[str]) -> bool:
    return one.resolved_at is None and one.kind in kinds


def _open(morning: Morning) -> list[Incident]:
    """What is not well now, what began first at first."""
    found = [
        one
        for one in morning.incidents
        if one.resolved_at is None
        and one.kind != "quality"
        and (one.state != "pass" or one.kind == REPORT or is_ours(one.dataset))
    ]
    return sorted(found, key=lambda one: (one.opened_at, one.incident_id))


def _at_risk(morning: Morning) -> list[Incident]:
    known = {one.incident_id for one in _open(morning)}
    return [
        one
        for one in morning.incidents
        if one.resolved_at is None
        and one.kind != "quality"
        and one.incident_id not in known
    ]


def _over(morning: Morning) -> list[Incident]:
    """What ended between the two digests; each is told of by one of them."""
    found = [
        (one.resolved_at, one)
        for one in morning.incidents
        if one.resolved_at is not None
        and morning.since < one.resolved_at <= morning.due_at
    ]
    return [one for _, one in sorted(found, key=lambda pair: pair[0])]


def _who(one: Incident) -> str:
    by = one.human.acknowledged_by
    return f"{by} has it" if by else "nobody has it"


def _open_line(morning: Morning, one: Incident) -> str:
    since = morning.at(one.late_since or one.opened_at)
    waits = f"; waits for {one.inhibited_by}" if one.inhibited_by else ""
    return (
        f"{cut(one.headline, LINE // 2)}; since {since}; {_who(one)}{waits}"
        f"{_silenced(morning, one)}"
    )


def _silenced(morning: Morning, one: Incident) -> str:
    dataset = next((x for x in morning.datasets if x.name == one.dataset), None)
    if dataset is None:
        return ""
    subject, now = context_of(dataset), morning.due_at
    silence = subject.silence(morning.silences, one.cause, now)
    until = None if silence is None else silence.until_at(now)
    return "" if until is None else f"; silenced until {morning.at(until)}"


def _ended_line(morning: Morning, one: Incident) -> str:
    ended_at = one.resolved_at or morning.due_at
    how = _ENDED[one.ended_by or Ending.RECOVERED]
    began = one.late_since
    late = (
        f", {lasting((ended_at - began).total_seconds())} late"
        if began is not None
        else ""
    )
    cause = one.main_cause
    why = f": {in_plain_words(cause).rstrip('.')}" if cause else ""
    return f"{one.dataset}: {how} at {morning.at(ended_at)}{late}{why}"


def _due_today(morning: Morning) -> Iterator[str]:
    for one in (*_open(morning), *_at_risk(morning)):
        promised = one.human.promised_for
        if promised is None or not morning.is_today(promised):
            continue
        missed = " (missed)" if promised <= morning.due_at else ""
        by = f" by {one.human.promised_by}" if one.human.promised_by else ""
        yield f"{one.dataset}: promised for {morning.at(promised)}{by}{missed}"


def _failing(morning: Morning) -> Iterator[str]:
    owners = {
        one.dataset: _who(one)
        for one in morning.incidents
        if _is_open(one, ["quality"])
    }
    for dataset in morning.datasets:
        load = morning.loads.get(dataset.name)
        if load is None or not (load.failing or load.held):
            continue
        said = ", ".join(load.failing) or "none by now"
        runs = counted(len(load.held), "run")
        held = f"; rows of {runs} are held back" if load.held else ""
        who = owners.get(dataset.name)
        yield f"{dataset.name}: {said}{held}" + (f"; {who}" if who else "")


def _unknown(morning: Morning) -> Iterator[str]:
    told = {one.dataset for one in _open(morning)}
    for dataset in morning.datasets:
        watch = morning.watches.get(dataset.name)
        if dataset.schedule.paused is not None or dataset.name in told:
            continue
        if watch is None:
            yield f"{dataset.name}: not checked yet"
        elif watch.state == "unknown":
            yield f"{dataset.name}: {in_plain_words(watch.cause)}"


def _silences(morning: Morning) -> Iterator[str]:
    subjects = [context_of(one) for one in morning.datasets]
    for silence in morning.silences:
        is_ours = any(_is_about(silence, subject) for subject in subjects)
        ends = silence.ends_at
        if is_ours and ends > morning.due_at and morning.is_today(ends):
            yield (
                f"{silence.target}: until {morning.at(ends)}, by {silence.by}: "
                f"{silence.why}"
            )


def _is_about(silence: Silence, subject: IncidentContext) -> bool:
    return silence.is_of(
        dataset=subject.dataset,
        team=subject.team,
        api=subject.api,
        cause=silence.cause,
    )


def _late_line(morning: Morning, one: Incident) -> str:
    since = morning.at(one.late_since or one.opened_at)
    expected = one.expected_at
    when = (
        f"expected at {morning.at(expected)}"
        if expected is not None and expected > morning.due_at
        else "when it comes is not known yet"
    )
    said = f"{one.dataset}: late since {since}; {when}. {in_plain_words(one.cause)}"
    words = one.human.promise_words
    return f"{said} From the team: {words}" if words else said
