from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.backfill.slices import MAX_SLICES, bounds, parse_duration
from lambdas.core.cursor.order import CursorOrder
from lambdas.core.dataset import Incremental
from lambdas.core.errors import BadInput

TIMES = Incremental(cursor_path="at", initial_value="2013-01-01T00:00:00Z")
NAIVE = Incremental(
    cursor_path="at",
    initial_value="2013-01-01 00:00:00",
    timezone="America/New_York",
)
DATES = Incremental(cursor_path="at", initial_value="2013-01-01")
NUMBERS = Incremental(cursor_path="at", initial_value=0)


def test_days_cover_the_window_and_touch_each_other() -> None:
    assert bounds("2013-01-30T00:00:00Z", "2013-02-01T12:00:00Z", "P1D", TIMES) == [
        "2013-01-30T00:00:00Z",
        "2013-01-31T00:00:00Z",
        "2013-02-01T00:00:00Z",
        "2013-02-01T12:00:00Z",
    ]


@pytest.mark.parametrize(
    ("length", "second"),
    [
        ("PT6H", "2013-01-31T06:00:00Z"),
        ("PT90M", "2013-01-31T01:30:00Z"),
        ("P1DT12H", "2013-02-01T12:00:00Z"),
        ("P1W", "2013-02-07T00:00:00Z"),
        ("P1M", "2013-02-28T00:00:00Z"),
        ("P2M", "2013-03-31T00:00:00Z"),
        ("P1Y", "2014-01-31T00:00:00Z"),
    ],
)
def test_a_duration_is_added_in_utc(length: str, second: str) -> None:
    cut = bounds("2013-01-31T00:00:00Z", "2014-06-01T00:00:00Z", length, TIMES)
    assert cut[1] == second


def test_months_are_counted_from_the_start_so_that_no_day_is_lost_for_good() -> None:
    cut = bounds("2013-01-31T00:00:00Z", "2013-06-01T00:00:00Z", "P1M", TIMES)
    assert [str(one)[5:10] for one in cut] == [
        *("01-31", "02-28", "03-31", "04-30", "05-31", "06-01"),
    ]


def test_bounds_are_written_as_the_cursor_is() -> None:
    cut = bounds("2013-01-01T02:00:00+02:00", "2013-01-03T00:00:00Z", "P1D", TIMES)
    assert cut == [f"2013-01-0{day}T00:00:00Z" for day in (1, 2, 3)]
    cut = bounds("2013-01-01", "2013-03-01", "P1M", DATES)
    assert cut == ["2013-01-01", "2013-02-01", "2013-03-01"]
    cut = bounds("2013-01-01T05:00:00Z", "2013-01-02T05:00:00Z", "PT12H", NAIVE)
    assert cut == ["2013-01-01 00:00:00", "2013-01-01 12:00:00", "2013-01-02 00:00:00"]


def test_an_hour_that_is_there_twice_is_in_one_slice() -> None:
    cut = bounds("2013-11-03T04:00:00Z", "2013-11-03T09:00:00Z", "PT30M", NAIVE)
    clock = [str(one)[11:16] for one in cut]
    assert clock == [
        *("00:00", "00:30", "01:00", "01:30"),
        # 01:00 and 01:30 once more: those names are taken
        *("02:00", "02:30", "03:00", "03:30", "04:00"),
    ]
    assert _is_ascending(cut, NAIVE)


def test_an_hour_that_is_left_out_makes_no_slice_longer() -> None:
    cut = bounds("2013-03-10T05:00:00Z", "2013-03-10T09:00:00Z", "PT1H", NAIVE)
    assert [str(one)[11:16] for one in cut] == [
        "00:00",
        "01:00",
        *("03:00", "04:00", "05:00"),
    ]


def test_numbers_are_cut_by_numbers() -> None:
    assert bounds(0, 25, "10", NUMBERS) == [0, 10, 20, 25]
    assert bounds(0.0, 0.3, "0.1", NUMBERS) == [0.0, 0.1, 0.2, 0.3]


@given(
    start_s=st.integers(1_000_000_000, 1_900_000_000),
    hours=st.integers(1, 2000),
    length=st.sampled_from(("PT37M", "PT5H", "P1D", "P9D", "P1M")),
    incremental=st.sampled_from((TIMES, NAIVE)),
)
def test_every_instant_of_a_window_is_in_exactly_one_slice(
    start_s: int, hours: int, length: str, incremental: Incremental
) -> None:
    first = datetime.fromtimestamp(start_s, UTC)
    last = datetime.fromtimestamp(first.timestamp() + hours * 3600, UTC)
    cut = bounds(first.isoformat(), last.isoformat(), length, incremental)
    assert _is_ascending(cut, incremental)
    keys = [CursorOrder.of(incremental).key(one)[1] for one in (cut[0], cut[-1])]
    assert keys == [first, last]


def _is_ascending(cut: list[str | int | float], incremental: Incremental) -> bool:
    keys = [CursorOrder.of(incremental).key(one) for one in cut]
    return all(one < other for one, other in pairwise(keys))


TEXTS = Incremental(cursor_path="at", cursor_type="text")

REFUSED: list[tuple[tuple[str | int, str | int, str, Incremental], str]] = [
    (("2013-01-02T00:00:00Z", "2013-01-01T00:00:00Z", "P1D", TIMES), "before"),
    (("2013-01-01T00:00:00Z", "2013-01-01T00:00:00Z", "P1D", TIMES), "before"),
    (("2013-01-01", "2013-01-09", "PT6H", DATES), "whole days"),
    ((0, 10, "P1D", NUMBERS), "such as 10000"),
    ((0, 10, "0", NUMBERS), "such as 10000"),
    ((0, MAX_SLICES + 1, "1", NUMBERS), "10,001 slices"),
    (("b", "c", "P1D", TEXTS), "is a text"),
    (("b", "c", "P1D", TIMES), "no known order"),
]


@pytest.mark.parametrize(("asked", "sentence"), REFUSED)
def test_what_cannot_be_cut_is_refused(
    asked: tuple[str | int, str | int, str, Incremental], sentence: str
) -> None:
    with pytest.raises(BadInput, match=sentence):
        bounds(*asked)


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1", "1D", "P-1D", "P1DT", "P0D", "PT0H", "P1H", "day"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="such as P1D"):
        parse_duration(text)
