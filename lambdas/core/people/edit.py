"""A person's change of an incident, recorded with the notices that follow from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime

from lambdas.core.errors import StateConflict
from lambdas.core.incidents.channels import Routes
from lambdas.core.incidents.context import IncidentContext
from lambdas.core.incidents.human import (
    Change,
    PersonReport,
    changed_by_hand,
    reported,
    said_by,
)
from lambdas.core.incidents.incident import Incident
from lambdas.core.incidents.notice import Notice, notices, with_notices
from lambdas.core.incidents.ports import IncidentState

TRIES = 5
"""A check may change the same incident at the same moment."""


def report(
    state: IncidentState,
    wanted: PersonReport,
    *,
    subject: IncidentContext,
    routes: Routes,
    now: Callable[[], datetime],
) -> Incident:
    """The incident that holds the report, recorded with its notices.

    Raises StateConflict if checks keep changing it.
    """
    for _ in range(TRIES):
        at, before = now(), state.open_incident(wanted.dataset)
        transition = reported(before, wanted, now=at)
        after = transition.incident
        if after is None or after is before:
            break
        made = notices(
            transition, said_by(after), subject=subject, routes=routes, now=at
        )
        kept = with_notices(after, made)
        try:
            watch = None if before is not None else state.watch(wanted.dataset)
            if watch is not None:
                # So that nobody reads `pass` beside it, and the check looks after it.
                watch = dataclasses.replace(watch, incident_id=kept.incident_id)
            state.record(before, kept, notices=made, watch=watch)
        except StateConflict:
            continue
        return kept
    if before is not None and after is before:
        return before
    raise StateConflict(
        f"the incident was changed {TRIES} times meanwhile; ask once more"
    )


def edit(
    state: IncidentState,
    found: Callable[[], Incident],
    change: Change,
    *,
    subject: IncidentContext,
    routes: Routes,
    now: Callable[[], datetime],
) -> tuple[Incident, tuple[Notice, ...]]:
    """The incident that `found` reads, after the change, and the notices made.

    Raises BadInput if the change cannot be, StateConflict if checks keep changing it.
    """
    for _ in range(TRIES):
        at, before = now(), found()
        transition = changed_by_hand(before, change, now=at)
        after = transition.incident
        if after is None or after is before:
            return before, ()
        made = notices(
            transition, said_by(after), subject=subject, routes=routes, now=at
        )
        kept = with_notices(after, made)
        try:
            state.record(before, kept, notices=made, watch=None)
        except StateConflict:
            continue
        return kept, made
    raise StateConflict(f"the incident was changed {TRIES} times meanwhile; try again")
