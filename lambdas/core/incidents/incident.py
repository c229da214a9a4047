"""The life of an incident: opened, changed, resolved, and who hears of each.

::

    verdict with a cause ──> open ──worse / other cause / page turns true──> told again
                              │ └──nothing that was not said before──> silence
                              └──pass──> resolved: whoever was told hears of it

Two things are not a recovery: not being able to look, and quiet time over data that
are as old as before. One incident is open for a dataset at any time, and no cause
pages twice in it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from lambdas.core.diagnosis.causes import BY_CODE
from lambdas.core.diagnosis.verdict import Verdict

REPEAT = timedelta(hours=24)
"""How often a page that nobody acknowledged is brought back to mind."""

_SEVERITY = {"pass": 0, "unknown": 1, "warn": 2, "error": 3}
_LATE = ("warn", "error")


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
    RESOLVED = "resolved"
    PROMISED = "promised"
    REPAIRED = "repaired"
    """What was wrong mended itself: no incident, told once."""


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
) -> Transition:
    """The incident after `verdict`, and who is told what.

    `still_old` says of a verdict `pass` that only quiet time makes it so, `has_news`
    that there is more to tell than before, under the same cause. `before` is the open
    incident; one that is resolved counts as none.

    With `inhibited_by`, the incident is kept and people hear nothing new of it: they
    hear of the dataset that it is made from. `dependents` are those of which people
    hear with this one; one more is news, and wakes nobody.
    """
    if before is not None and before.resolved_at is not None:
        before = None
    late = verdict.state.late
    if late and inhibited_by is not None:
        return _inhibited(
            before, verdict, by=inhibited_by, now=now, newest_at=newest_at
        )
    if late and before is not None and _is_told_of_otherwise(before, dependents):
        return _with_dependents(
            before,
            verdict,
            tuple(dependents),
            now=now,
            newest_at=newest_at,
            repeat=repeat,
        )
    after = _next(
        before,
        verdict,
        now=now,
        newest_at=newest_at,
        still_old=still_old,
        has_news=has_news,
        repeat=repeat,
    )
    if before is None and after.incident is not None and dependents:
        with_them = dataclasses.replace(after.incident, dependents=tuple(dependents))
        return dataclasses.replace(after, incident=with_them)
    return after


def _next(
    before: Incident | None,
    verdict: Verdict,
    *,
    now: datetime,
    newest_at: datetime | None,
    still_old: bool = False,
    has_news: bool = False,
    repeat: timedelta = REPEAT,
) -> Transition:
    """As `advance`, of a dataset for itself."""
    if before is None:
        return _opened(verdict, now=now, newest_at=newest_at)
    match str(verdict.state):
        case "pass" if still_old:
            return Transition(incident=before)
        case "pass" if before.state != "pass" or verdict.cause is None:
            return _resolved(before, now=now, newest_at=newest_at)
        case "unknown" if before.state in _LATE:
            return _blind(before, verdict, now=now)
        case _:
            return _changed(
                before,
                verdict,
                now=now,
                newest_at=newest_at,
                has_news=has_news,
                repeat=repeat,
            )


def _is_told_of_otherwise(before: Incident, dependents: Sequence[str]) -> bool:
    """Whether it was another's echo, or others are its own now."""
    return before.inhibited_by is not None or set(dependents) != set(before.dependents)


def _inhibited(
    before: Incident | None,
    verdict: Verdict,
    *,
    by: str,
    now: datetime,
    newest_at: datetime | None,
) -> Transition:
    """The incident goes on, and only systems hear of it."""
    quiet = dataclasses.replace(verdict, page=False, tell=frozenset())
    after = _next(before, quiet, now=now, newest_at=newest_at)
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


def _with_dependents(
    before: Incident,
    verdict: Verdict,
    dependents: tuple[str, ...],
    *,
    now: datetime,
    newest_at: datetime | None,
    repeat: timedelta,
) -> Transition:
    """An incident that is its own again, or with which others are told of now."""
    alike = dataclasses.replace(
        before,
        inhibited_by=None,
        dependents=dependents,
        # what changed silently was told to nobody
        causes=() if before.inhibited_by and not before.told else before.causes,
    )
    after = _changed(
        alike,
        verdict,
        now=now,
        newest_at=newest_at,
        has_news=False,
        repeat=repeat,
    )
    incident = after.incident or alike
    announcements = list(after.announcements)
    if set(dependents) - set(before.dependents):
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


