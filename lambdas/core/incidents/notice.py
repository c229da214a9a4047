"""Notices: one for each audience and channel, made with the incident's change.

They stand in an outbox until they are delivered. What a notice says is decided when it
is made; how a channel shapes it, when it is delivered.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lambdas.core.diagnosis.verdict import Verdict
from lambdas.core.events import (
    AtRiskEvent,
    CheckFailedEvent,
    ClosedEvent,
    IncidentEvent,
    LateEvent,
    RecoveredEvent,
)
from lambdas.core.freshness.assess import Limits
from lambdas.core.incidents.channels import Routes, is_by_owner, is_told
from lambdas.core.incidents.context import IncidentContext
from lambdas.core.incidents.document import document, state_of
from lambdas.core.incidents.human import possible
from lambdas.core.incidents.incident import (
    NOTICES_KEPT,
    Ending,
    Incident,
    NoticeKind,
    NoticeRequest,
    Recipient,
    SentNotice,
    Transition,
)
from lambdas.core.incidents.message import Message
from lambdas.core.incidents.texts import (
    engineers_message,
    one_line,
    stakeholders_message,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message to one audience by one channel.

    `notice_id` follows from the incident and its version: recorded again it is the
    same one, and delivered again a reader can tell. For systems, `event` is the
    detail-type and `detail` the detail; `message` is then for nobody. `shared` is what
    datasets with the same cause may have in common, such as an API; `state` and
    `newest_at` tell which of them is worse.
    """

    notice_id: str
    incident_id: str
    dataset: str
    kind: NoticeKind
    audience: Recipient
    channel: str
    page: bool
    cause: str | None
    created_at: datetime
    message: Message
    event: str | None = None
    detail: Mapping[str, Any] | None = None
    shared: str | None = None
    state: str = ""
    newest_at: datetime | None = None
    line: str = ""
    """The notice in a line, where others stand beside it in one message."""
    ended_by: str = ""
    news: str = ""
    """What is new since the last notice, in a sentence; absent = the headline."""
    together: str = ""
    """The click of which others say the same."""
    address: str | None = None
    """The owner's channel in Slack, for this audience."""
    copy_of: str | None = None
    """Of a copy for others: where the owner's own stands; empty = the default channel.
    A channel that has one place for all needs no copy."""
    mention: str | None = None
    """Who is mentioned, as the owner is declared; only of a page."""
    team: str = ""
    acknowledged_by: str = ""
    has_paged: bool = True
    """Whether the incident paged by this channel before, as far as is known."""
    actions: tuple[str, ...] = ()
    """What its readers can do about it, by the names of `Action`."""


COPIES = 20
"""Channels that hear of an incident beside the owner's; a change of an incident and all
its notices are one transaction, of 100 items at most (DynamoDB)."""
_NAMED = 3
_AFTER_THE_NEWS = frozenset({NoticeKind.PROMISED, NoticeKind.RESOLVED})
"""What is for those who have heard of it."""
_OF_THE_API = frozenset({"upstream_down", "credentials_rejected", "quota_exhausted"})
"""Causes that datasets of one API have in common, and those of another do not."""


def notices(
    transition: Transition,
    verdict: Verdict,
    *,
    subject: IncidentContext,
    routes: Routes,
    now: datetime,
) -> tuple[Notice, ...]:
    """The notices of a transition, one for each channel of each audience told."""
    incident = transition.incident
    if incident is None:
        return ()
    made = []
    for announcement in transition.announcements:
        # Once for all channels: thousands of notices may be made in one check.
        message = _message(announcement, incident, verdict, subject)
        made += [
            _notice(
                announcement,
                incident,
                message,
                subject=subject,
                channel=channel,
                now=now,
            )
            for channel in routes.get(announcement.audience, ())
            if is_told(channel, announcement.kind, page=announcement.page)
        ]
    of_owners = [
        one
        for one in made
        if one.audience is Recipient.STAKEHOLDERS and is_by_owner(one.channel)
    ]
    copies = [
        copy
        for one in of_owners
        for copy in (
            *_to_reporters(one, incident),
            *_to_models(one, incident, verdict, subject),
        )
    ]
    return (*made, *copies)


def _to_reporters(one: Notice, incident: Incident) -> Iterator[Notice]:
    """Whoever reported something hears of its end, wherever others read of it."""
    if one.kind is NoticeKind.RESOLVED:
        for user in incident.human.reporters:
            yield _copy(one, user)


def _to_models(
    one: Notice, incident: Incident, verdict: Verdict, subject: IncidentContext
) -> Iterator[Notice]:
    """Stakeholders of models that are late with it hear of it in their own channel,
    each channel once, and of the end if they have heard of it.
    """
    if one.kind in _AFTER_THE_NEWS:
        for address in incident.copied_to:
            yield _copy(one, address)
        return
    if one.kind is NoticeKind.REPORTED:
        return
    others = {at: names for at, names in subject.models_at.items() if at != one.address}
    room = COPIES - len(incident.copied_to)
    new = [at for at in others if at not in incident.copied_to][: max(0, room)]
    first = NoticeRequest(kind=NoticeKind.OPENED, audience=Recipient.STAKEHOLDERS)
    for address, names in others.items():
        if address in incident.copied_to:
            yield _with_models(_copy(one, address), names)
        elif address in new:
            message = _message(first, incident, verdict, subject)
            told = dataclasses.replace(one, kind=first.kind, message=message)
            yield _with_models(_copy(told, address), names)


