from __future__ import annotations

import json
from datetime import UTC, date, datetime
from itertools import pairwise

import pytest

from lambdas.core.cursor.order import LONGEST_CURSOR, CursorOrder, SortKey
from lambdas.core.cursor.time_pattern import TimePattern
from lambdas.core.dataset import Incremental
from lambdas.core.errors import BadInput

AUTO = CursorOrder()


def order(**keys: object) -> CursorOrder:
    document = json.dumps({"cursor_path": "at", **keys})
    return CursorOrder.of(Incremental.model_validate_json(document))


@pytest.mark.parametrize("keys", [{"cursor_format": "epoch"}, {"cursor_type": "time"}])
@pytest.mark.parametrize(
    ("value", "later"),
    [
        (1700000000, 1700000000.25),
        (1700000000.125, 1700000000.25),
        ("1700000000.000100", "1700000000.0002"),
        ("1700000000.9", 1700000001),
    ],
)
def test_a_count_of_seconds_may_have_a_fraction(
    keys: dict[str, object], value: object, later: object
) -> None:
    assert order(**keys).key(value)[0] == "time"
    assert order(**keys).key(value) < order(**keys).key(later)


@pytest.mark.parametrize(
    "values",
    [
        ("9", "10", "99", "100", "100.5"),
        ("-2", "-1", "0"),
        ("007", "8"),
        (9, "10", 10.5, "11"),
        ("20240131", "20240201"),
        ("9007199254740993", "9007199254740994"),
    ],
)
def test_numbers_in_text_compare_as_numbers(values: tuple[object, ...]) -> None:
    keys = [AUTO.key(one) for one in values]
    assert {kind for kind, _, _ in keys} == {"number"}
    assert all(one < other for one, other in pairwise(keys))


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-29T12:30:00Z",
        "2024-02-29T12:30:00z",
        "2024-02-29t12:30:00Z",
        "2024-02-29 12:30:00+00:00",
        "2024-02-29 12:30:00 UTC",
        "2024-02-29 12:30:00 +0000",
        "2024-02-29T13:30+01",
        "20240229T123000Z",
        "2024-W09-4T12:30:00Z",
        "2024-060T12:30:00Z",
        "2024-02-29T13:30:00+01:00[Europe/Paris]",
        "2024-02-29T12:30:00,000Z",
    ],
)
def test_iso_times_of_all_forms_are_one_instant(text: str) -> None:
    assert AUTO.key(text) == AUTO.key("2024-02-29T12:30:00.000Z")


@pytest.mark.parametrize("text", ["2024-03-01", "2024-W09-5", "2024-061", "2024-03"])
def test_iso_dates_of_all_forms_are_one_day(text: str) -> None:
    assert AUTO.key(text) == AUTO.key("2024-03-01")


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-05:00",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "+10000-01-01T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2016-12-31T23:59:60Z",
        "2023-02-29T00:00:00Z",
        "2024-13-01",
        "2023-366",
    ],
)
def test_what_utc_cannot_hold_is_a_sentence(text: str) -> None:
    for one in (AUTO, order(cursor_type="time"), order(timezone="Europe/Paris")):
        with pytest.raises(ValueError, match="not a time that UTC can hold"):
            one.key(text)


@pytest.mark.parametrize("value", [253402300800, 10**14, -(10**12)])
def test_a_count_that_utc_cannot_hold_is_a_sentence(value: int) -> None:
    with pytest.raises(ValueError, match=r"UTC can hold|not written as"):
        order(cursor_format="epoch").key(value)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("Thu, 19 Jan 2023 23:30:52 +0000", "%a, %d %b %Y %H:%M:%S %z"),
        ("Thu, 19 Jan 2023 23:30:52 GMT", "%a, %d %b %Y %H:%M:%S %Z"),
        ("19-01-2023", "%d-%m-%Y"),
        ("1/19/2023", "%m/%d/%Y"),
        ("/Date(1674171052000)/", "/Date(%Q)/"),
        ("Thu Jan 19 23:30:52 +0000 2023", "%a %b %d %H:%M:%S %z %Y"),
    ],
)
def test_what_has_no_known_order_is_refused_and_what_to_declare_is_named(
    text: str, pattern: str
) -> None:
    with pytest.raises(ValueError, match="has no known order") as refused:
        AUTO.key(text)
    assert f"`{pattern}`" in str(refused.value)
    assert order(cursor_format=pattern, timezone="UTC").key(text)[0] in ("time", "date")


@pytest.mark.parametrize(
    "text",
    ["2024-03-01", "20240301", "2024-W09-5", "2024W095", "2024-061", "2024-03"],
)
def test_dates_of_all_forms_are_days_where_a_time_is_declared(text: str) -> None:
    key = order(cursor_type="time").key(text)
    assert key == ("date", date(2024, 3, 1), 0)


