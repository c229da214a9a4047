"""The life of an incident: opened, changed, resolved, and who hears of each.

::

    verdict with a cause ──> open ──a cause that lasts, a page──> told again
                              │ └──nothing that was not said before──> silence
                              └──pass──> resolved: whoever was told hears of it
    late again within `reopen_within` ──> the same one, open again
    the third time in a day ──> told once as what it is, and then only what is new

Two things are not a recovery: not being able to look, and quiet time over data that
are as old as before. One incident is open for a dataset at any time, and no cause
pages twice in it. What is at risk, and later late, is one incident.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from lambdas.core.diagnosis.causes import BY_CODE
from lambdas.core.diagnosis.causes import PASSING as PASSING_RULES
from lambdas.core.diagnosis.verdict import Verdict
from lambdas.core.incidents.models import WORDS as OF_MODELS
from lambdas.core.incidents.quality import WORDS as OF_CHECKS
from lambdas.core.loading.repair import WORDS as OF_LOADS

REPEAT = timedelta(hours=24)
"""How often a page that nobody acknowledged is brought back to mind."""
REOPEN_WITHIN = timedelta(hours=6)
FLAPPING_FROM = 3
"""So many times late within a day are told as what they are."""
_DAY = timedelta(days=1)
ACTIONS_KEPT = 50
"""Actions of people that an incident remembers."""
NOTICES_KEPT = 100
"""Notices that an incident remembers; DynamoDB items end at 400 KB."""

REPORT = "report"
_KINDS = (REPORT, "quality", "failure", "at_risk", "blind", "late")
"""What an incident is, the worst last: it rises in place."""
_LATE = ("warn", "error")


PASSING = frozenset(rule.code for rule in PASSING_RULES)
"""Causes that pass by themselves."""


class Recipient(StrEnum):
    """Who is told. Systems read the bus."""

    ENGINEERS = "engineers"
    STAKEHOLDERS = "stakeholders"
    SYSTEMS = "systems"


class NoticeKind(StrEnum):
    """What a notice says about its incident."""

    OPENED = "opened"
    CHANGED = "changed"
    BLIND = "blind"
    REMINDER = "reminder"
    REOPENED = "reopened"
    FLAPPING = "flapping"
    OVERDUE = "overdue"
    """A time that was promised has passed."""
    DAILY = "daily"
    RESOLVED = "resolved"
    PROMISED = "promised"
    EDITED = "edited"
    """A person added something: only channels that show an incident are told."""
    REPORTED = "reported"
    """A person says that something looks wrong."""
    REPAIRED = "repaired"
    """What was wrong mended itself: no incident, told once."""
    DIGEST = "digest"
    """A report, such as a team's morning: no incident, once."""
    CAUSES = "causes"
    """What kept a team's data late over a month: no incident, once."""


