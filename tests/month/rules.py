"""What people may be told, and what they have to be: apart from how it is decided.

Each rule looks at what a check found and at what was told then, and knows of an
incident only what was told before.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from lambdas.adapters.signals.judge import Judged
from lambdas.core.dataset import Dataset
from lambdas.core.incidents.incident import (
    PASSING,
    Ending,
    Incident,
    NoticeKind,
    Recipient,
    in_plain_words,
)
from lambdas.core.incidents.notice import Notice
from lambdas.core.names import OURS
from tests.month.copies import CopyRules
from tests.month.lines import Line

Recorded = tuple[Incident | None, Incident, tuple[Notice, ...]]
_BEGIN = (NoticeKind.OPENED, NoticeKind.REOPENED, NoticeKind.FLAPPING)
CHECK_EVERY = timedelta(minutes=15)
MOST = 40
"""Messages of one incident to one audience by one channel, in a month."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A message to people."""

    at: datetime
    kind: NoticeKind
    page: bool
    headline: str


@dataclass(slots=True, kw_only=True)
class Thread:
    """What is known of an incident from what was told of it."""

    incident: Incident
    told: dict[Recipient, list[Told]] = field(default_factory=dict)
    heard: set[Recipient] = field(default_factory=set)
    causes: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    paged: set[str] = field(default_factory=set)
    was_late: bool = False
    expected: set[datetime] = field(default_factory=set)
    overdue: set[datetime] = field(default_factory=set)

    @property
    def is_open(self) -> bool:
        return self.incident.resolved_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A message, and all that it is judged by."""

    now: datetime
    thread: Thread
    after: Incident
    one: Notice
    judged: Judged | None
    dataset: Dataset | None

    @property
    def told(self) -> list[Told]:
        return self.thread.told.get(self.one.audience, [])


def _opened(case: Case) -> str | None:
    thread, audience = case.thread, case.one.audience
    has_heard = audience in thread.heard
    if audience is Recipient.STAKEHOLDERS:
        has_heard = has_heard and thread.was_late  # that it is late, they had not
    return "had heard of it" if has_heard else None


def _changed(case: Case) -> str | None:
    thread, audience = case.thread, case.one.audience
    if case.judged is None or audience not in thread.heard:
        return "not looked at, or the first they hear of it"
    if set(case.after.dependents) - set(thread.incident.dependents):
        return None  # what is made from it is late with it now
    verdict = case.judged.verdict
    if audience is Recipient.STAKEHOLDERS:
        knows = in_plain_words(verdict.cause) in thread.words
        return "they know that" if knows else None
    if case.one.page or (verdict.state.late and not thread.was_late):
        return None
    if verdict.cause in thread.causes:
        return "nothing is new"
    asks = Recipient.ENGINEERS.value in {str(who) for who in verdict.tell}
    return None if asks and verdict.cause not in PASSING else "it asks for nothing"


def _overdue(case: Case) -> str | None:
    thread = case.thread
    passed = {at for at in thread.expected if at <= case.now} - thread.overdue
    return None if passed else "nothing that was promised has passed"


def _daily(case: Case) -> str | None:
    zone = case.dataset.freshness.calendar.timezone if case.dataset else "UTC"
    here = case.now.astimezone(ZoneInfo(zone))
    if case.one.audience is not Recipient.STAKEHOLDERS or here.time() < time(8):
        return f"it is {here:%H:%M} there"
    if case.told and case.now - case.told[-1].at < timedelta(hours=12):
        return f"after one at {case.told[-1].at:%m-%d %H:%M}"
    return None


def _reminded(case: Case) -> str | None:
    woken = [x.at for x in case.told if x.page or x.kind is NoticeKind.REMINDER]
    every = case.dataset.freshness.repeat_every.duration if case.dataset else None
    if not woken or (every and case.now - woken[-1] < every):
        return "too early"
    taken_at = case.thread.incident.human.acknowledged_at
    is_over = taken_at is not None and woken[-1] > taken_at
    return "it was acknowledged, and brought to mind since" if is_over else None


def _resolved(case: Case) -> str | None:
    has_heard = case.one.audience in case.thread.heard
    return None if has_heard else "had not heard of it"


def _blind(case: Case) -> str | None:
    is_blind = case.judged is not None and case.judged.verdict.state == "unknown"
    return None if is_blind else "it can be read"


class Rules:
    """The threads of a month, and which rules were broken."""

    def __init__(self) -> None:
        self.threads: dict[str, Thread] = {}
        self.open: dict[str, str] = {}
        self.violations: list[str] = []
        self.counts: Counter[str] = Counter()
        self.made: Counter[tuple[str, str]] = Counter()
        self.copies = CopyRules()
        self.whole: list[datetime] = []
        """When checks were made that nothing killed."""

    def see(
        self,
        now: datetime,
        found: Mapping[str, Judged],
        recorded: Sequence[Recorded],
        deployed: Mapping[str, Dataset],
    ) -> None:
        """One check."""
        self.counts["checks"] += 1
        for _, after, made in recorded:
            thread = self._thread(after)
            judged = found.get(after.dataset)
            people = self._people(after, made)
            for one in people:
                dataset = deployed.get(after.dataset)
                self._judge(
                    Case(
                        now=now,
                        thread=thread,
                        after=after,
                        one=one,
                        judged=judged,
                        dataset=dataset,
                    )
                )
            self._keep(now, thread, after, people, judged)
            self.copies.see(now, after, made)
        for name, judged in found.items():
            self._has_heard(now, name, judged)
        self.copies.nobody_waits(now, self._told_late(now, found), deployed)

    def _told_late(
        self, now: datetime, found: Mapping[str, Judged]
    ) -> Mapping[str, str]:
        """Late datasets of which stakeholders know, with their incidents."""
        known = {}
        for name, judged in found.items():
            thread = self.threads.get(self.open.get(name, ""))
            if thread is None or not judged.verdict.state.late:
                continue
            snoozed = thread.incident.human.snoozed_until
            is_told = Recipient.STAKEHOLDERS in thread.heard
            if is_told and not (snoozed and now < snoozed):
                known[name] = thread.incident.incident_id
        return known

    def see_hand(self, now: datetime, hand: str, recorded: Sequence[Recorded]) -> None:
        """What a person did."""
        self.counts[f"by hand: {hand}"] += 1
        for _, after, made in recorded:
            thread = self._thread(after)
            people = self._people(after, made)
            allowed = {"eta": {NoticeKind.PROMISED}, "resolve": {NoticeKind.RESOLVED}}
            allowed["false"] = allowed["resolve"]
            for one in people:
                if one.kind not in allowed.get(hand, set()):
                    self._wrong(now, one, f"told by {hand}")
            if after.human.promised_for is not None:
                thread.expected.add(after.human.promised_for)
            self._keep(now, thread, after, people, None)
            self.copies.see(now, after, made)

    def end(
        self, lines: Sequence[Line], unmarked: Mapping[str, int], left: Sequence[str]
    ) -> None:
        """When all has been well for days. `unmarked` is how often a check was killed
        between a channel's taking a notice and the mark of it.
        """
        self.violations += [f"{one} is open, and all is well" for one in left]
        self.violations += self.copies.violations
        self.counts += self.copies.counts
        for line in lines:
            self._arrived(line, unmarked)
            self._in_order(line)
            self._in_time(line)
            self.counts[f"batches by {line.name}"] = line.batches
        for thread in self.threads.values():
            for audience, told in thread.told.items():
                if len(told) > MOST:
                    self.violations.append(
                        f"{thread.incident.incident_id}: {len(told)} to {audience}"
                    )

    def _arrived(self, line: Line, unmarked: Mapping[str, int]) -> None:
        """Each notice once, and once more only for each death before its mark."""
        times = Counter(one.notice.notice_id for one in line.taken)
        for notice_id, name in self.made:
            if name != line.name:
                continue
            count, deaths = times[notice_id], unmarked.get(notice_id, 0)
            self.counts[f"sent again by {name}"] += deaths
            if count != 1 + deaths:
                self.violations.append(f"{name} had {notice_id} {count} times")

    def _in_order(self, line: Line) -> None:
        """What an incident's readers hear comes in the order in which it was made."""
        last: dict[tuple[str, str], datetime] = {}
        heard: set[str] = set()
        for one in line.taken:
            notice = one.notice
            if notice.notice_id in heard:
                continue
            heard.add(notice.notice_id)
            story = notice.incident_id, notice.audience.value
            if notice.created_at < last.get(story, notice.created_at):
                self.violations.append(f"{line.name}: {notice.notice_id} after later")
            last[story] = notice.created_at

    def _in_time(self, line: Line) -> None:
        """With the check that made it, or the next that is not killed, whatever other
        channels do; while its own is down, with the first after that.
        """
        first = {one.notice.notice_id: one for one in reversed(line.taken)}
        for one in first.values():
            due = self._next_whole(one.notice.created_at)
            if line.down is not None and line.down[0] <= due < line.down[1]:
                due = self._next_whole(line.down[1])
            if one.at > due:
                self.violations.append(
                    f"{line.name}: {one.notice.notice_id} came {one.at - due} late"
                )

    def _next_whole(self, at: datetime) -> datetime:
        """When the next check was made from begin to end."""
        return self.whole[bisect_left(self.whole, at)]

    def messages(self) -> Counter[int]:
        """How many incidents had so many messages."""
        return Counter(
            sum(map(len, thread.told.values())) for thread in self.threads.values()
        )

    def _thread(self, after: Incident) -> Thread:
        thread = self.threads.get(after.incident_id)
        if thread is None:
            thread = self.threads[after.incident_id] = Thread(incident=after)
            self.counts["incidents"] += 1
        return thread

    def _people(self, after: Incident, made: Sequence[Notice]) -> list[Notice]:
        """The messages to people, of one channel; the other has the same."""
        by: dict[str, list[Notice]] = {"sns": [], "slack": []}
        for one in made:
            if one.audience is not Recipient.SYSTEMS:
                is_copy = one.copy_of is not None
                if one.kind is not NoticeKind.EDITED and one.channel in by:
                    by[one.channel] += [] if is_copy else [one]
                self.made[one.notice_id, one.channel] += 1
        if len(by["sns"]) != len(by["slack"]):
            self.violations.append(f"{after.incident_id}: channels differ")
        return by["sns"]

    def _judge(self, case: Case) -> None:
        """Whether this message was due."""
        now, one, thread = case.now, case.one, case.thread
        self.counts[one.kind.value] += 1
        self.counts["pages"] += one.page
        if case.told and case.told[-1].at == now:
            self._wrong(now, one, "second message of a check")
        snoozed = thread.incident.human.snoozed_until if thread.is_open else None
        is_kept_back = snoozed is not None and now < snoozed and bool(case.told)
        if is_kept_back and one.kind is not NoticeKind.RESOLVED:
            self._wrong(now, one, f"snoozed until {snoozed:%m-%d %H:%M}")
        if thread.incident.dataset in OURS:
            return
        if one.page:
            self._judge_page(now, thread, one, case.judged)
        if (why := self._why_not(case)) is not None:
            self._wrong(now, one, why)

    def _why_not(self, case: Case) -> str | None:
        """What speaks against a message of its kind."""
        rules: Mapping[NoticeKind, Callable[[Case], str | None]] = {
            **dict.fromkeys(_BEGIN, _opened),
            NoticeKind.CHANGED: _changed,
            NoticeKind.OVERDUE: _overdue,
            NoticeKind.DAILY: _daily,
            NoticeKind.REMINDER: _reminded,
            NoticeKind.RESOLVED: _resolved,
            NoticeKind.BLIND: _blind,
        }
        rule = rules.get(case.one.kind)
        return "not by a check" if rule is None else rule(case)

    def _judge_page(
        self, now: datetime, thread: Thread, one: Notice, judged: Judged | None
    ) -> None:
        if judged is None or not judged.verdict.page:
            self._wrong(now, one, "nothing pages")
        elif judged.verdict.cause in thread.paged:
            self._wrong(now, one, f"{judged.verdict.cause} had paged")
        elif (
            one.kind is NoticeKind.CHANGED
            and thread.paged
            and thread.incident.human.acknowledged_at is not None
        ):
            self._wrong(now, one, "somebody had acknowledged a page of it")

    def _keep(
        self,
        now: datetime,
        thread: Thread,
        after: Incident,
        people: Sequence[Notice],
        judged: Judged | None,
    ) -> None:
        """Note what was told, and how the incident is now."""
        for one in people:
            if one.kind is NoticeKind.OVERDUE:
                thread.overdue |= {at for at in thread.expected if at <= now}
            said = Told(
                at=now, kind=one.kind, page=one.page, headline=one.message.headline
            )
            thread.told.setdefault(one.audience, []).append(said)
            thread.heard.add(one.audience)
            if one.page and judged is not None:
                verdict = judged.verdict
                thread.paged |= {str(verdict.cause), *verdict.also}
        self._judge_end(now, thread, after, people)
        thread.incident = after
        if judged is not None and judged.verdict.cause is not None:
            verdict = judged.verdict
            snoozed = after.human.snoozed_until
            if after.inhibited_by is None and not (snoozed and now < snoozed):
                thread.causes.add(str(verdict.cause))
                thread.words.add(in_plain_words(verdict.cause))
            thread.was_late |= verdict.state.late
            if verdict.eta is not None:
                thread.expected.add(verdict.eta)
        if after.resolved_at is None:
            self.open[after.dataset] = after.incident_id
        else:
            self.open.pop(after.dataset, None)
            thread.heard = set()
            thread.was_late = False

    def _judge_end(
        self,
        now: datetime,
        thread: Thread,
        after: Incident,
        people: Sequence[Notice],
    ) -> None:
        """Whoever heard of it hears the end; only what is well is said to be."""
        if after.resolved_at is None or not thread.is_open:
            return
        told = {one.audience for one in people if one.kind is NoticeKind.RESOLVED}
        if missing := thread.heard - told:
            self.violations.append(
                f"{now:%m-%d %H:%M} {after.incident_id}: {missing} hear no end"
            )
        for one in people:
            well = "up to date again" in one.message.headline
            if well and after.ended_by is not Ending.RECOVERED:
                self._wrong(now, one, f"it ended by {after.ended_by}")
        self.counts[f"ended: {after.ended_by}"] += 1

    def _has_heard(self, now: datetime, name: str, judged: Judged) -> None:
        """Nobody is late in silence."""
        verdict = judged.verdict
        if not verdict.state.late:
            return
        incident_id = self.open.get(name)
        if incident_id is None:
            last = [
                one.incident
                for one in self.threads.values()
                if one.incident.dataset == name
            ]
            ended = last[-1].ended_by if last else None
            if ended is not Ending.FALSE_ALARM:
                self.violations.append(f"{now:%m-%d %H:%M} {name} is late in silence")
            return
        thread = self.threads[incident_id]
        incident = thread.incident
        snoozed = incident.human.snoozed_until
        if incident.inhibited_by or (snoozed and now < snoozed):
            return
        wanted = {Recipient(str(who)) for who in verdict.tell}
        if missing := wanted - thread.heard:
            self.violations.append(
                f"{now:%m-%d %H:%M} {incident_id}: {missing} not told "
                f"({verdict.state}, {verdict.cause})"
            )
        is_taken = thread.paged and incident.human.acknowledged_at is not None
        if verdict.page and verdict.cause not in thread.paged and not is_taken:
            self.violations.append(
                f"{now:%m-%d %H:%M} {incident_id}: no page for {verdict.cause}"
            )

    def _wrong(self, now: datetime, one: Notice, why: str) -> None:
        self.violations.append(
            f"{now:%m-%d %H:%M} {one.incident_id} {one.kind.value} to "
            f"{one.audience.value}: {why} ({one.message.headline})"
        )