FAMILIAR = [
    "%a, %d %b %Y %H:%M:%S %z", "%a, %d %b %Y %H:%M:%S %Z",
    "%a %b %d %H:%M:%S %z %Y", "/Date(%Q)/", "/Date(%Q%z)/",
    "%d-%m-%Y %H:%M:%S", "%m-%d-%Y %H:%M:%S", "%d-%m-%Y", "%m-%d-%Y",
    "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p",
    "%d/%m/%Y", "%m/%d/%Y", "%m/%d/%y", "%d/%m/%y", "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y", "%d %b %Y", "%b %d, %Y",
    "%d %B %Y", "%B %d, %Y",
]  # fmt: skip


@pytest.mark.parametrize("pattern", FAMILIAR)
def test_a_familiar_form_is_refused_by_name(pattern: str) -> None:
    text = TimePattern(pattern).write(datetime(2023, 1, 19, 23, 30, 52, tzinfo=UTC))
    with pytest.raises(ValueError, match="has no known order") as refused:
        AUTO.key(text)
    assert f"`{pattern}`" in str(refused.value)


@pytest.mark.parametrize("text", ["abc", "", "5e12", "507f1f77bcf86cd799439011", "1,5"])
def test_plain_text_has_an_order_only_by_declaration(text: str) -> None:
    with pytest.raises(ValueError, match=r"`incremental\.cursor_type: text`"):
        AUTO.key(text)
    assert order(cursor_type="text").key(text) == ("text", text, 0)


def test_a_list_of_formats_reads_rows_of_each() -> None:
    both = order(cursor_format=["%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S"], timezone="UTC")
    assert both.key("01.02.2024 10:00") == both.key("01.02.2024 10:00:00")
    with pytest.raises(ValueError, match=r"not written as `cursor_format` says"):
        both.key("2024-02-01 10:00")


def test_a_bound_may_be_iso_whatever_the_rows_are() -> None:
    rows = order(cursor_format="%d-%m-%Y")
    assert rows.bound_key("2024-02-01T05:00:00Z") == rows.key("01-02-2024")


@pytest.mark.parametrize(
    ("keys", "value", "lag", "expected"),
    [
        ({}, "100", 1, "99"),
        ({}, "0100", 1.0, "0099"),
        ({}, "100", 60.0, "40"),
        ({}, "1700000000.123456", 1, "1699999999.123456"),
        ({"cursor_format": "epoch"}, 1700000000, 60, 1699999940),
        ({"cursor_format": "epoch_ms"}, 1700000000123, 1, 1699999999123),
        ({"cursor_format": "/Date(%Q)/"}, "/Date(60000)/", 1, "/Date(59000)/"),
        (
            {"cursor_format": "%a, %d %b %Y %H:%M:%S %z"},
            "Thu, 19 Jan 2023 00:00:00 +0100",
            1,
            "Wed, 18 Jan 2023 23:59:59 +0100",
        ),
        ({}, "0001-01-01T00:00:00Z", 60, "0001-01-01T00:00:00Z"),
        ({"cursor_type": "time"}, 1700000000, 60, 1699999940),
    ],
)
def test_lag_is_taken_off_as_the_value_is_written(
    keys: dict[str, object], value: str | int, lag: float, expected: object
) -> None:
    assert order(**keys).moved_back(value, lag) == expected


def test_counts_are_times_where_that_is_declared() -> None:
    declared = order(cursor_type="time")
    assert declared.key(1700000000) == declared.key(1700000000000)
    assert declared.key("1700000000") == declared.key("2023-11-14T22:13:20Z")
    with pytest.raises(ValueError, match="not an ISO 8601 time"):
        declared.key(17)


def test_a_cursor_has_a_bound() -> None:
    with pytest.raises(ValueError, match=r"4,097 characters long"):
        order(cursor_type="text").key("x" * (LONGEST_CURSOR + 1))


def test_digits_beyond_microseconds_are_no_ties() -> None:
    keys = [AUTO.key(f"2024-01-01T00:00:00.123456{tail}Z") for tail in ("1", "12", "2")]
    assert all(one < other for one, other in pairwise(keys))


@pytest.mark.parametrize(
    "pattern",
    ["%d.%m", "%H:%M", "%Y-%d", "%Y-%m-%d %I:%M", "%q", "at", "%s %Y", "%G-W%V"],
)
def test_a_pattern_that_orders_nothing_is_a_fault(pattern: str) -> None:
    assert TimePattern(pattern).reading_fault() is not None


@pytest.mark.parametrize(
    "pattern",
    ["%Y", "%Y%m%d%H%M%S", "%c", "%x", "%Y-%j", "%G-W%V-%u", "%s", "/Date(%Q%z)/"],
)
def test_a_pattern_that_is_a_whole_time_is_none(pattern: str) -> None:
    assert TimePattern(pattern).reading_fault() is None


