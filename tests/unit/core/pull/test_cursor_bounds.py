"""Where a pull may be cut, and what bounds its rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from lambdas.core.cursor.order import CursorOrder
from lambdas.core.errors import BadInput, RunErrorKind, Terminal
from lambdas.core.pull import edge
from lambdas.core.pull.cursor import NewRows
from lambdas.core.pull.run import CursorPosition
from lambdas.core.pull.window import Window, plan_window
from tests.datasets import a_dataset, incremental


def rows(*ats: object) -> list[bytes]:
    return [
        json.dumps({"id": number, "at": at}).encode()
        for number, at in enumerate(ats, start=1)
    ]


def new_rows(at: object = None, **keys: object) -> NewRows:
    """Rows of a pull whose cursor stands at `at`."""
    dataset = a_dataset(source=incremental(**keys))
    position = CursorPosition(value=at)  # type: ignore[arg-type]  # None or a value
    cursor = dataset.source.cursor
    assert cursor is not None
    return NewRows(
        dataset=dataset, position=position, window=plan_window(cursor, position)
    )


# where it may be cut -----------------------------------------------------------------
def test_a_long_pull_may_be_cut_once_its_cursor_has_moved_on() -> None:
    new = new_rows(5, row_order="asc")
    assert not new.can_stop_here
    new.keep(rows(5, 5), page=1)
    assert not new.can_stop_here, "it would ask for the same again, for ever"
    new.keep(rows(6), page=2)
    assert new.can_stop_here


def test_rows_below_what_was_reached_forbid_the_cut() -> None:
    """It would go on from 12, and what is still to come below it would be lost."""
    new = new_rows(5, row_order="asc")
    new.keep(rows(8, 10), page=1)
    assert new.can_stop_here
    new.keep(rows(12, 8), page=2)
    assert not new.can_stop_here
    new.keep(rows(13), page=3)
    assert not new.can_stop_here, "what was seen once is not forgotten"


def test_rows_outside_the_window_say_nothing_of_the_order() -> None:
    new = new_rows(5, row_order="asc")
    new.keep(rows(8, 10), page=1)
    new.keep(rows(1, 12), page=2)
    assert new.can_stop_here


def test_a_page_may_be_in_any_order_within_itself() -> None:
    new = new_rows(5, row_order="asc")
    new.keep(rows(10, 8), page=1)
    assert new.can_stop_here


@pytest.mark.parametrize(
    "keys",
    [
        {"row_order": "desc"},
        {"row_order": None},
        {"row_order": "asc", "range_start": "open"},
        {"row_order": "asc", "on_cursor_value_missing": "include"},
        {"row_order": "asc", "lag": 1},
    ],
    ids=str,
)
def test_without_the_declared_order_from_the_cursor_on_nothing_is_cut(
    keys: dict[str, object],
) -> None:
    new = new_rows(5, **keys)
    new.keep(rows(8, 10), page=1)
    assert not new.can_stop_here


def test_a_pull_that_has_met_no_cursor_is_not_cut() -> None:
    for new in (
        new_rows(row_order="asc", on_cursor_value_missing="exclude"),
        new_rows(initial_value=5, row_order="asc", on_cursor_value_missing="exclude"),
    ):
        new.keep(rows(None), page=1)
        assert not new.can_stop_here


# where it ends -----------------------------------------------------------------------
def test_ascending_rows_end_with_the_first_after_the_end() -> None:
    new = new_rows(initial_value=1, end_value=5, row_order="asc")
    new.keep(rows(2, 4), page=1)
    assert not new.exhausted
    new.keep(rows(5), page=2)
    assert new.exhausted


@pytest.mark.parametrize("order", ["desc", None])
def test_rows_after_the_end_end_nothing_that_comes_newest_first(
    order: str | None,
) -> None:
    new = new_rows(initial_value=1, end_value=5, row_order=order)
    assert new.keep(rows(9, 6), page=1) == []
    assert not new.exhausted
    assert len(new.keep(rows(4, 3), page=2)) == 2


@pytest.mark.parametrize(
    ("order", "pages"),
    [
        # a pinned row on top; rows that come oldest first; a row of another day
        ("desc", [(3, 9, 8), (7, 6)]),
        ("desc", [(4, 5), (6, 7)]),
        ("asc", [(99, 6), (7, 8)]),
    ],
)
def test_a_page_that_is_not_sorted_as_declared_ends_nothing(
    order: str, pages: list[tuple[int, ...]]
) -> None:
    new = new_rows(5, row_order=order, end_value=50, range_start="open")
    for number, page in enumerate(pages, 1):
        new.keep(rows(*page), page=number)
        assert not new.exhausted
    (warning,) = new.warnings
    assert f"page 1 do not come in the order of `row_order: {order}`" in warning
    new.keep(rows(*((9, 4) if order == "desc" else (9, 51))), page=3)
    assert new.exhausted


def test_equal_cursors_and_rows_without_one_are_in_any_order() -> None:
    new = new_rows(5, row_order="desc", on_cursor_value_missing="include")
    new.keep(rows(None, 7, 7, None, 4, 4), page=1)
    assert new.exhausted
    assert new.warnings == ()


@pytest.mark.parametrize("order", ["asc", None])
def test_rows_before_the_start_end_nothing_that_comes_oldest_first(
    order: str | None,
) -> None:
    new = new_rows(5, row_order=order)
    new.keep(rows(1, 2), page=1)
    assert not new.exhausted


# null, dates and times ---------------------------------------------------------------
@pytest.mark.parametrize("at", ["2013-01-01", 5])
def test_a_null_cursor_after_one_with_a_value_is_no_crash(at: object) -> None:
    new = new_rows(on_cursor_value_missing="include")
    page = [*rows(at), b'{"id":9,"at":null}', b'{"id":10}']
    assert new.keep(page, page=1) == page
    assert new.position.value == at


@pytest.mark.parametrize(
    ("initial", "end", "zone", "kept"),
    [
        # in New York it is still the day before
        ("2024-01-03T04:00:00Z", None, "America/New_York", [2, 3, 4]),
        ("2024-01-03T04:00:00Z", None, None, [3, 4]),
        # its midnight is the end of the day before it
        ("2024-01-01T05:00:00Z", "2024-01-03T05:00:00Z", "America/New_York", [1, 2]),
        ("2024-01-01T05:00:00Z", "2024-01-03T05:00:01Z", "America/New_York", [1, 2, 3]),
        ("2023-12-31T15:00:00Z", "2024-01-02T15:00:00Z", "Asia/Tokyo", [1, 2]),
    ],
)
def test_a_time_bounds_rows_that_have_dates_by_its_day_in_the_declared_zone(
    initial: str, end: str | None, zone: str | None, kept: list[int]
) -> None:
    new = new_rows(initial_value=initial, end_value=end, timezone=zone)
    found = new.keep(rows(*(f"2024-01-0{day}" for day in range(1, 5))), page=1)
    assert [json.loads(one)["id"] for one in found] == kept


@pytest.mark.parametrize(
    ("value", "zone", "at"),
    [
        ("2013-01-02", None, datetime(2013, 1, 2, tzinfo=UTC)),
        ("2013-01-02", "America/New_York", datetime(2013, 1, 2, 5, tzinfo=UTC)),
        ("20130102", "UTC", None),
        ("2013-01-02T03:00:00+01:00", None, datetime(2013, 1, 2, 2, tzinfo=UTC)),
        (20130102, None, None),
        (None, None, None),
    ],
)
def test_a_cursor_of_days_or_times_is_an_instant_and_a_number_is_none(
    value: str | int | None, zone: str | None, at: datetime | None
) -> None:
    assert CursorOrder(timezone=zone).instant(value) == at


def test_an_end_alone_bounds_rows_that_have_dates_by_its_day() -> None:
    dataset = a_dataset(source=incremental())
    new = NewRows(
        dataset=dataset,
        position=CursorPosition(),
        window=Window(end="2013-01-05T00:00:00Z"),
    )
    new.keep(rows("2013-01-04", "2013-01-05"), page=1)
    assert new.position.value == "2013-01-04"


def test_digits_without_a_dash_are_a_number_and_no_date() -> None:
    assert CursorOrder().key("20130101")[0] == "number"
    assert CursorOrder().key("2013-01-01")[0] == "date"


def test_a_text_has_no_lag() -> None:
    with pytest.raises(BadInput, match="lag needs a cursor of times or numbers"):
        CursorOrder(type="text").moved_back("abc", 1)


# how bounds are asked for ------------------------------------------------------------
def test_an_end_that_its_format_cannot_say_is_asked_for_whole() -> None:
    dataset = a_dataset(
        source=incremental(
            initial_value="2013-01-01T06:30:00Z",
            end_value="2013-01-02T06:30:00Z",
            format="%Y-%m-%d",
        )
    )
    cursor = dataset.source.cursor
    assert cursor is not None
    window = plan_window(cursor, CursorPosition(value="2013-01-01T12:00:00Z"))
    assert (window.start, window.end) == (
        "2013-01-01T12:00:00Z",
        "2013-01-02T06:30:00Z",
    )
    assert (window.start_text, window.end_text) == ("2013-01-01", "2013-01-03")
    assert window.initial_text == "2013-01-01"


# what is remembered ------------------------------------------------------------------
@pytest.mark.parametrize("count", [3, 4])
def test_so_many_rows_are_remembered_and_no_more(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(edge, "MOST_REMEMBERED", 3)
    new = new_rows(initial_value="2013-01-01T00:00:00Z")
    same = rows(*["2013-01-02T00:00:00Z"] * count)
    if count == 3:
        assert len(new.keep(same, page=1)) == 3
        assert len(new.position.edge) == 3
    else:
        with pytest.raises(Terminal) as refused:
            new.keep(same, page=1)
        assert refused.value.kind is RunErrorKind.SCHEMA
        assert str(refused.value) == (
            "more than 3 rows of cats share one cursor value or are dated after now, "
            "and each would have to be remembered; accepted: a finer cursor, or "
            "`write_disposition: replace`"
        )


def test_a_row_after_now_is_remembered_with_its_day() -> None:
    dataset = a_dataset(source=incremental(initial_value="2013-01-01T00:00:00Z"))
    cursor = dataset.source.cursor
    assert cursor is not None
    new = NewRows(
        dataset=dataset,
        position=CursorPosition(),
        window=plan_window(cursor, CursorPosition()),
        limit=datetime(2013, 1, 2, tzinfo=UTC),
    )
    new.keep(rows("2013-01-01T12:00:00Z", "2013-01-09T12:00:00Z"), page=1)
    lengths = sorted(map(len, new.position.edge))
    assert lengths == [16, 20]
    (ahead,) = (one for one in new.position.edge if len(one) == 20)
    assert int.from_bytes(ahead[:4]) == datetime(2013, 1, 9, tzinfo=UTC).toordinal()
    assert new.position.value == "2013-01-01T12:00:00Z"


MISSING = (
    ", in the row with id 2, is missing, null or empty; set on_cursor_value_missing to "
    "`include` or `exclude` if that is as it should be"
)
NO_ORDER = (
    ", in the row with id 2, is not usable: [1] is not a cursor value; accepted: a "
    "number or a text"
)
OTHER_KIND = (
    ", in the row with id 2, is a date ('2013-01-01'), but it was a number; if the API "
    "has changed, `catflap reset cats --cursor VALUE` sets the cursor back"
)


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (rows(6, None), MISSING),
        (rows(6, [1]), NO_ORDER),
        (rows(6, "2013-01-01"), OTHER_KIND),
        ([b"[1]"], " cannot be read: Expected `object`, got `array`"),
    ],
    ids=["missing", "without an order", "of another kind", "unreadable"],
)
def test_a_cursor_that_is_no_good_is_told_in_full(page: list[bytes], said: str) -> None:
    with pytest.raises(Terminal) as refused:
        new_rows(5).keep(page, page=4)
    assert refused.value.kind is RunErrorKind.SCHEMA
    assert str(refused.value) == f"page 4: the cursor `at` of cats{said}"


@pytest.mark.parametrize(
    ("key", "where"),
    [
        (["id", "at"], ', in the row with id 1 and at "2013-01-01",'),
        (["id", "none"], ", in the row with id 1 and none ,"),
        ([], ""),
    ],
)
def test_a_row_is_told_by_all_of_its_key(key: list[str], where: str) -> None:
    dataset = a_dataset(
        source=incremental(), primary_key=key, write_disposition="append"
    )
    position = CursorPosition(value=5)
    new = NewRows(dataset=dataset, position=position, window=Window(start=5))
    with pytest.raises(Terminal) as refused:
        new.keep(rows("2013-01-01"), page=1)
    assert f"cats{where} is a date" in str(refused.value)


def test_a_dataset_without_a_cursor_has_no_new_rows() -> None:
    source = incremental()
    del source["endpoint"]["incremental"]
    dataset = a_dataset(source=source, write_disposition="replace")
    with pytest.raises(BadInput, match=r"^cats declares no incremental$"):
        NewRows(dataset=dataset, position=CursorPosition(), window=Window())


def test_two_kinds_on_one_page_are_told_in_full() -> None:
    new = new_rows()
    with pytest.raises(Terminal) as refused:
        new.keep(rows("2013-01-01", 5), page=1)
    assert str(refused.value) == (
        "page 1: the cursor `at` of cats is a date ('2013-01-01') and a number (5) on "
        "one page; accepted: one kind, which `incremental.cursor_type` may name"
    )


def test_what_is_remembered_at_the_cursor_says_nothing_of_another_start() -> None:
    dataset = a_dataset(source=incremental(), write_disposition="append")
    first = NewRows(dataset=dataset, position=CursorPosition(), window=Window())
    first.keep([b'{"id":1,"at":5}'], page=1)
    elsewhere = NewRows(
        dataset=dataset, position=first.position, window=Window(start=3)
    )
    page = [b'{"id":1,"at":3}', b'{"id":2,"at":4}']
    assert elsewhere.keep(page, page=1) == page
    again = NewRows(dataset=dataset, position=first.position, window=Window(start=5))
    assert again.keep([b'{"id":1,"at":5}', b'{"id":2,"at":5}'], page=1) == [
        b'{"id":2,"at":5}'
    ]