def _opened(
    verdict: Verdict, *, now: datetime, newest_at: datetime | None
) -> Transition:
    if verdict.cause is None:
        return Transition(incident=None)
    told = tuple(sorted(Recipient(str(who)) for who in verdict.tell))
    fresh = Incident(
        incident_id=f"{verdict.dataset}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        dataset=verdict.dataset,
        version=1,
        opened_at=now,
        told=told,
        **_said(verdict, now=now, newest_at=newest_at),  # type: ignore[arg-type]  # the fields of a verdict, by name
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
    if late:
        announcements.append(
            NoticeRequest(kind=NoticeKind.OPENED, audience=Recipient.SYSTEMS)
        )
    incident = dataclasses.replace(
        fresh,
        late_since=now if late else None,
        causes=(str(verdict.cause),),
        paged_for=_paged_for(verdict) if verdict.page else (),
        paged_at=now if verdict.page else None,
    )
    return Transition(incident=incident, announcements=tuple(announcements))


def _changed(
    before: Incident,
    verdict: Verdict,
    *,
    now: datetime,
    newest_at: datetime | None,
    has_news: bool,
    repeat: timedelta,
) -> Transition:
    cause = str(verdict.cause)
    late = verdict.state.late
    worse = _SEVERITY[verdict.state] > _SEVERITY[before.state]
    # A cause that comes back, as some do with every tick of a schedule, is no news.
    other_cause = cause not in before.causes
    words = {in_plain_words(code) for code in before.causes}
    pages = verdict.page and (has_news or cause not in before.paged_for)
    wanted = {Recipient(str(who)) for who in verdict.tell}
    heard = {
        Recipient.ENGINEERS: worse or other_cause or pages or has_news,
        Recipient.STAKEHOLDERS: worse or in_plain_words(cause) not in words,
    }
    announcements = [
        NoticeRequest(
            kind=NoticeKind.CHANGED if who in before.told else NoticeKind.OPENED,
            audience=who,
            page=pages and who is Recipient.ENGINEERS,
        )
        for who, news in heard.items()
        if (who in before.told and news) or (who in wanted and who not in before.told)
    ]
    if _is_reminder_due(before, verdict, now=now, repeat=repeat) and not any(
        item.audience is Recipient.ENGINEERS for item in announcements
    ):
        announcements.append(
            NoticeRequest(kind=NoticeKind.REMINDER, audience=Recipient.ENGINEERS)
        )
    reminded = any(item.kind is NoticeKind.REMINDER for item in announcements)
    if late and before.late_since is None:
        announcements.append(
            NoticeRequest(kind=NoticeKind.OPENED, audience=Recipient.SYSTEMS)
        )
    after = dataclasses.replace(
        before,
        **_said(verdict, now=now, newest_at=newest_at),  # type: ignore[arg-type]  # the fields of a verdict, by name
        late_since=before.late_since or (now if late else None),
        blind_since=None,
        causes=(*before.causes, cause) if other_cause else before.causes,
        paged_for=(*before.paged_for, *_paged_for(verdict))
        if pages
        else before.paged_for,
        paged_at=now if pages or reminded else before.paged_at,
        told=_union(before.told, wanted),
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


def _is_reminder_due(
    before: Incident, verdict: Verdict, *, now: datetime, repeat: timedelta
) -> bool:
    return (
        verdict.page
        and before.paged_at is not None
        and before.human.acknowledged_at is None
        and now - before.paged_at >= repeat
    )


def _blind(before: Incident, verdict: Verdict, *, now: datetime) -> Transition:
    """A late dataset cannot be read: it stays late, and engineers hear of it once."""
    if before.blind_since is not None:
        return Transition(incident=before)
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
    before: Incident, *, now: datetime, newest_at: datetime | None
) -> Transition:
    after = dataclasses.replace(
        before,
        version=before.version + 1,
        changed_at=now,
        resolved_at=now,
        newest_at=newest_at,
        blind_since=None,
    )
    audiences = list(before.told)
    if before.late_since is not None:
        audiences.append(Recipient.SYSTEMS)
    return Transition(
        incident=after,
        announcements=tuple(
            NoticeRequest(kind=NoticeKind.RESOLVED, audience=who) for who in audiences
        ),
    )


def _said(
    verdict: Verdict, *, now: datetime, newest_at: datetime | None
) -> dict[str, object]:
    return {
        "changed_at": now,
        "state": str(verdict.state),
        "cause": verdict.cause,
        "stage": None if verdict.stage is None else str(verdict.stage),
        "page": verdict.page,
        "headline": verdict.headline,
        "evidence": tuple(verdict.evidence),
        "next_step": verdict.next_step,
        "also": verdict.also,
        "eta": verdict.eta,
        "newest_at": newest_at,
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


def waking_nobody(transition: Transition) -> Transition:
    """The same, told without a page: somebody was woken for it already."""
    return dataclasses.replace(
        transition,
        announcements=tuple(
            dataclasses.replace(one, page=False) for one in transition.announcements
        ),
    )


def retired(incident: Incident, *, now: datetime) -> Incident:
    """The incident of a dataset that exists no more: over, and nobody is told."""
    return dataclasses.replace(
        incident, version=incident.version + 1, changed_at=now, resolved_at=now
    )


def in_plain_words(cause: str | None) -> str:
    """Why, for people who only use the data; a cause nobody knows is said so."""
    rule = BY_CODE.get(cause or "unknown")
    return rule.plain if rule is not None else BY_CODE["unknown"].plain
