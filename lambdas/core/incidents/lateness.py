"""What is remembered of an incident that is over, in its dataset's history."""

from __future__ import annotations

import dataclasses

from lambdas.core.freshness.attainment import LATES, AttainmentState, Late
from lambdas.core.incidents.incident import Incident


def with_late(tally: AttainmentState, incident: Incident) -> AttainmentState:
    """With an incident that is over; if it was late, and is not known yet."""
    late = late_of(incident)
    if late is None or late.incident_id in {one.incident_id for one in tally.lates}:
        return tally
    return dataclasses.replace(tally, lates=(*tally.lates, late)[-LATES:])


def late_of(incident: Incident) -> Late | None:
    """What an incident amounts to; None if it is open, or was never late."""
    if incident.resolved_at is None or incident.late_since is None:
        return None
    return Late(
        incident_id=incident.incident_id,
        at=incident.late_since,
        seconds=(incident.resolved_at - incident.late_since).total_seconds(),
        cause=incident.main_cause,
    )
