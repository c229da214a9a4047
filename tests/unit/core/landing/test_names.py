"""Names in the landing zone, and the marks of what lands again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lambdas.core.landing.names import (
    marked_key,
    new_run_id,
    raw_key,
    raw_name,
    run_id_of,
    run_prefix,
    unmarked_key,
)
from lambdas.core.loading.replay import receipt_key

RUN = new_run_id(datetime(2013, 1, 1, 5, tzinfo=UTC), b"abcdef")
FIRST, SECOND = raw_key("cats", 7, RUN, 1), raw_key("cats", 7, RUN, 2)


def test_what_lands_again_keeps_its_run_and_its_place() -> None:
    again = marked_key(FIRST, "r1")
    assert run_id_of(again) == RUN
    assert FIRST < again < marked_key(FIRST, "r2") < SECOND
    name = raw_name(again)
    assert name is not None
    assert (name.first, name.attempt, name.generation) == ("00001", 1, 7)
    assert again.startswith(run_prefix(FIRST))


def test_quarantined_rows_land_beside_their_object_and_may_land_again() -> None:
    replayed = marked_key(FIRST, "q1")
    assert FIRST < replayed < marked_key(FIRST, "r1") < SECOND
    again = raw_name(marked_key(replayed, "r3"))
    assert again is not None
    assert (again.first, again.attempt) == ("00001q1", 3)
    assert unmarked_key(marked_key(replayed, "r3")) == replayed
    assert unmarked_key(FIRST) == FIRST


def test_a_receipt_stands_in_quarantine_under_the_objects_own_path() -> None:
    assert receipt_key(marked_key(FIRST, "q1")).startswith(
        "quarantine/cats/replayed/g7/dt=2013-01-01/"
    )
    with pytest.raises(ValueError, match="not the key"):
        receipt_key("raw/cats/x")
