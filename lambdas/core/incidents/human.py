"""What people add to an incident, and who hears of it.

A promised time is an adjusted promise to whoever uses the data: they are told. An
incident that is closed by hand is told to whoever knew of it; if the data are still
late, the next check opens another.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime

from lambdas.core.diagnosis.assessment import State
from lambdas.core.diagnosis.causes import BY_CODE
from lambdas.core.diagnosis.causes.rule import Stage
from lambdas.core.diagnosis.verdict import Verdict
from lambdas.core.errors import BadInput
from lambdas.core.incidents.incident import (
    Ending,
    Incident,
    NoticeKind,
    NoticeRequest,
    Recipient,
    Transition,
    end_told,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a person does to an incident. None, or False, leaves it as it is."""

    by: str
    acknowledge: bool = False
    promised_for: datetime | None = None
    cause: str | None = None
    note: str | None = None
    fix_url: str | None = None
    resolve: bool = False
    false_alarm: bool = False
    snooze_until: datetime | None = None


def changed_by_hand(before: Incident, change: Change, *, now: datetime) -> Transition:
    """The incident after `change`, and who is told.

    Raises BadInput if the change says nothing that can be true.
    """
    _refuse(before, change, now)
    human, closes = before.human, change.resolve or change.false_alarm
    if change.acknowledge and human.acknowledged_at is None:
        human = dataclasses.replace(
            human, acknowledged_at=now, acknowledged_by=change.by
        )
    human = dataclasses.replace(
        human,
        promised_for=change.promised_for or human.promised_for,
        cause=change.cause or human.cause,
        # A colleague's note stays.
        note="\n".join(filter(None, [human.note, change.note])) or None,
        fix_url=change.fix_url or human.fix_url,
        resolved_by=change.by if closes else human.resolved_by,
        false_alarm=change.false_alarm or human.false_alarm,
        snoozed_until=change.snooze_until or human.snoozed_until,
        promised_by=change.by if change.promised_for else human.promised_by,
    )
    if human == before.human:
        return Transition(incident=before)
    told = before.told
    announcements: list[NoticeRequest] = []
    if closes:
        announcements = [*end_told(before)]
    elif (
        human.promised_for != before.human.promised_for
        and before.late_since is not None
    ):
        stakeholders = Recipient.STAKEHOLDERS
        announcements = [NoticeRequest(kind=NoticeKind.PROMISED, audience=stakeholders)]
        told = tuple(sorted({*told, stakeholders}))
    after = dataclasses.replace(
        before,
        version=before.version + 1,
        changed_at=now if announcements else before.changed_at,
        told=told,
        human=human,
    )
    if human.promised_for != before.human.promised_for:
        after = dataclasses.replace(
            after, told_expected=human.promised_for, promise=None
        )
    if closes:
        after = dataclasses.replace(
            after,
            resolved_at=now,
            ended_by=Ending.FALSE_ALARM if change.false_alarm else Ending.CLOSED,
            spent=before.spent_at(now),
            cause_since=None,
        )
    return Transition(incident=after, announcements=tuple(announcements))


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
            f"{change.cause!r} is no cause; accepted: {', '.join(sorted(BY_CODE))}"
        )
    if change.fix_url is not None and not change.fix_url.startswith(
        ("https://", "http://")
    ):
        raise BadInput(f"{change.fix_url!r} is no web address; accepted: https://…")
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
