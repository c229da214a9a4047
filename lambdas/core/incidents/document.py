"""An incident as scripts and systems read it: the contract's document."""

from __future__ import annotations

from datetime import datetime

from lambdas.core.incidents.incident import Incident
from lambdas.core.incidents.quality import CHECKS_FAILED
from lambdas.core.names import is_ours


def document(incident: Incident, *, now: datetime) -> dict[str, object]:
    """JSON values; times with their offset."""
    human = incident.human
    is_of_one = not is_ours(incident.dataset)
    one = (incident.dataset,) if is_of_one else ()
    until = incident.resolved_at or now
    return {
        "incident_id": incident.incident_id,
        "dataset": incident.dataset if is_of_one else None,
        "datasets": [*(incident.datasets or one)],
        "kind": incident.kind,
        "state": state_of(incident),
        "cause": incident.cause,
        "main_cause": incident.main_cause,
        "causes": [
            {"code": each.code, "seconds": round(each.seconds)}
            for each in incident.spent_at(until)
        ],
        "opened_at": _iso(incident.opened_at),
        "resolved_at": _iso(incident.resolved_at),
        "ended_by": None if incident.ended_by is None else incident.ended_by.value,
        "acknowledged_by": human.acknowledged_by,
        "promised_for": _iso(human.promised_for),
        "promise": incident.promise,
        "snoozed_until": _iso(human.snoozed_until),
        "notices": [
            {
                "at": _iso(sent.at),
                "audience": sent.audience,
                "channel": sent.channel,
                "kind": sent.kind,
                "page": sent.page,
            }
            for sent in incident.notices
        ],
    }


def state_of(incident: Incident) -> str:
    """The newest verdict's; of checks, how bad those are that fail."""
    if incident.well_since is not None or incident.resolved_at is not None:
        return "pass"
    if incident.kind == "quality":
        return "error" if incident.cause == CHECKS_FAILED else "warn"
    return "unknown" if incident.blind_since is not None else incident.state


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