class Ending(StrEnum):
    """How an incident ended. Only the first says that the data are well again."""

    RECOVERED = "recovered"
    NOT_PROMISED = "not_promised"
    REMOVED = "removed"
    CLOSED = "closed"
    FALSE_ALARM = "false_alarm"


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseTime:
    """How long a cause stood."""

    code: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SentNotice:
    """A notice that was made of an incident."""

    at: datetime
    audience: str
    channel: str
    kind: str
    page: bool
    address: str | None = None
    """The owner's channel that it was for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanAction:
    """What a person did, in words. `key` is that of the click or command: the same one
    again changes nothing.
    """

    at: datetime
    by: str
    said: str
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanSide:
    """What people added to an incident. A check never changes it."""

    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    promised_for: datetime | None = None
    cause: str | None = None
    note: str | None = None
    fix_url: str | None = None
    resolved_by: str | None = None
    promised_by: str | None = None
    snoozed_until: datetime | None = None
    false_alarm: bool = False
    promise_words: str | None = None
    """What stakeholders are told of the promised time."""
    actions: tuple[HumanAction, ...] = ()
    """What people did, the newest last; so many as are kept."""
    reporters: tuple[str, ...] = ()
    """Slack's ids of those who reported something, and hear of the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One dataset that is late or that cannot be seen, from then until it is well.

    `version` fences writes. `newest_at` is the table's newest time by its clock.
    `late_since` is when lateness was first seen, which a blind check never sees;
    `blind_since` is set while a late dataset cannot be read. `causes` are all that
    were found so far, `paged_for` those that have paged, `told` is who has heard of it.
    `inhibited_by` is the late dataset that this one is made from, while it is told of
    with that one's incident; `dependents` are those that are told of with this one.
    """

    incident_id: str
    dataset: str
    version: int
    opened_at: datetime
    changed_at: datetime
    state: str
    cause: str | None
    stage: str | None
    page: bool
    headline: str
    evidence: tuple[str, ...]
    next_step: str
    also: tuple[str, ...]
    eta: datetime | None
    newest_at: datetime | None = None
    late_since: datetime | None = None
    blind_since: datetime | None = None
    causes: tuple[str, ...] = ()
    paged_for: tuple[str, ...] = ()
    paged_at: datetime | None = None
    told: tuple[Recipient, ...] = ()
    resolved_at: datetime | None = None
    human: HumanSide = HumanSide()
    inhibited_by: str | None = None
    dependents: tuple[str, ...] = ()
    kind: str = "late"
    datasets: tuple[str, ...] = ()
    ended_by: Ending | None = None
    spent: tuple[CauseTime, ...] = ()
    cause_since: datetime | None = None
    next_look: datetime | None = None
    late_at: datetime | None = None
    promise: str | None = None
    told_expected: datetime | None = None
    eta_missed: bool = False
    stakeholders_told_at: datetime | None = None
    reopened_at: tuple[datetime, ...] = ()
    well_since: datetime | None = None
    notices: tuple[SentNotice, ...] = ()
    copied_to: tuple[str, ...] = ()
    """Channels of other stakeholders that have heard of it since it was opened: those
    of models that are late with it."""

    @property
    def main_cause(self) -> str | None:
        """What it is remembered by: a person's word, else the cause that stood longest
        among those that do not pass by themselves.
        """
        if self.human.cause is not None:
            return self.human.cause
        lasting = [one for one in self.spent if one.code not in PASSING]
        ranked = lasting or list(self.spent)
        longest = max(ranked, key=lambda one: one.seconds, default=None)
        return self.cause if longest is None else longest.code

    def spent_at(self, now: datetime) -> tuple[CauseTime, ...]:
        """How long each cause has stood until `now`, in the order they came."""
        if self.cause is None or self.cause_since is None:
            return self.spent
        seconds = {one.code: one.seconds for one in self.spent}
        stood = (now - self.cause_since).total_seconds()
        seconds[self.cause] = seconds.get(self.cause, 0.0) + max(0.0, stood)
        return tuple(CauseTime(code=code, seconds=s) for code, s in seconds.items())

    def told_at(self, audience: Recipient) -> str | None:
        """The owner's channel that last heard of it while it was open, if one is known:
        ends are also told to persons.
        """
        heard = [
            one.address
            for one in self.notices
            if one.audience == audience and one.kind != NoticeKind.RESOLVED
        ]
        return next(filter(None, reversed(heard)), None)

    def times_late(self, now: datetime) -> int:
        """How often it was late within the last day."""
        starts = (self.opened_at, *self.reopened_at)
        return sum(now - start < _DAY for start in starts)

    @property
    def expected_at(self) -> datetime | None:
        """When it is next expected: what a person promised, else what signals carry."""
        return self.human.promised_for or self.eta


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRequest:
    """That an audience is to hear of an incident, and whether it wakes somebody."""

    kind: NoticeKind
    audience: Recipient
    page: bool = False
    news: str = ""
    """What is new, in a sentence, where the headline does not say it."""
    together: str = ""
    """The click that did the same to others: it is told of all in one message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """What a verdict makes of an incident. No incident: there was and is none."""

    incident: Incident | None
    announcements: tuple[NoticeRequest, ...] = ()


