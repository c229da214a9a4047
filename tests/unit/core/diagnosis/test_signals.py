"""What comes from outside is taken exactly, or refused with the key named."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lambdas.core.diagnosis.signals import Signals, signals_from_json
from lambdas.core.errors import BadInput
from tests.unit.core.diagnosis.signal_documents import HEALTHY, changed

LEAST = {"dataset": "cat_data", "now": "2026-11-23T09:00:00Z"}


def read(changes: dict[str, Any]) -> Signals:
    return signals_from_json(json.dumps(changed(LEAST, changes)))


def test_only_the_dataset_and_the_moment_are_required() -> None:
    signals = read({})

    assert signals.table.row_count is None
    assert signals.pull.last_run.status is None
    assert signals == read({"pull": None, "table": {"row_count": None}})


def test_a_time_is_kept_in_utc_whatever_its_offset() -> None:
    signals = read({"now": "2026-11-23T04:00:00-05:00"})

    assert signals.now == datetime(2026, 11, 23, 9, tzinfo=UTC)
    assert signals.now.utcoffset() == datetime.now(UTC).utcoffset()


def test_keys_nobody_knows_are_ignored() -> None:
    assert read({"colour": "black", "table.tail": 1}) == read({})


def test_signals_survive_json() -> None:
    signals = signals_from_json(json.dumps(HEALTHY))

    assert signals_from_json(signals.model_dump_json()) == signals


@pytest.mark.parametrize(
    ("path", "value", "accepted"),
    [
        ("now", "2026-11-23T09:00:00", "with its offset"),
        ("now", 1_795_000_000, "with its offset"),
        ("now", "yesterday", "with its offset"),
        ("now", "0001-01-01T00:00:00+14:00", "with its offset"),
        ("now", None, "required: a time"),
        ("dataset", ..., "required: a string"),
        ("dataset", "", "not empty"),
        ("dataset", 7, "a string"),
        ("table.newest_event_at", "2026-11-23", "with its offset"),
        ("table.row_count", "5000", "a whole number"),
        ("table.row_count", True, "a whole number"),
        ("table.row_count", -1, "zero or more"),
        ("table.read", "fine", "'not_read', or null"),
        ("policy.skew_s", "300", "a number"),
        ("policy.in_quiet_time", "no", "true or false"),
        ("policy.clock", "wall", "'event' or 'load'"),
        ("pull.last_run.status", "ok", "'succeeded', 'failed', 'running' or 'never'"),
        ("pull.last_run.error", "null", "'internal', or null"),
        ("load.status", "LOADED", "'Load in progress'"),
        ("pipe.state", 3, "a string"),
        ("landing.rewritten", 1, "true or false"),
        ("upstream", [], "an object"),
        ("pull.last_run", "never", "an object"),
    ],
)
def test_a_wrong_value_is_refused_with_its_key_and_what_is_accepted(
    path: str, value: object, accepted: str
) -> None:
    with pytest.raises(BadInput) as caught:
        read({path: value})

    fault = str(caught.value)
    assert fault.startswith(f"{path}: ")
    assert accepted in fault
    assert "\n" not in fault


def test_all_faults_are_listed_and_long_values_are_cut() -> None:
    with pytest.raises(BadInput) as caught:
        read({"now": "x" * 500, "table.row_count": 1.5, "pipe.state": []})

    faults = str(caught.value).splitlines()
    assert [fault.split(":")[0] for fault in faults] == [
        "now",
        "pipe.state",
        "table.row_count",
    ]
    assert all(len(fault) < 200 for fault in faults)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "NaN", b"\xff", "[" * 5000])
def test_what_is_no_document_is_refused(text: str | bytes) -> None:
    with pytest.raises(BadInput, match=r"accepted: .*JSON object"):
        signals_from_json(text)


@pytest.mark.parametrize("state", ["STOPPED_MISSING_TABLE", "STALLED_X", "new one"])
def test_any_word_of_a_pipe_is_taken(state: str) -> None:
    assert read({"pipe.state": state}).pipe.state == state
