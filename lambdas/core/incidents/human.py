"""What people add to an incident, and who hears of it.

A promised time is an adjusted promise to whoever uses the data: they are told. An
incident that is closed by hand is told to whoever knew of it; if the data are still
late, the next check opens another.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from lambdas.core.diagnosis.assessment import State
from lambdas.core.diagnosis.causes import BY_CODE
from lambdas.core.diagnosis.causes.rule import Stage
from lambdas.core.diagnosis.verdict import Verdict
from lambdas.core.errors import BadInput
from lambdas.core.freshness.watch import Watch
from lambdas.core.incidents.context import IncidentContext
from lambdas.core.incidents.incident import (
    ACTIONS_KEPT,
    REPORT,
    Ending,
    HumanAction,
    HumanSide,
    Incident,
    NoticeKind,
    NoticeRequest,
    Recipient,
    Transition,
    end_told,
)
from lambdas.core.incidents.message import local_time
from lambdas.core.names import is_ours
from lambdas.core.text.count import counted

REPORTERS = 20
"""So many who reported one thing hear of its end by themselves."""


class Action(StrEnum):
    """What a person can do about an incident; the values are the buttons' ids."""

    ACKNOWLEDGE = "acknowledge"
    PROMISE = "promise"
    SNOOZE = "snooze"
    CAUSE = "cause"
    FALSE_ALARM = "false_alarm"
    RESOLVE = "resolve"
    PULL = "pull"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a person does to an incident. None, or False, leaves it as it is.

    `key` names the click or the command: with a key that the incident knows, nothing
    happens. `words` are what stakeholders read about the promised time.
    """

    by: str
    key: str | None = None
    acknowledge: bool = False
    promised_for: datetime | None = None
    words: str | None = None
    cause: str | None = None
    note: str | None = None
    fix_url: str | None = None
    resolve: bool = False
    false_alarm: bool = False
    snooze_until: datetime | None = None
    pull: bool = False
    """A pull was asked for."""
    is_of_many: bool = False
    """The same click does the same to other incidents."""

    @property
    def closes(self) -> bool:
        """Whether the incident is over with it."""
        return self.resolve or self.false_alarm


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonReport:
    """That something looks wrong with a dataset, in a person's words; `evidence` is how
    things stood then. `user` is the person's id in Slack, if it was said there.
    """

    dataset: str
    by: str
    words: str
    key: str
    evidence: tuple[str, ...] = ()
    user: str | None = None


def as_seen(watch: Watch | None, subject: IncidentContext) -> tuple[str, ...]:
    """How a dataset stood at the last check, for a report."""
    if watch is None:
        return ("no check has seen it yet",)
    loaded, newest = watch.newest_loaded_at, watch.newest_at
    at = local_time(watch.checked_at, subject.timezone)
    found = [
        f"checked {at}: {watch.state}" + (f" ({watch.cause})" if watch.cause else ""),
        f"newest data {local_time(newest, subject.timezone)}" if newest else "",
        f"last load {local_time(loaded, subject.timezone)}" if loaded else "",
        counted(watch.row_count, "row") if watch.row_count is not None else "",
    ]
    return tuple(filter(None, found))


def reported(
    before: Incident | None, report: PersonReport, *, now: datetime
) -> Transition:
    """The dataset's open incident with what was reported, or one of its own.

    A report is said to engineers and stakeholders, and only a person ends it.
    """
    said = f"{report.by} reports: {report.words}"
    if before is not None and report.key in _known_keys(before):
        return Transition(incident=before)
    incident = before or _of_a_report(report, said, now)
    done = HumanAction(
        at=now, by=report.by, said=f"reported: {report.words}", key=report.key
    )
    human = dataclasses.replace(
        incident.human,
        note="\n".join(filter(None, [incident.human.note, said])),
        actions=(*incident.human.actions, done)[-ACTIONS_KEPT:],
        reporters=_union_of(incident.human.reporters, report.user),
    )
    people = (Recipient.ENGINEERS, Recipient.STAKEHOLDERS)
    return Transition(
        incident=dataclasses.replace(
            incident,
            version=1 if before is None else before.version + 1,
            told=tuple(sorted({*incident.told, *people})),
            human=human,
        ),
        announcements=tuple(
            NoticeRequest(kind=NoticeKind.REPORTED, audience=who, news=said)
            for who in people
        ),
    )


def _union_of(known: tuple[str, ...], user: str | None) -> tuple[str, ...]:
    is_new = user is not None and user not in known and len(known) < REPORTERS
    return (*known, user) if is_new and user is not None else known


def _of_a_report(report: PersonReport, said: str, now: datetime) -> Incident:
    return Incident(
        incident_id=f"{report.dataset}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        dataset=report.dataset,
        version=1,
        opened_at=now,
        changed_at=now,
        kind=REPORT,
        state="unknown",
        cause=None,
        stage=None,
        page=False,
        headline=f"{report.dataset}: {said}",
        evidence=report.evidence,
        next_step=f"`catflap diagnose {report.dataset}`, and answer who reported it; "
        "only you end it, in Slack or by `catflap incident ID --resolve`",
        also=(),
        eta=None,
    )


OF_MANY = (Action.ACKNOWLEDGE, Action.PROMISE, Action.SNOOZE, Action.CAUSE)
"""What can be done about all incidents of one message at once."""


def possible(incident: Incident) -> tuple[str, ...]:
    """What can still be done about it."""
    if incident.resolved_at is not None:
        return (Action.CAUSE,)
    actions = list(Action)
    if incident.human.acknowledged_at is not None:
        actions.remove(Action.ACKNOWLEDGE)
    if is_ours(incident.dataset):
        actions.remove(Action.PULL)
    return tuple(actions)


def changed_by_hand(before: Incident, change: Change, *, now: datetime) -> Transition:
    """The incident after `change`, and who is told.

    Raises BadInput if the change says nothing that can be true.
    """
    if change.key is not None and change.key in _known_keys(before):
        return Transition(incident=before)
    _refuse(before, change, now)
    human = _human_after(before.human, change, now)
    if human == before.human and not change.pull:
        return Transition(incident=before)
    said = _said(before.human, human, change)
    done = HumanAction(at=now, by=change.by, said=said, key=change.key)
    human = dataclasses.replace(human, actions=(*human.actions, done)[-ACTIONS_KEPT:])
    announcements = _announced(before, human, change, said)
    is_promise = any(one.kind is NoticeKind.PROMISED for one in announcements)
    after = dataclasses.replace(
        before,
        version=before.version + 1,
        changed_at=now if is_promise or change.closes else before.changed_at,
        told=tuple(sorted({*before.told, Recipient.STAKEHOLDERS}))
        if is_promise
        else before.told,
        human=human,
    )
    if human.promised_for != before.human.promised_for:
        after = dataclasses.replace(
            after,
            told_expected=human.promised_for,
            promise=None,
            stakeholders_told_at=now if is_promise else after.stakeholders_told_at,
        )
    if change.closes:
        after = dataclasses.replace(
            after,
            resolved_at=now,
            ended_by=Ending.FALSE_ALARM if change.false_alarm else Ending.CLOSED,
            spent=before.spent_at(now),
            cause_since=None,
        )
    return Transition(incident=after, announcements=announcements)


def _known_keys(incident: Incident) -> set[str | None]:
    return {action.key for action in incident.human.actions}


def _human_after(before: HumanSide, change: Change, now: datetime) -> HumanSide:
    human = before
    if change.acknowledge and human.acknowledged_at is None:
        human = dataclasses.replace(
            human, acknowledged_at=now, acknowledged_by=change.by
        )
    promises = change.promised_for is not None
    return dataclasses.replace(
        human,
        promised_for=change.promised_for or human.promised_for,
        promised_by=change.by if promises else human.promised_by,
        promise_words=change.words if promises else human.promise_words,
        cause=change.cause or human.cause,
        # A colleague's note stays.
        note="\n".join(filter(None, [human.note, change.note])) or None,
        fix_url=change.fix_url or human.fix_url,
        resolved_by=change.by if change.closes else human.resolved_by,
        false_alarm=change.false_alarm or human.false_alarm,
        snoozed_until=change.snooze_until or human.snoozed_until,
    )


def _announced(
    before: Incident, human: HumanSide, change: Change, said: str
) -> tuple[NoticeRequest, ...]:
    """Stakeholders hear of a promised time, everybody of an end, and engineers see the
    rest where the incident is shown.
    """
    if change.closes:
        return end_told(before)
    stakeholders, engineers = Recipient.STAKEHOLDERS, Recipient.ENGINEERS
    together = change.key or "" if change.is_of_many else ""
    edited = [
        NoticeRequest(
            kind=NoticeKind.EDITED, audience=engineers, news=said, together=together
        )
    ]
    is_promised = human.promised_for != before.human.promised_for
    promised = [
        NoticeRequest(
            kind=NoticeKind.PROMISED,
            audience=stakeholders,
            news=change.words or "",
            together=together,
        )
    ]
    return (
        *(promised if is_promised and before.late_since is not None else []),
        *(edited if engineers in before.told else []),
    )


def _said(before: HumanSide, after: HumanSide, change: Change) -> str:
    """What was done, for the thread and the timeline."""
    promised, snoozed = after.promised_for, after.snoozed_until
    parts = [
        "acknowledged" if after.acknowledged_at != before.acknowledged_at else "",
        f"expected by {local_time(promised, 'UTC')}"
        if promised is not None and promised != before.promised_for
        else "",
        f"snoozed until {local_time(snoozed, 'UTC')}"
        if snoozed is not None and snoozed != before.snoozed_until
        else "",
        f"cause: {after.cause}" if after.cause != before.cause else "",
        f"fix: {after.fix_url}" if after.fix_url != before.fix_url else "",
        "called a false alarm" if change.false_alarm else "",
        "closed" if change.resolve else "",
        "asked for a pull" if change.pull else "",
        f"note: {change.note}" if change.note else "",
    ]
    return f"{change.by}: {', '.join(filter(None, parts))}"


def said_by(incident: Incident) -> Verdict:
    """The verdict that an incident holds, for messages about it."""
    stage = None if incident.stage is None else Stage(incident.stage)
    return Verdict(
        dataset=incident.dataset,
        state=State(incident.state),
        cause=incident.cause,
        stage=stage,
        page=False,
        tell=frozenset(),
        headline=incident.headline,
        evidence=incident.evidence,
        next_step=incident.next_step,
        also=incident.also,
        eta=incident.eta,
    )


def _refuse(before: Incident, change: Change, now: datetime) -> None:
    if change.promised_for is not None and change.promised_for <= now:
        raise BadInput(
            f"{change.promised_for.isoformat()} is over; a time to come is accepted"
        )
    if change.cause is not None and change.cause not in BY_CODE:
        raise BadInput(
            f"{change.cause!r} is not a cause; accepted: {', '.join(sorted(BY_CODE))}"
        )
    if change.fix_url is not None and not change.fix_url.startswith(
        ("https://", "http://")
    ):
        raise BadInput(f"{change.fix_url!r} is not a web address; accepted: https://…")
    if change.snooze_until is not None and change.snooze_until <= now:
        raise BadInput(
            f"{change.snooze_until.isoformat()} is over; a time to come is accepted"
        )
    is_for_open = (
        change.acknowledge
        or change.resolve
        or change.false_alarm
        or change.snooze_until
        or change.promised_for
    )
    if before.resolved_at is not None and is_for_open:
        raise BadInput(
            f"incident {before.incident_id} is over since "
            f"{before.resolved_at.isoformat()}; a cause, a note or a fix can still be "
            "added to it"
        )
