"""What systems read of an incident, whole."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from lambdas.core.diagnosis.assessment import State
from lambdas.core.diagnosis.causes.rule import Stage
from lambdas.core.diagnosis.verdict import Verdict
from lambdas.core.incidents.context import context_of
from lambdas.core.incidents.incident import (
    Ending,
    Incident,
    Recipient,
    Transition,
    advance,
    retired,
)
from lambdas.core.incidents.notice import notices, with_notices
from tests.datasets import a_dataset
from tests.memory import assert_documented
from tests.watched import HOUR, NOW, a_verdict

OPENED = "2026-11-23T09:00:00+00:00"
ENDED = "2026-11-23T10:00:00+00:00"
ID = "cats-20261123T090000Z"
LATE = dataclasses.replace(a_verdict(), stage=Stage.LOAD, eta=NOW + 2 * HOUR)
AT_RISK = dataclasses.replace(LATE, state=State.PASS, at_risk=True, page=False)
WELL = a_verdict("pass", None)
EXPECTED: Mapping[str, object] = {
    "id": f"{ID}.1.systems",
    "dataset": "cats",
    "incident": ID,
    "incident_id": ID,
    "datasets": ["cats"],
    "kind": "late",
    "state": "error",
    "cause": "pipe_stopped",
    "stage": "load",
    "main_cause": "pipe_stopped",
    "causes": [{"code": "pipe_stopped", "seconds": 0}],
    "opened_at": OPENED,
    "late_since": OPENED,
    "newest_at": "2026-11-23T02:00:00+00:00",
    "expected_at": "2026-11-23T11:00:00+00:00",
    "resolved_at": None,
    "ended_by": None,
    "acknowledged_by": None,
    "promised_for": None,
    "promise": None,
    "snoozed_until": None,
    "notices": [],
}
OVER = {
    "id": f"{ID}.2.systems",
    "state": "pass",
    "causes": [{"code": "pipe_stopped", "seconds": 3600}],
    "resolved_at": ENDED,
    "notices": [
        {
            "at": OPENED,
            "audience": "systems",
            "channel": "bus",
            "kind": "opened",
            "page": False,
        }
    ],
}


def published(
    transition: Transition, verdict: Verdict
) -> tuple[Incident, tuple[str | None, Mapping[str, object] | None]]:
    """The incident as it is kept, and the one event of it."""
    incident = transition.incident
    assert incident is not None
    made = notices(
        transition,
        verdict,
        subject=context_of(a_dataset()),
        routes={Recipient.SYSTEMS: ("bus",)},
        now=incident.changed_at,
    )
    (one,) = made
    assert one.event is not None
    assert one.detail is not None
    assert_documented(one.event, one.detail)
    return with_notices(incident, made), (one.event, one.detail)


def opened(verdict: Verdict = LATE) -> Incident:
    transition = advance(None, verdict, now=NOW, newest_at=NOW - 7 * HOUR)
    return published(transition, verdict)[0]


@pytest.mark.parametrize(
    ("verdict", "kind", "changes"),
    [
        (LATE, "dataset.late", {}),
        (
            AT_RISK,
            "dataset.at_risk",
            {"kind": "at_risk", "state": "pass", "late_since": None},
        ),
    ],
)
def test_an_incident_that_opens_is_published_as_exactly_this(
    verdict: Verdict, kind: str, changes: dict[str, object]
) -> None:
    transition = advance(None, verdict, now=NOW, newest_at=NOW - 7 * HOUR)
    assert published(transition, verdict)[1] == (kind, {**EXPECTED, **changes})


def test_data_that_are_well_again_are_published_as_exactly_this() -> None:
    over = advance(opened(), WELL, now=NOW + HOUR, newest_at=NOW + HOUR)
    assert published(over, WELL)[1] == (
        "dataset.recovered",
        {**EXPECTED, **OVER, "ended_by": "recovered", "newest_at": ENDED},
    )


@pytest.mark.parametrize("ending", sorted({*Ending} - {Ending.RECOVERED}))
def test_any_other_end_is_published_as_exactly_this(ending: Ending) -> None:
    over = retired(opened(), now=NOW + HOUR, ending=ending)
    assert published(over, WELL)[1] == (
        "dataset.closed",
        {**EXPECTED, **OVER, "ended_by": ending.value},
    )