def _copy(one: Notice, address: str) -> Notice:
    return dataclasses.replace(
        one,
        notice_id=f"{one.notice_id}.{address.lstrip('#')}",
        address=address,
        copy_of=one.address or "",
    )


def _with_models(one: Notice, names: Sequence[str]) -> Notice:
    """Readers know the models' names, and not those of what they are made from."""
    shown = ", ".join(names[:_NAMED])
    more = len(names) - _NAMED
    shown += f" and {more} more" if more > 0 else ""
    headline = f"{one.message.headline}, and with it {shown}"
    message = dataclasses.replace(one.message, headline=headline)
    return dataclasses.replace(one, message=message, line=f"{one.line}; {shown}")


def _message(
    announcement: NoticeRequest,
    incident: Incident,
    verdict: Verdict,
    subject: IncidentContext,
) -> Message:
    kind = announcement.kind
    match announcement.audience:
        case Recipient.ENGINEERS:
            page = announcement.page
            return engineers_message(kind, incident, verdict, subject, page=page)
        case Recipient.STAKEHOLDERS:
            return stakeholders_message(kind, incident, subject)
        case Recipient.SYSTEMS:
            event = _event_type(incident).detail_type
            return Message(headline=f"{event} {incident.dataset}")


def _notice(
    announcement: NoticeRequest,
    incident: Incident,
    message: Message,
    *,
    subject: IncidentContext,
    channel: str,
    now: datetime,
) -> Notice:
    audience, kind = announcement.audience, announcement.kind
    stem = f"{incident.incident_id}.{incident.version}.{audience.value}"
    event = None
    detail = None
    if audience is Recipient.SYSTEMS:
        published = _event(incident, stem, now)
        event, detail = published.detail_type, published.detail()
    return Notice(
        notice_id=f"{stem}.{channel}",
        incident_id=incident.incident_id,
        dataset=incident.dataset,
        kind=kind,
        audience=audience,
        channel=channel,
        page=announcement.page,
        cause=incident.cause,
        created_at=now,
        message=message,
        event=event,
        detail=detail,
        shared=subject.api if incident.cause in _OF_THE_API else None,
        state=incident.state,
        newest_at=incident.newest_at,
        line=one_line(audience, incident, subject),
        ended_by=incident.ended_by or "",
        news=announcement.news,
        together=announcement.together,
        address=_address(announcement, incident, subject),
        mention=subject.mention if announcement.page else None,
        team=subject.team,
        acknowledged_by=incident.human.acknowledged_by or "",
        has_paged=_has_paged(announcement, incident, channel),
        actions=possible(incident) if audience is Recipient.ENGINEERS else (),
    )


def _address(
    announcement: NoticeRequest, incident: Incident, subject: IncidentContext
) -> str | None:
    """Where the owner is told. An end is for whoever heard the rest, though the owner
    be another by now, or the dataset be gone.
    """
    told_at = incident.told_at(announcement.audience)
    owner_at = subject.address_of(announcement.audience)
    if announcement.kind is NoticeKind.RESOLVED:
        return told_at or owner_at
    return owner_at or told_at


def _has_paged(announcement: NoticeRequest, incident: Incident, channel: str) -> bool:
    """Whether it paged before; its notices remember only the newest of them."""
    if not announcement.page and incident.paged_at is not None:
        return True
    return any(one.page and one.channel == channel for one in incident.notices)


def _event_type(incident: Incident) -> type[IncidentEvent]:
    """What became of the data; only what is well again has recovered."""
    if incident.resolved_at is not None:
        well = incident.ended_by is Ending.RECOVERED
        return RecoveredEvent if well else ClosedEvent
    if incident.kind == "quality":
        return CheckFailedEvent
    return LateEvent if incident.late_since is not None else AtRiskEvent


def _event(incident: Incident, event_id: str, now: datetime) -> IncidentEvent:
    known: dict[str, Any] = {
        **document(incident, now=now),
        "id": event_id,
        "dataset": incident.dataset,
        "incident": incident.incident_id,
        "state": state_of(incident),
        "stage": incident.stage,
        "late_since": _iso(incident.late_since),
        "newest_at": _iso(incident.newest_at),
        "expected_at": _iso(incident.expected_at),
    }
    kind = _event_type(incident)
    if kind is CheckFailedEvent:
        known["checks"] = [*incident.evidence]
    return kind(**known)


def with_notices(incident: Incident, made: Sequence[Notice]) -> Incident:
    """The incident, remembering what was told of it, and which channels had copies."""
    copied = [
        one.address
        for one in made
        if one.copy_of is not None
        and one.address
        and one.kind is not NoticeKind.RESOLVED
    ]
    sent = tuple(
        SentNotice(
            at=one.created_at,
            audience=one.audience.value,
            channel=one.channel,
            kind=one.kind.value,
            page=one.page,
            address=one.address,
        )
        for one in made
        if one.copy_of is None
    )
    return dataclasses.replace(
        incident,
        notices=(*incident.notices, *sent)[-NOTICES_KEPT:],
        copied_to=tuple(dict.fromkeys((*incident.copied_to, *copied))),
    )


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


CHECKS_TO_DELIVER = 2
"""A notice that waits for longer than so many checks is a problem of its own."""


def overdue(
    waiting: Sequence[Notice], limits: Limits, *, now: datetime
) -> Sequence[Notice]:
    """Notices that wait for longer than a check or two takes to deliver them."""
    patience = CHECKS_TO_DELIVER * limits.check_every
    return [notice for notice in waiting if now - notice.created_at > patience]