@pytest.mark.parametrize(
    ("value", "back"),
    [
        ("20240103", "20240102"),
        ("2024-01-03", "2024-01-02"),
        ("2024-01", "2023-12"),
    ],
)
def test_a_day_is_taken_off_a_date_as_it_is_written(value: str, back: str) -> None:
    assert order(cursor_type="time").moved_back(value, 86_400) == back
    assert order(cursor_type="time").moved_back(value, 1) == back


@pytest.mark.parametrize("value", ["2024-W09-5", "2024-061"])
def test_a_lag_is_taken_off_no_date_of_another_form(value: str) -> None:
    with pytest.raises(BadInput) as refused:
        order().moved_back(value, 86_400)
    assert str(refused.value) == (
        f"lag cannot be taken off {value!r} as it is written; accepted: a "
        "cursor_format that says how"
    )


@pytest.mark.parametrize(
    ("pattern", "text", "day"),
    [
        ("%Y", "2024", date(2024, 1, 1)),
        ("%Y/%m", "2024/03", date(2024, 3, 1)),
        ("%d.%m.%Y", "02.03.2024", date(2024, 3, 2)),
    ],
)
def test_what_is_no_finer_than_a_day_is_a_date(
    pattern: str, text: str, day: date
) -> None:
    assert order(cursor_format=pattern).key(text) == ("date", day, 0)
    assert order(cursor_format=pattern).bound_key("2024-05-06T07:08:09Z") == (
        "date",
        date(2024, 5, 6),
        0,
    )


def test_what_has_no_known_order_is_told_in_full() -> None:
    accepted = (
        "accepted: ISO 8601 times, numbers, another form of time by "
        "incremental.cursor_format{}, or plain text by `incremental.cursor_type: text`"
    )
    for one, told in (
        (AUTO, "'abc' has no known order"),
        (
            order(cursor_type="time"),
            "'abc' is not an ISO 8601 time, and `cursor_type` says time",
        ),
    ):
        with pytest.raises(ValueError, match="abc") as refused:
            one.key("abc")
        assert str(refused.value) == f"{told}; {accepted.format('')}"
    with pytest.raises(ValueError, match="no known order") as refused:
        AUTO.key("01/02/2024")
    assert accepted.format(", such as `%d/%m/%Y` or `%m/%d/%Y`") in str(refused.value)


@pytest.mark.parametrize(
    ("text", "beyond"),
    [
        ("2024-01-01T00:00:00.123456789Z", 789 * 10**15),
        ("2024-01-01T00:00:00,123456789Z", 789 * 10**15),
        ("2024-01-01T00:00:00.123456Z", 0),
        ("2024-01-01T00:00:00Z", 0),
        ("2024-01-01T00:00:00.000000000000000000000001Z", 1),
        ("2024-01-01T00:00:00.1234567+02:00", 7 * 10**17),
    ],
)
def test_what_a_time_has_beyond_the_microsecond_is_kept(text: str, beyond: int) -> None:
    assert order(timezone="UTC").key(text)[2] == beyond
    assert AUTO.key(text)[2] == beyond


def test_a_form_that_cannot_be_held_is_named_to_nobody() -> None:
    with pytest.raises(ValueError, match="no known order") as refused:
        AUTO.key(f"/Date({10**17})/")
    assert "such as" not in str(refused.value)


def test_a_time_is_its_day_and_an_end_after_midnight_the_next() -> None:
    midnight = datetime(2024, 1, 1, tzinfo=UTC)
    later = midnight.replace(microsecond=1)
    for at, beyond, day in ((midnight, 0, 1), (midnight, 5, 2), (later, 0, 2)):
        key: SortKey = ("time", at, beyond)
        assert AUTO.as_date(key, up=True) == ("date", date(2024, 1, day), 0)
        assert AUTO.as_date(key) == ("date", date(2024, 1, 1), 0)
    assert AUTO.as_date(("number", 5, 0)) == ("number", 5, 0)
    assert AUTO.as_time(("number", 5, 0)) == ("number", 5, 0)


def test_without_a_cursor_the_order_is_of_iso_times_and_numbers() -> None:
    assert CursorOrder.of(None) == CursorOrder()


def test_a_time_without_a_zone_is_told_in_full() -> None:
    with pytest.raises(ValueError, match="no zone") as refused:
        AUTO.key("2024-01-01T00:00:00")
    assert str(refused.value) == (
        "the time '2024-01-01T00:00:00' carries no offset, and no zone is declared; "
        "accepted: an offset, or an IANA zone in incremental.timezone"
    )


@pytest.mark.parametrize(
    ("day", "zone"), [("0001-01-01", "Asia/Tokyo"), ("9999-12-31", "America/New_York")]
)
def test_the_first_and_the_last_day_there_are_have_a_midnight_in_every_zone(
    day: str, zone: str
) -> None:
    at = CursorOrder(timezone=zone).instant(day)
    assert at is not None
    assert at.date().isoformat() == day