def advance(
    before: Incident | None,
    verdict: Verdict,
    *,
    now: datetime,
    newest_at: datetime | None = None,
    still_old: bool = False,
    has_news: bool = False,
    repeat: timedelta = REPEAT,
    inhibited_by: str | None = None,
    dependents: Sequence[str] = (),
    less_promised: bool = False,
    morning: datetime | None = None,
    earlier: Incident | None = None,
    reopen_within: timedelta = REOPEN_WITHIN,
    is_silenced: bool = False,
    joins_silence: bool = False,
) -> Transition:
    """The incident after `verdict`, and who is told what.

    With `is_silenced` people hear of its end alone; what they did not hear is news once
    the silence is over. With `joins_silence`, engineers hear that there is one more,
    and nobody is woken.

    `still_old` says of a verdict `pass` that only quiet time makes it so, `has_news`
    that there is more to tell than before, under the same cause. `before` is the open
    incident; one that is resolved counts as none.

    With `inhibited_by`, the incident is kept and people hear nothing new of it: they
    hear of the dataset that it is made from. `dependents` are those of which people
    hear with this one; one more is news, and wakes nobody.

    `less_promised`: a verdict `pass` is one only by what is promised since.
    `morning` is when stakeholders' last morning began. `earlier` is the dataset's last
    incident that is over: what comes back within `reopen_within` is the same one.
    """
    seen = _Seen(
        verdict=verdict,
        now=now,
        newest_at=newest_at,
        still_old=still_old,
        has_news=has_news,
        repeat=repeat,
        dependents=tuple(dependents),
        less_promised=less_promised,
        reopen_within=reopen_within,
    )
    if before is not None and before.resolved_at is not None:
        before = None
    snoozed_until = None
    if before is None and earlier is not None and verdict.cause is not None:
        if _is_called_false(earlier, newest_at, now):
            return Transition(incident=None)
        snoozed_until = _outlived(earlier, verdict, now)
        is_silenced = is_silenced or snoozed_until is not None
        if _comes_back(earlier, verdict, now=now, within=reopen_within):
            again = _snoozed(_reopened(earlier, seen), snoozed_until)
            return _timed(
                None,
                again,
                now=now,
                morning=None,
                earlier=earlier,
                is_silenced=is_silenced,
                joins_silence=joins_silence,
            )
    if verdict.state.late and inhibited_by is not None:
        transition = _inhibited(before, seen, by=inhibited_by)
    else:
        transition = _by_itself(before, seen)
    transition = _snoozed(transition, snoozed_until)
    return _timed(
        before,
        transition,
        now=now,
        morning=morning,
        is_silenced=is_silenced,
        joins_silence=joins_silence,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What a check saw of a dataset, as `advance` has it."""

    verdict: Verdict
    now: datetime
    newest_at: datetime | None
    still_old: bool
    has_news: bool
    repeat: timedelta
    dependents: tuple[str, ...]
    less_promised: bool
    reopen_within: timedelta


def _is_called_false(
    earlier: Incident, newest_at: datetime | None, now: datetime
) -> bool:
    """A person said of these very data that nothing is wrong with them. Where nobody
    can tell whether they are the same, that holds for a day.
    """
    if earlier.ended_by is not Ending.FALSE_ALARM or earlier.newest_at != newest_at:
        return False
    ended_at = earlier.resolved_at or now
    return newest_at is not None or now - ended_at < _DAY


def _outlived(earlier: Incident, verdict: Verdict, now: datetime) -> datetime | None:
    """Until when a snooze holds that its incident did not outlive: it is of the dataset
    and of the causes that were found. Who closed the incident meant it to be over.
    """
    until = earlier.human.snoozed_until
    is_of_it = verdict.cause in earlier.causes
    has_recovered = earlier.ended_by is Ending.RECOVERED
    is_to_come = until is not None and now < until
    return until if is_to_come and is_of_it and has_recovered else None


def _snoozed(transition: Transition, until: datetime | None) -> Transition:
    if until is None or transition.incident is None:
        return transition
    human = dataclasses.replace(transition.incident.human, snoozed_until=until)
    incident = dataclasses.replace(transition.incident, human=human)
    return dataclasses.replace(transition, incident=incident)


def _comes_back(
    earlier: Incident, verdict: Verdict, *, now: datetime, within: timedelta
) -> bool:
    """A risk is not what was late coming back: those who heard of that hear no more."""
    is_less = earlier.kind == "late" and not verdict.state.late
    if earlier.resolved_at is None or is_less:
        return False
    return now - earlier.resolved_at <= within


def _by_itself(before: Incident | None, seen: _Seen) -> Transition:
    """As `advance`, of a dataset that none inhibits, without what only time brings."""
    is_late = seen.verdict.state.late
    if is_late and before and _is_told_of_otherwise(before, seen.dependents):
        return _with_dependents(before, seen)
    after = _next(before, seen)
    if before is None and after.incident is not None and seen.dependents:
        with_them = dataclasses.replace(after.incident, dependents=seen.dependents)
        return dataclasses.replace(after, incident=with_them)
    return after


def _next(before: Incident | None, seen: _Seen) -> Transition:
    if before is None:
        return _opened(seen)
    match str(seen.verdict.state):
        case "pass" if seen.still_old:
            return Transition(incident=before)
        case "pass" if before.kind == REPORT:
            # What a person saw, only a person ends.
            return Transition(incident=before)
        case "pass" if before.state != "pass" or seen.verdict.cause is None:
            return _well(before, seen)
        case "unknown" if before.state in _LATE:
            return _blind(before, seen)
        case _:
            return _changed(before, seen)


def _is_told_of_otherwise(before: Incident, dependents: Sequence[str]) -> bool:
    """Whether it was another's echo, or others are its own now."""
    return before.inhibited_by is not None or set(dependents) != set(before.dependents)


def _inhibited(before: Incident | None, seen: _Seen, *, by: str) -> Transition:
    """The incident goes on, and only systems hear of it."""
    quiet = dataclasses.replace(seen.verdict, page=False, tell=frozenset())
    after = _next(before, dataclasses.replace(seen, verdict=quiet, has_news=False))
    incident = after.incident
    if incident is None or (incident is before and incident.inhibited_by == by):
        return Transition(incident=before)
    version = incident.version + 1 if incident is before else incident.version
    return Transition(
        incident=dataclasses.replace(
            incident, inhibited_by=by, dependents=(), version=version
        ),
        announcements=tuple(
            item for item in after.announcements if item.audience is Recipient.SYSTEMS
        ),
    )


def _with_dependents(before: Incident, seen: _Seen) -> Transition:
    """An incident that is its own again, or with which others are told of now."""
    alike = dataclasses.replace(
        before,
        inhibited_by=None,
        dependents=seen.dependents,
        # what changed silently was told to nobody
        causes=() if before.inhibited_by and not before.told else before.causes,
    )
    after = _changed(alike, dataclasses.replace(seen, has_news=False))
    incident = after.incident or alike
    announcements = list(after.announcements)
    if set(seen.dependents) - set(before.dependents):
        heard = {item.audience for item in announcements}
        announcements += [
            NoticeRequest(kind=NoticeKind.CHANGED, audience=who)
            for who in before.told
            if who not in heard
        ]
    return Transition(
        incident=dataclasses.replace(incident, version=before.version + 1),
        announcements=tuple(announcements),
    )


def _well(before: Incident, seen: _Seen) -> Transition:
    """The end; of one that comes and goes, only once it has stayed away for long."""
    now, newest_at = seen.now, seen.newest_at
    ending = Ending.NOT_PROMISED if seen.less_promised else Ending.RECOVERED
    is_flapping = before.times_late(now) >= FLAPPING_FROM
    well_since = before.well_since or now
    is_early = now - well_since < seen.reopen_within
    if is_flapping and ending is Ending.RECOVERED and is_early:
        if before.well_since is not None:
            return Transition(incident=before)
        waits = dataclasses.replace(
            before, version=before.version + 1, well_since=now, newest_at=newest_at
        )
        return Transition(incident=waits)
    return _resolved(before, now=now, newest_at=newest_at, ending=ending)


def _reopened(earlier: Incident, seen: _Seen) -> Transition:
    """The same incident, open again. A cause that has paged in it pages no more."""
    verdict, now = seen.verdict, seen.now
    cause = str(verdict.cause)
    late = verdict.state.late
    pages = verdict.page and cause not in earlier.paged_for
    after = dataclasses.replace(
        earlier,
        **_said(seen),  # type: ignore[arg-type]  # the fields of a verdict, by name
        version=earlier.version + 1,
        resolved_at=None,
        ended_by=None,
        cause_since=now,
        # What a person closed, and was wrong to, has not come and gone.
        reopened_at=(*earlier.reopened_at, now)
        if earlier.ended_by is Ending.RECOVERED
        else earlier.reopened_at,
        late_since=now if late else None,
        causes=tuple(dict.fromkeys((*earlier.causes, cause))),
        paged_for=(*earlier.paged_for, *_paged_for(verdict))
        if pages
        else earlier.paged_for,
        paged_at=now if pages else earlier.paged_at,
        told=tuple(sorted(Recipient(str(who)) for who in verdict.tell)),
        copied_to=(),
        human=dataclasses.replace(
            earlier.human,
            resolved_by=None,
            false_alarm=False,
            promised_for=None,
            snoozed_until=None,
            acknowledged_at=None if pages else earlier.human.acknowledged_at,
            acknowledged_by=None if pages else earlier.human.acknowledged_by,
        ),
    )
    is_flapping = after.times_late(now) >= FLAPPING_FROM
    kind = NoticeKind.FLAPPING if is_flapping else NoticeKind.REOPENED
    announcements = [
        NoticeRequest(
            kind=kind, audience=who, page=pages and who is Recipient.ENGINEERS
        )
        for who in after.told
    ]
    announcements += _to_systems(NoticeKind.OPENED, verdict)
    return Transition(incident=after, announcements=tuple(announcements))


def _to_systems(kind: NoticeKind, verdict: Verdict) -> list[NoticeRequest]:
    """Systems hear of what is late or at risk, and of checks that fail."""
    concerned = verdict.state.late or verdict.at_risk or verdict.cause in OF_CHECKS
    return [NoticeRequest(kind=kind, audience=Recipient.SYSTEMS)] if concerned else []


def _timed(
    before: Incident | None,
    transition: Transition,
    *,
    now: datetime,
    morning: datetime | None,
    earlier: Incident | None = None,
    is_silenced: bool = False,
    joins_silence: bool = False,
) -> Transition:
    """With what time alone brings: promises that passed, the line of the morning, the
    minutes of each cause; and without what a snooze keeps back. `earlier` is the
    incident as it was when it ended, of one that is open again.
    """
    after = transition.incident
    if after is None:
        return transition
    told = list(transition.announcements)
    changes = _accounts(before, after, now)
    if before is None and is_silenced:
        heard = [
            _quietly(one) for one in told if joins_silence and _is_to_engineers(one)
        ]
        told = [*heard, *(one for one in told if _passes_a_snooze(one))]
        changes |= {
            "causes": () if earlier is None else earlier.causes,
            "paged_for": () if earlier is None else earlier.paged_for,
            "paged_at": None if earlier is None else earlier.paged_at,
        }
        changes["told"] = tuple(one.audience for one in heard)
    if before is not None:
        brought, noted = _brought_by_time(before, after, told, now, morning)
        if is_silenced or _is_snoozed(before, now):
            told = [one for one in told if _passes_a_snooze(one)]
            changes |= _unsaid(before, after)
        else:
            if "promise" in noted:
                # That a promise was missed is the greater news.
                told = [_of_the_promise(one) for one in told]
            told += brought
            changes |= noted
    if any(one.audience is Recipient.STAKEHOLDERS for one in told):
        changes["stakeholders_told_at"] = now
    if told and after.resolved_at is None and "told_expected" not in changes:
        is_promise = after.human.promised_for is not None or not after.eta_missed
        expected = after.expected_at if is_promise else None
        is_to_come = expected is not None and expected > now
        changes["told_expected"] = expected if is_to_come else None
    if not changes:
        return Transition(incident=after, announcements=tuple(told))
    if after is before:
        changes["version"] = before.version + 1
    return Transition(
        incident=dataclasses.replace(after, **changes),  # type: ignore[arg-type]  # its fields, by name
        announcements=tuple(told),
    )


def _brought_by_time(
    before: Incident,
    after: Incident,
    told: Sequence[NoticeRequest],
    now: datetime,
    morning: datetime | None,
) -> tuple[list[NoticeRequest], dict[str, object]]:
    """Who hears of a promise that passed, or that it is late still; and what is noted
    of that.
    """
    is_open = after.resolved_at is None and after.well_since is None
    if not is_open or after.state not in _LATE or after.inhibited_by is not None:
        return [], {}
    heard = {one.audience for one in told}
    promised = before.human.promised_for is not None
    if _has_passed(before, now):
        # Whoever promised it hears of it, too.
        concerned = _union(after.told, {Recipient.ENGINEERS} if promised else ())
        noted: dict[str, object] = {
            "eta_missed": True,
            "told_expected": None,
            "told": concerned,
        }
        if promised:
            noted["promise"] = "missed"
        kind = NoticeKind.OVERDUE
        people = [who for who in concerned if who not in heard]
        return [NoticeRequest(kind=kind, audience=who) for who in people], noted
    stakeholders = Recipient.STAKEHOLDERS
    is_owed = stakeholders in after.told and stakeholders not in heard
    if is_owed and _is_morning(before, morning, now):
        return [NoticeRequest(kind=NoticeKind.DAILY, audience=stakeholders)], {}
    return [], {}


def _unsaid(before: Incident, after: Incident) -> dict[str, object]:
    """What a snooze keeps back is told once it is over: nobody has heard of it."""
    kept = ("told", "causes", "paged_for", "paged_at", "blind_since", "human")
    if after is before or after.resolved_at is not None:
        return {}
    return {name: getattr(before, name) for name in kept}


def _of_the_promise(one: NoticeRequest) -> NoticeRequest:
    is_change = one.kind is NoticeKind.CHANGED
    if is_change and one.audience is Recipient.STAKEHOLDERS:
        return dataclasses.replace(one, kind=NoticeKind.OVERDUE)
    return one


def _is_to_engineers(one: NoticeRequest) -> bool:
    return one.audience is Recipient.ENGINEERS


def _quietly(one: NoticeRequest) -> NoticeRequest:
    return dataclasses.replace(one, page=False)


def _passes_a_snooze(one: NoticeRequest) -> bool:
    return one.kind is NoticeKind.RESOLVED or one.audience is Recipient.SYSTEMS


def _has_passed(before: Incident, now: datetime) -> bool:
    return before.told_expected is not None and before.told_expected <= now


def _is_morning(before: Incident, morning: datetime | None, now: datetime) -> bool:
    """Once a day, and not right after another message."""
    told_at = before.stakeholders_told_at
    return (
        morning is not None
        and told_at is not None
        and told_at < morning <= now
        and now - told_at >= _DAY / 2
    )


def _is_snoozed(before: Incident, now: datetime) -> bool:
    until = before.human.snoozed_until
    return until is not None and now < until


def _accounts(
    before: Incident | None, after: Incident, now: datetime
) -> dict[str, object]:
    """The minutes of the cause that ended, and what kind of incident it is by now."""
    if before is None:
        return {} if after.cause_since is not None else {"cause_since": now}
    changes: dict[str, object] = {}
    if after.cause != before.cause or after.resolved_at is not None:
        changes["spent"] = before.spent_at(now)
        changes["cause_since"] = None if after.resolved_at is not None else now
    promised = after.human.promised_for
    if after.resolved_at is not None and promised is not None:
        if now > promised:
            changes["promise"] = "missed"
        elif after.ended_by is Ending.RECOVERED:
            changes["promise"] = "kept"
    return changes


def _kind(verdict: Verdict, before: str = "report") -> str:
    if verdict.state.late:
        kind = "late"
    elif verdict.state == "unknown":
        kind = "blind"
    elif verdict.cause in OF_CHECKS:
        kind = "quality"
    else:
        kind = "at_risk" if verdict.at_risk else "failure"
    return max(before, kind, key=_KINDS.index)


def _incident_id(verdict: Verdict, now: datetime) -> str:
    """Checks that fail are an incident of their own, beside lateness."""
    mark = "quality-" if verdict.cause in OF_CHECKS else ""
    return f"{verdict.dataset}-{mark}{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _opened(seen: _Seen) -> Transition:
    verdict, now = seen.verdict, seen.now
    if verdict.cause is None:
        return Transition(incident=None)
    told = tuple(sorted(Recipient(str(who)) for who in verdict.tell))
    fresh = Incident(
        incident_id=_incident_id(verdict, now),
        dataset=verdict.dataset,
        version=1,
        opened_at=now,
        told=told,
        **_said(seen),  # type: ignore[arg-type]  # the fields of a verdict, by name
    )
    late = verdict.state.late
    announcements = [
        NoticeRequest(
            kind=NoticeKind.OPENED,
            audience=who,
            page=verdict.page and who is Recipient.ENGINEERS,
        )
        for who in told
    ]
    announcements += _to_systems(NoticeKind.OPENED, verdict)
    incident = dataclasses.replace(
        fresh,
        kind=_kind(verdict),
        late_since=now if late else None,
        causes=(str(verdict.cause),),
        paged_for=_paged_for(verdict) if verdict.page else (),
        paged_at=now if verdict.page else None,
    )
    return Transition(incident=incident, announcements=tuple(announcements))


def _changed(before: Incident, seen: _Seen) -> Transition:
    verdict, now, has_news = seen.verdict, seen.now, seen.has_news
    cause = str(verdict.cause)
    late = verdict.state.late
    # A cause that comes back, as some do with every tick of a schedule, is no news.
    other_cause = cause not in before.causes
    words = {in_plain_words(code) for code in before.causes}
    is_new = cause not in before.paged_for and not _is_taken(before)
    pages = verdict.page and (has_news or is_new)
    wanted = {Recipient(str(who)) for who in verdict.tell}
    # What passes by itself asks nothing of anybody.
    lasts = cause not in PASSING
    asks = other_cause and lasts and Recipient.ENGINEERS in wanted
    becomes_late = late and before.late_since is None
    heard = {
        Recipient.ENGINEERS: pages or has_news or asks or becomes_late,
        # That a warning became an error changes nothing for those who wait.
        Recipient.STAKEHOLDERS: becomes_late
        or (lasts and in_plain_words(cause) not in words),
    }
    # Whoever heard of a report only, hears for the first time that it is late.
    known = () if becomes_late and before.kind in (REPORT, "failure") else before.told
    announcements = [
        NoticeRequest(
            kind=NoticeKind.CHANGED
            if who in (before.told if who is Recipient.ENGINEERS else known)
            else NoticeKind.OPENED,
            audience=who,
            page=pages and who is Recipient.ENGINEERS,
        )
        for who, news in heard.items()
        if (who in before.told and news) or (who in wanted and who not in before.told)
    ]
    if _is_reminder_due(before, seen) and not any(
        item.audience is Recipient.ENGINEERS for item in announcements
    ):
        announcements.append(
            NoticeRequest(kind=NoticeKind.REMINDER, audience=Recipient.ENGINEERS)
        )
    reminded = any(item.kind is NoticeKind.REMINDER for item in announcements)
    if (late and before.late_since is None) or (has_news and cause in OF_CHECKS):
        announcements += _to_systems(NoticeKind.OPENED, verdict)
    came_back = before.well_since is not None
    after = dataclasses.replace(
        before,
        **_said(seen),  # type: ignore[arg-type]  # the fields of a verdict, by name
        kind=_kind(verdict, before.kind),
        well_since=None,
        reopened_at=(*before.reopened_at, now) if came_back else before.reopened_at,
        late_since=before.late_since or (now if late else None),
        blind_since=None,
        causes=(*before.causes, cause) if other_cause else before.causes,
        paged_for=(*before.paged_for, *_paged_for(verdict))
        if pages
        else before.paged_for,
        paged_at=now if pages or reminded else before.paged_at,
        told=_union(before.told, wanted),
        human=_asked_again(before.human) if pages else before.human,
    )
    if not announcements and _is_same(before, after):
        return Transition(incident=before)
    return Transition(
        incident=dataclasses.replace(after, version=before.version + 1),
        announcements=tuple(announcements),
    )


def _paged_for(verdict: Verdict) -> tuple[str, ...]:
    """What a page of this verdict says: the cause, and what else was found with it.

    A cause may page for what stands behind it: the next pull would bring the rows, and
    the pipe is stopped. When that becomes the cause itself, it wakes nobody again.
    """
    return (str(verdict.cause), *verdict.also)


def _is_taken(before: Incident) -> bool:
    """Whether a person has acknowledged a page of it: no other cause pages then."""
    return before.human.acknowledged_at is not None and bool(before.paged_for)


def _asked_again(human: HumanSide) -> HumanSide:
    """Who acknowledged what had not paged has not acknowledged the page."""
    return dataclasses.replace(human, acknowledged_at=None, acknowledged_by=None)


def _is_reminder_due(before: Incident, seen: _Seen) -> bool:
    """A page is brought back to mind until somebody acknowledges it, and once after."""
    acknowledged_at, paged_at = before.human.acknowledged_at, before.paged_at
    if not seen.verdict.page or paged_at is None:
        return False
    if acknowledged_at is None:
        return seen.now - paged_at >= seen.repeat
    return paged_at <= acknowledged_at <= seen.now - seen.repeat


def _blind(before: Incident, seen: _Seen) -> Transition:
    """A late dataset that cannot be read stays late; engineers hear of it once."""
    verdict, now = seen.verdict, seen.now
    if before.blind_since is not None:
        if not _is_reminder_due(before, seen):
            return Transition(incident=before)
        reminded = dataclasses.replace(before, version=before.version + 1, paged_at=now)
        reminder = NoticeRequest(kind=NoticeKind.REMINDER, audience=Recipient.ENGINEERS)
        return Transition(incident=reminded, announcements=(reminder,))
    cause = str(verdict.cause)
    is_news = cause not in before.paged_for
    after = dataclasses.replace(
        before,
        version=before.version + 1,
        changed_at=now,
        blind_since=now,
        paged_for=(*before.paged_for, cause) if is_news else before.paged_for,
        paged_at=now if is_news else before.paged_at,
        told=_union(before.told, {Recipient.ENGINEERS}) if is_news else before.told,
    )
    announcement = NoticeRequest(
        kind=NoticeKind.BLIND, audience=Recipient.ENGINEERS, page=verdict.page
    )
    return Transition(incident=after, announcements=(announcement,) if is_news else ())


def _resolved(
    before: Incident, *, now: datetime, newest_at: datetime | None, ending: Ending
) -> Transition:
    after = dataclasses.replace(
        before,
        version=before.version + 1,
        changed_at=now,
        resolved_at=now,
        ended_by=ending,
        newest_at=newest_at,
        blind_since=None,
        well_since=None,
    )
    return Transition(incident=after, announcements=end_told(before))


def end_told(before: Incident) -> tuple[NoticeRequest, ...]:
    """Whoever was told of an incident hears of its end."""
    told_by_kind = before.kind in ("at_risk", "quality")
    is_on_the_bus = before.late_since is not None or told_by_kind
    audiences = [*before.told, *([Recipient.SYSTEMS] if is_on_the_bus else [])]
    return tuple(
        NoticeRequest(kind=NoticeKind.RESOLVED, audience=who) for who in audiences
    )


def _said(seen: _Seen) -> dict[str, object]:
    verdict = seen.verdict
    return {
        "changed_at": seen.now,
        "state": str(verdict.state),
        "cause": verdict.cause,
        "stage": None if verdict.stage is None else str(verdict.stage),
        "page": verdict.page,
        "headline": verdict.headline,
        "evidence": tuple(verdict.evidence),
        "next_step": verdict.next_step,
        "also": verdict.also,
        "eta": verdict.eta,
        "next_look": verdict.next_look,
        "late_at": verdict.late_at,
        "newest_at": seen.newest_at,
    }


def _is_same(before: Incident, after: Incident) -> bool:
    """Whether nothing changed but the figures in sentences, which grow alone."""
    grown = {
        "changed_at": before.changed_at,
        "headline": before.headline,
        "evidence": before.evidence,
    }
    return dataclasses.replace(after, **grown) == before  # type: ignore[arg-type]  # three fields, by name


def _union(
    told: tuple[Recipient, ...], more: Iterable[Recipient]
) -> tuple[Recipient, ...]:
    return tuple(sorted({*told, *more}))


def retired(
    incident: Incident, *, now: datetime, ending: Ending = Ending.REMOVED
) -> Transition:
    """The incident of a dataset that exists no more, or promises nothing: over."""
    over = _resolved(incident, now=now, newest_at=incident.newest_at, ending=ending)
    return _timed(incident, over, now=now, morning=None)


def in_plain_words(cause: str | None) -> str:
    """Why, for people who only use the data; a cause nobody knows is said so."""
    code = cause or "unknown"
    if code in OF_CHECKS or code in OF_MODELS:
        return OF_CHECKS.get(code) or OF_MODELS[code]
    if code in OF_LOADS:
        return OF_LOADS[code]
    rule = BY_CODE.get(code)
    return rule.plain if rule is not None else BY_CODE["unknown"].plain
