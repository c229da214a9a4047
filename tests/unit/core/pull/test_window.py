from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.cursor.order import CursorOrder
from lambdas.core.dataset import Incremental
from lambdas.core.errors import BadInput
from lambdas.core.pull.window import formatted, is_exact


def a_cursor(**keys: object) -> Incremental:
    return Incremental.model_validate({"cursor_path": "at", **keys})


@pytest.mark.parametrize(
    ("pattern", "start", "end"),
    [
        ("%Y-%m-%d", "2024-01-01", "2024-01-02"),
        ("%Y-%m", "2024-01", "2024-02"),
        ("%Y", "2024", "2025"),
        ("%G-W%V", "2024-W01", "2024-W02"),
        ("%Y-%m-%dT%H:00:00Z", "2024-01-01T06:00:00Z", "2024-01-01T07:00:00Z"),
        ("%Y-%m-%d %H:%M", "2024-01-01 06:30", "2024-01-01 06:31"),
        ("epoch", "1704090615", "1704090616"),
        ("epoch_ms", "1704090615123", "1704090615124"),
        ("%s.%f", "1704090615.123600", "1704090615.123601"),
    ],
)
def test_starts_are_rounded_down_and_ends_up(
    pattern: str, start: str, end: str
) -> None:
    cursor, at = a_cursor(format=pattern), "2024-01-01T06:30:15.1236001Z"
    assert (formatted(at, cursor), formatted(at, cursor, up=True)) == (start, end)
    assert not is_exact(at, cursor)


def test_what_a_format_says_exactly_is_not_rounded() -> None:
    cursor = a_cursor(format="%Y-%m-%d", timezone="America/New_York")
    assert is_exact("2024-01-01T05:00:00Z", cursor)
    assert is_exact("2024-01-01", cursor)
    assert formatted("2024-01-01", cursor, up=True) == "2024-01-01"


def test_the_hour_that_clocks_show_twice_is_asked_for_whole() -> None:
    cursor = a_cursor(format="%Y-%m-%dT%H:%M", timezone="America/New_York")
    for at in ("2024-11-03T05:30:00Z", "2024-11-03T06:30:00Z"):
        assert formatted(at, cursor) == "2024-11-03T00:30"
        assert formatted(at, cursor, up=True) == "2024-11-03T02:30"


def test_there_is_no_end_after_the_last_day() -> None:
    cursor = a_cursor(format="%Y-%m-%d")
    assert formatted("9999-12-31T12:00:00Z", cursor, up=True) is None
    assert formatted("0001-01-01T00:00:00Z", cursor) == "0001-01-01"


def test_a_number_has_a_format_only_if_it_is_declared_a_time() -> None:
    with pytest.raises(BadInput, match="`cursor_format: epoch`"):
        formatted(1700000000, a_cursor(format="%Y-%m-%d"))
    counted = a_cursor(format="%Y-%m-%d", cursor_format="epoch")
    assert formatted(1700000000, counted) == "2023-11-14"


def test_numbers_are_asked_for_without_an_exponent() -> None:
    assert formatted(1e16, a_cursor()) == "10000000000000000"


@given(
    at=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 - UTC is given below
    pattern=st.sampled_from(
        ("%Y-%m-%d", "%Y-%m-%d %H", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f")
    ),
    zone=st.sampled_from(("UTC", "America/New_York", "Asia/Kathmandu")),
)
def test_a_window_holds_the_moment_that_it_is_asked_for(
    at: datetime, pattern: str, zone: str
) -> None:
    cursor = a_cursor(format=pattern, timezone=zone)
    text = at.replace(tzinfo=UTC).isoformat()
    read = CursorOrder.of(a_cursor(cursor_format=pattern, timezone=zone))
    start, end = formatted(text, cursor), formatted(text, cursor, up=True)
    assert start is not None
    assert end is not None
    instants = [read.instant(one) for one in (start, end)]
    assert None not in instants
    first, last = (one or datetime.max.replace(tzinfo=UTC) for one in instants)
    assert first <= at.replace(tzinfo=UTC) <= last
    assert last - first <= timedelta(hours=28)
