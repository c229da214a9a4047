"""What on call is told to do fits what is wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.core.diagnosis.assessment import after
from lambdas.core.diagnosis.signals import signals_from_json
from lambdas.core.diagnosis.verdict import Verdict, diagnose
from tests.unit.core.diagnosis.signal_documents import (
    BEHIND,
    LANDED,
    Document,
    ago,
    changed,
)

RESUME = "SET PIPE_EXECUTION_PAUSED = FALSE"
MOMENT = datetime(2026, 11, 23, tzinfo=UTC)


def verdict_on(document: Document, changes: Document) -> Verdict:
    return diagnose(signals_from_json(json.dumps(changed(document, changes))))


def test_a_pipe_that_is_paused_is_resumed_and_no_error_is_looked_for() -> None:
    step = verdict_on(LANDED, {"pipe.state": "PAUSED"}).next_step
    assert "catflap replay cat_data" in step
    assert RESUME in step
    assert "names the error" not in step


@pytest.mark.parametrize(
    "state", ["STALLED_EXECUTION_ERROR", "STOPPED_FEATURE_DISABLED", "READ_ONLY"]
)
def test_a_pipe_that_fails_is_mended_before_it_is_resumed(state: str) -> None:
    step = verdict_on(LANDED, {"pipe.state": state}).next_step
    assert "names the error; fix it" in step
    assert step.endswith(f"{RESUME}`")
    assert "unless it is paused on purpose" not in step


def test_a_pipe_without_its_table_gets_both_again() -> None:
    step = verdict_on(LANDED, {"pipe.state": "STOPPED_MISSING_TABLE"}).next_step
    assert step.startswith("`catflap restore-sql cat_data --rows` prints the SQL")


def test_the_evidence_says_what_the_source_has_where_that_is_known() -> None:
    said = " ".join(verdict_on(BEHIND, {}).evidence)
    assert "the source's newest record is from 2026-11-23 " in said
    assert "what the source has is not known" not in said
    unseen = " ".join(verdict_on(BEHIND, {"upstream": ...}).evidence)
    assert "what the source has is not known" in unseen
    assert "a time that is not known" not in unseen


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ((60.0, 30.0), MOMENT + timedelta(seconds=90)),
        ((60.0, None), None),
        ((1e12,), None),
        ((), MOMENT),
    ],
)
def test_a_time_that_no_calendar_has_is_not_known(
    seconds: tuple[float | None, ...], expected: datetime | None
) -> None:
    assert after(MOMENT, *seconds) == expected
    assert after(None, *seconds) is None


def test_a_newest_row_from_the_future_is_no_evidence_of_freshness() -> None:
    ahead = {"table.newest_event_at": ago(-86_400 * 365), "table.future_rows": None}
    verdict = verdict_on(BEHIND, ahead)
    assert verdict.state != "pass"
