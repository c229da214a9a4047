from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.cursor.order import CursorOrder
from lambdas.core.dataset import Incremental
from lambdas.core.errors import BadInput, RunErrorKind, Terminal
from lambdas.core.pull.cursor import NewRows
from lambdas.core.pull.plan import planned
from lambdas.core.pull.run import CursorPosition, Resume
from lambdas.core.pull.segment import shape_of
from lambdas.core.pull.window import plan_window
from tests.datasets import a_dataset, incremental


def rows(*ats: object) -> list[bytes]:
    return [
        json.dumps({"id": number, "at": at}).encode()
        for number, at in enumerate(ats, start=1)
    ]


def new_rows(
    position: CursorPosition | None = None,
    *,
    disposition: str = "merge",
    now: datetime | None = None,
    **keys: object,
) -> NewRows:
    dataset = a_dataset(source=incremental(**keys), write_disposition=disposition)
    endpoint = dataset.source.endpoint
    assert endpoint is not None
    assert endpoint.incremental is not None
    position = position or CursorPosition()
    return NewRows(
        dataset=dataset,
        position=position,
        window=plan_window(endpoint.incremental, position),
        limit=now,
    )


def test_cursor_moves_to_the_greatest_value_as_the_api_wrote_it() -> None:
    new = new_rows()
    new.keep(rows("2013-01-01T02:00:00+01:00", "2013-01-01T01:30:00Z"), page=1)
    assert new.position.value == "2013-01-01T01:30:00Z"


def test_equal_instants_with_other_offsets_stand_at_one_edge() -> None:
    first = new_rows()
    seen = rows("2013-01-01T02:00:00+01:00")
    first.keep(seen, page=1)
    again = new_rows(first.position)
    late = [b'{"id":9,"at":"2013-01-01T01:00:00Z"}']
    assert again.keep([*seen, *late], page=1) == late


def test_a_row_that_appears_at_the_edge_later_is_kept_and_old_ones_dropped() -> None:
    first = new_rows()
    old = rows(5, 5)
    first.keep(old, page=1)
    second = new_rows(first.position)
    new = [b'{"id":3,"at":5}']
    assert second.keep([*old, *new], page=1) == new
    third = new_rows(second.position)
    assert third.keep([*old, *new], page=1) == []


def test_an_update_at_the_same_cursor_is_kept_where_rows_are_merged() -> None:
    first = new_rows()
    first.keep([b'{"id":1,"at":5,"v":1}'], page=1)
    changed = [b'{"id":1,"at":5,"v":2}']
    assert new_rows(first.position).keep(changed, page=1) == changed


def test_an_appended_row_is_known_by_its_key_alone() -> None:
    first = new_rows(disposition="append")
    first.keep([b'{"id":1,"at":5,"v":1}'], page=1)
    again = new_rows(first.position, disposition="append")
    assert again.keep([b'{"id":1,"at":5,"v":2}'], page=1) == []


def test_lag_asks_from_before_the_cursor_in_the_apis_own_style() -> None:
    at = Incremental(cursor_path="at", lag=3600)
    window = plan_window(at, CursorPosition(value="2013-01-01T05:00:00Z"))
    assert window.start_text == "2013-01-01T04:00:00Z"


@pytest.mark.parametrize(
    ("value", "lag", "expected"),
    [
        (10, 3, 7),
        (10.5, 0.5, 10.0),
        ("2013-01-02", 3600, "2013-01-01"),
        ("2013-01-01T00:00:00+02:00", 60, "2012-12-31T23:59:00+02:00"),
        ("2013-01-01 00:01:00Z", 60, "2013-01-01 00:00:00Z"),
    ],
)
def test_lag_keeps_the_form_of_the_value(
    value: str | float, lag: float, expected: str | float
) -> None:
    assert CursorOrder().moved_back(value, lag) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("epoch", "1357016400"),
        ("epoch_ms", "1357016400000"),
        ("%d.%m.%Y %H:%M", "01.01.2013 05:00"),
        (None, "2013-01-01T05:00:00Z"),
    ],
)
def test_the_start_is_written_as_the_api_wants_it(
    pattern: str | None, expected: str
) -> None:
    at = Incremental(cursor_path="at", format=pattern)
    window = plan_window(at, CursorPosition(value="2013-01-01T05:00:00Z"))
    assert window.start_text == expected


def test_the_format_uses_the_declared_zone() -> None:
    at = Incremental(cursor_path="at", format="%H:%M", timezone="America/New_York")
    window = plan_window(at, CursorPosition(value="2013-01-01T05:00:00Z"))
    assert window.start_text == "00:00"


def test_a_naive_time_is_refused_and_the_way_out_is_named() -> None:
    with pytest.raises(Terminal, match=r"incremental\.timezone") as caught:
        new_rows().keep(rows("2013-01-01T00:00:00"), page=3)
    assert caught.value.kind is RunErrorKind.SCHEMA
    assert "page 3" in str(caught.value)


def test_a_naive_time_gets_its_declared_zone() -> None:
    new = new_rows(timezone="America/New_York")
    kept = new.keep(rows("2013-01-01T00:00:00", "2013-01-01T04:59:59Z"), page=1)
    assert len(kept) == 2
    assert new.position.value == "2013-01-01T00:00:00"


@pytest.mark.parametrize(
    ("missing", "kept"), [("include", 2), ("exclude", 1), ("raise", None)]
)
@pytest.mark.parametrize("lacking", [b'{"id":1}', b'{"id":1,"at":""}'])
def test_a_missing_cursor_does_what_was_declared(
    missing: str, kept: int | None, lacking: bytes
) -> None:
    new = new_rows(on_cursor_value_missing=missing)
    page = [lacking, b'{"id":2,"at":3}']
    if kept is None:
        with pytest.raises(Terminal, match="missing, null or empty"):
            new.keep(page, page=1)
    else:
        assert len(new.keep(page, page=1)) == kept


def test_an_empty_text_is_a_cursor_where_texts_are() -> None:
    new = new_rows(cursor_type="text")
    assert len(new.keep(rows("", "a"), page=1)) == 2


@pytest.mark.parametrize(("value", "warns"), [(3, True), (5, False), (9, False)])
def test_a_first_pull_of_rows_before_initial_value_says_so(
    value: int, *, warns: bool
) -> None:
    new = new_rows(initial_value=5)
    new.keep(rows(1, value), page=1)
    assert any("initial_value is where" in one for one in new.warnings) == warns


@pytest.mark.parametrize("value", [True, {"a": 1}, [1]])
def test_a_value_that_cannot_be_a_cursor_is_refused(value: object) -> None:
    with pytest.raises(Terminal, match="accepted: a number or a text"):
        new_rows().keep(rows(value), page=1)


def test_a_cursor_that_changes_its_kind_is_refused() -> None:
    with pytest.raises(Terminal, match=r"is a date .*but it was a number"):
        new_rows(CursorPosition(value=5)).keep(rows("2013-01-01"), page=1)


def test_end_value_is_open_and_start_closed_unless_said_otherwise() -> None:
    assert (
        new_rows(initial_value=1, end_value=3).keep(rows(1, 2, 3), page=1)
        == (rows(1, 2, 3)[:2])
    )
    other = new_rows(
        initial_value=1, end_value=3, range_start="open", range_end="closed"
    )
    assert other.keep(rows(1, 2, 3), page=1) == rows(1, 2, 3)[1:]


def test_descending_rows_stop_at_the_first_old_one() -> None:
    new = new_rows(CursorPosition(value=5), row_order="desc")
    new.keep(rows(9, 8), page=1)
    assert not new.exhausted
    new.keep(rows(7, 4), page=2)
    assert new.exhausted


def test_nested_and_indexed_paths_are_read() -> None:
    for path, record in (
        ("meta.at", b'{"meta":{"at":4}}'),
        ("meta[0].at", b'{"meta":[{"at":4}]}'),
    ):
        new = new_rows(cursor_path=path)
        assert new.keep([record], page=1) == [record]
        assert new.position.value == 4


def test_nanoseconds_are_not_ties() -> None:
    early = CursorOrder().key("2013-01-01T00:00:00.123456001Z")
    late = CursorOrder().key("2013-01-01T00:00:00.123456002Z")
    assert early < late


def test_a_bad_initial_value_is_bad_input() -> None:
    with pytest.raises(BadInput, match="no zone is declared"):
        new_rows(initial_value="2013-01-01T00:00:00")


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 6), st.integers(0, 20)), max_size=6),
        max_size=8,
    )
)
def test_growing_upstreams_are_never_lost_and_never_doubled(
    batches: list[list[tuple[int, int]]],
) -> None:
    """Each pull sees all rows not below the cursor; new rows appear at or after it."""
    upstream: list[tuple[int, bytes]] = []
    landed: list[bytes] = []
    position = CursorPosition()
    number = 0
    for batch in batches:
        floor = position.value if isinstance(position.value, int) else 0
        for step, _ in batch:
            number += 1
            at = floor + step
            upstream.append((at, json.dumps({"id": number, "at": at}).encode()))
        new = new_rows(position)
        answer = [record for at, record in sorted(upstream) if at >= floor]
        for start in range(0, len(answer), 2):
            landed += new.keep(answer[start : start + 2], page=start)
        position = new.position
    assert sorted(landed) == sorted(record for _, record in upstream)


TIMES = ("2024-01-02T23:00:00Z", "2024-01-03T00:00:00Z", "2024-01-04T23:59:59Z",
         "2024-01-05T00:00:00Z")  # fmt: skip


@pytest.mark.parametrize(
    ("initial", "end", "zone", "kept"),
    [
        ("2024-01-03", None, None, [1, 2, 3]),
        ("2024-01-03", "2024-01-05", None, [1, 2]),
        # midnight in New York is 5 o'clock in UTC
        ("2024-01-03", None, "America/New_York", [2, 3]),
    ],
)
def test_a_date_bounds_rows_that_have_times_by_its_midnight(
    initial: str, end: str | None, zone: str | None, kept: list[int]
) -> None:
    new = new_rows(initial_value=initial, end_value=end, timezone=zone)
    found = new.keep(rows(*TIMES), page=1)
    assert [json.loads(one)["id"] - 1 for one in found] == kept
    assert new.position.value == TIMES[kept[-1]]


@pytest.mark.parametrize(
    ("initial", "end", "kept"),
    [
        ("2024-01-02T10:00:00Z", None, [1, 2, 3]),
        ("2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z", [1]),
        ("2024-01-02T00:00:00Z", "2024-01-03T10:00:00Z", [1, 2]),
    ],
)
def test_a_time_bounds_rows_that_have_dates_by_its_day(
    initial: str, end: str | None, kept: list[int]
) -> None:
    new = new_rows(initial_value=initial, end_value=end)
    days = [f"2024-01-0{n}" for n in range(1, 5)]
    found = new.keep(rows(*days), page=1)
    assert [json.loads(one)["id"] - 1 for one in found] == kept


@pytest.mark.parametrize(
    "values", [(5, "2024-01-01"), ("2024-01-01", "2024-01-02T00:00:00Z")]
)
def test_two_kinds_of_cursor_on_the_first_page_are_a_fault(
    values: tuple[object, object],
) -> None:
    with pytest.raises(
        Terminal, match=r"page 1: the cursor `at` of cats is a .* on one page"
    ):
        new_rows().keep(rows(*values), page=1)


@pytest.mark.parametrize(
    ("stood_at", "page"),
    [(None, ("1.8", "1.9", "1.10")), ("1.9", ("1.10",)), ("01.9", ("2.0", "1.11"))],
)
def test_versions_are_not_compared_as_numbers(
    stood_at: str | None, page: tuple[str, ...]
) -> None:
    new = new_rows(CursorPosition(value=stood_at))
    with pytest.raises(Terminal, match=r"whose order is not known.*: number`"):
        new.keep(rows(*page), page=1)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (("1.9", "2.10", "3"), None),
        (("1700000000.000100", "1700000000.000200"), None),
        ((1.9, 1.25), None),
        (("1.9", "1.25"), "number"),
    ],
)
def test_numbers_with_fractions_are_compared_where_they_are_numbers(
    values: tuple[object, ...], kind: str | None
) -> None:
    new = new_rows(cursor_type=kind)
    assert len(new.keep(rows(*values), page=1)) == len(values)
    assert new.position.value == max(values, key=lambda one: float(str(one)))


NOW = datetime(2024, 1, 3, 12, tzinfo=UTC)


def pulled(
    position: CursorPosition, page: list[bytes], *, now: datetime = NOW, **keys: object
) -> tuple[list[object], CursorPosition]:
    """The ids that one pull keeps, and where the cursor stands after it."""
    disposition = str(keys.pop("disposition", "append"))
    dataset = a_dataset(source=incremental(**keys), write_disposition=disposition)
    cursor = dataset.source.cursor
    assert cursor is not None
    window = plan_window(cursor, position)
    new = NewRows(dataset=dataset, position=position, window=window, limit=now)
    kept = new.keep(page, page=1)
    return [json.loads(one).get("id") for one in kept], new.position


@pytest.mark.parametrize("disposition", ["append", "merge"])
@pytest.mark.parametrize(
    "sentinel", ["2099-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2024-01-04T00:00:00Z"]
)
def test_a_cursor_never_passes_now_and_later_rows_land_once(
    sentinel: str, disposition: str
) -> None:
    page = rows("2024-01-01T00:00:00Z", sentinel)
    kept, position = pulled(CursorPosition(), page, disposition=disposition)
    assert (kept, position.value) == ([1, 2], "2024-01-01T00:00:00Z")
    page += [b'{"id":3,"at":"2024-01-02T00:00:00Z"}']
    kept, position = pulled(position, page, disposition=disposition)
    assert (kept, position.value) == ([3], "2024-01-02T00:00:00Z")
    kept, position = pulled(position, page, disposition=disposition)
    assert (kept, position.value) == ([], "2024-01-02T00:00:00Z")


def test_a_booking_is_passed_once_its_day_has_come() -> None:
    booking = rows("2024-01-05T00:00:00Z")
    kept, position = pulled(CursorPosition(), booking)
    assert (kept, position.value) == ([1], None)
    later = NOW + timedelta(days=5)
    kept, position = pulled(position, booking, now=later)
    assert (kept, position.value) == ([], "2024-01-05T00:00:00Z")
    new = [*booking, b'{"id":2,"at":"2024-01-05T00:00:00Z"}']
    kept, position = pulled(position, new, now=later)
    assert (kept, position.edge) == ([2], position.edge)
    assert all(len(one) == 16 for one in position.edge)


def test_a_row_that_is_dated_later_and_changes_lands_again_where_it_is_merged() -> None:
    first, position = pulled(
        CursorPosition(), rows("2099-01-01T00:00:00Z"), disposition="merge"
    )
    changed = [b'{"id":1,"at":"2099-01-01T00:00:00Z","v":2}']
    assert first == [1]
    assert pulled(position, changed, disposition="merge")[0] == [1]
    assert pulled(position, changed, disposition="append")[0] == [1]


LOG = [
    b'{"id":1,"at":"2024-01-01T00:00:00Z","v":1}',
    b'{"id":2,"at":"2099-01-01T00:00:00Z","v":2}',
    b'{"id":2,"at":"2099-01-01T00:00:00Z","v":3}',
    b'{"id":2,"at":"2099-01-02T00:00:00Z","v":4}',
]
"""Versions of rows, which all come again with each pull."""


def test_a_cut_forgets_no_version_that_is_yet_to_come() -> None:
    _, position = pulled(CursorPosition(), LOG, disposition="merge")
    new = [b'{"id":3,"at":"2024-01-02T00:00:00Z"}']
    segment = new_rows(position, row_order="asc", now=NOW)
    assert segment.keep([*new, LOG[1]], page=1) == new
    assert segment.can_stop_here
    assert pulled(segment.cut_position, LOG[1:], disposition="merge")[0] == []


def test_an_end_forgets_no_version_that_is_dated_after_it() -> None:
    _, position = pulled(CursorPosition(), LOG, disposition="merge")
    till = new_rows(position, end_value="2099-01-01T12:00:00Z", now=NOW)
    assert till.keep(LOG[1:3], page=1) == []
    assert pulled(till.position, LOG, disposition="merge")[0] == []


def test_a_version_that_came_no_more_is_forgotten_before_an_end() -> None:
    _, position = pulled(CursorPosition(), LOG[1:2], disposition="merge")
    till = new_rows(position, end_value="2100-01-01T00:00:00Z", now=NOW)
    assert till.keep(LOG[2:3], page=1) == LOG[2:3]
    assert len(till.position.edge) == 1
    assert len(till.cut_position.edge) == 2


@pytest.mark.parametrize(
    ("zone", "day", "stands_at"),
    [
        (None, "2024-01-04", "2024-01-04"),  # somewhere it has begun
        (None, "2024-01-05", None),  # nowhere: on Kiritimati it is 02:00 of the 4th
        ("UTC", "2024-01-04", None),
        ("Pacific/Auckland", "2024-01-04", "2024-01-04"),
    ],
)
def test_a_day_has_come_where_its_zone_says(
    zone: str | None, day: str, stands_at: str | None
) -> None:
    _, position = pulled(CursorPosition(), rows(day), timezone=zone)
    assert position.value == stands_at


@pytest.mark.parametrize(("minute", "has_begun"), [(-1, False), (0, True)])
def test_a_day_without_a_zone_begins_when_it_does_on_kiritimati(
    minute: int, *, has_begun: bool
) -> None:
    now = datetime(2024, 1, 3, 10, tzinfo=UTC) + timedelta(minutes=minute)
    _, position = pulled(CursorPosition(), rows("2024-01-04"), now=now)
    assert position.value == ("2024-01-04" if has_begun else None)


def test_an_update_that_is_taken_back_at_the_edge_lands_each_time() -> None:
    one, two = b'{"id":1,"at":5,"v":1}', b'{"id":1,"at":5,"v":2}'
    position = CursorPosition()
    for page in (one, two, one, two):
        kept, position = pulled(position, [page], disposition="merge")
        assert kept == [1]
        assert pulled(position, [page], disposition="merge")[0] == []


def test_versions_of_a_row_at_one_cursor_land_once() -> None:
    log = [b'{"id":1,"at":5,"v":1}', b'{"id":1,"at":5,"v":2}']
    _, position = pulled(CursorPosition(), log, disposition="merge")
    assert pulled(position, log, disposition="merge")[0] == []


def test_two_absent_keys_are_not_the_same_key() -> None:
    _, position = pulled(CursorPosition(), [b'{"at":5,"name":"a"}', b'{"id":1,"at":4}'])
    other = b'{"at":5,"name":"b","id":null}'
    assert len(pulled(position, [b'{"at":5,"name":"a"}', other])[0]) == 1


def test_only_older_rows_are_a_warning_and_rows_at_the_cursor_are_none() -> None:
    position = CursorPosition(value="2024-01-02T00:00:00Z")
    new = new_rows(position)
    new.keep(rows("2024-01-01T00:00:00Z"), page=1)
    new.keep(rows("2023-01-01T00:00:00Z"), page=2)
    (warning,) = new.warnings
    assert warning == (
        "upstream was asked from '2024-01-02T00:00:00Z' on and sent 2 rows, none of "
        "them new: the newest ('2024-01-01T00:00:00Z') is older. If that is not as it "
        "should be, look whether the API filters by `at` and reads the value as it is "
        "written; `catflap reset cats --cursor VALUE` sets the cursor back"
    )
    new.keep(rows("2024-01-02T00:00:00Z"), page=3)
    assert new.warnings == ()
    assert new_rows(position).warnings == ()


def test_a_cursor_after_now_is_a_warning_that_names_it_without_its_lag() -> None:
    new = new_rows(CursorPosition(value="2024-01-04T00:00:00Z"), now=NOW, lag=3600)
    (warning,) = new.warnings
    assert warning == (
        "the cursor stands at '2024-01-04T00:00:00Z', which is after now: rows that "
        "are dated before it are not asked for; `catflap reset cats --cursor VALUE` "
        "sets the cursor back"
    )
    now = new_rows(CursorPosition(value="2024-01-03T12:00:00Z"), now=NOW)
    assert now.warnings == ()


SECONDS = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        (1704000000, SECONDS, None),
        (SECONDS, SECONDS + 1, "epoch"),
        (SECONDS + 1, SECONDS + 2, None),  # it was after now before
        (10**9, SECONDS + 1, "epoch"),
        (10**9 - 1, SECONDS + 1, None),
        (1000 * SECONDS - 1, 1000 * SECONDS, None),
        (1000 * SECONDS, 1000 * SECONDS + 1, "epoch_ms"),
        (10**12, 1000 * SECONDS + 1, "epoch_ms"),
        (10**12 - 1, 1000 * SECONDS + 1, None),
        (None, SECONDS + 1, None),  # nothing says that they are such counts
        ("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z", None),
    ],
)
def test_a_number_that_looks_like_a_time_after_now_is_a_warning(
    before: int | str | None, after: int | str, name: str | None
) -> None:
    new = new_rows(CursorPosition(value=before), now=NOW)
    new.keep(rows(after), page=1)
    said = (
        f"the cursor has moved to {after}, which as a count since 1970 is after now. "
        f"If it is one, declare `incremental.cursor_format: {name}`, so that the "
        "cursor never passes now; `catflap reset cats --cursor VALUE` sets the cursor "
        "back"
    )
    assert new.warnings == ((said,) if name else ())


def test_a_first_pull_that_brings_no_row_has_no_cursor_to_warn_of() -> None:
    new = new_rows(initial_value=10**9, now=NOW)
    new.keep([], page=1)
    assert new.warnings == ()


def test_rows_below_the_cursor_are_not_remembered_at_its_edge() -> None:
    new = new_rows()
    new.keep(rows(7), page=1)
    edge = new.position.edge
    new.keep(rows(5, 6), page=2)
    assert (new.position.value, new.position.edge) == (7, edge)


def test_without_a_limit_no_number_is_after_now() -> None:
    new = new_rows(CursorPosition(value=SECONDS))
    new.keep(rows(SECONDS + 1), page=1)
    assert new.warnings == ()


def test_a_value_without_an_order_is_told_with_its_row_and_dataset() -> None:
    page = [b'{"id":7,"at":"2024-01-01"}', b'{"id":8,"at":"01/02/2024"}']
    with pytest.raises(Terminal, match="the cursor `at` of cats, in the row with id 8"):
        new_rows().keep(page, page=1)


def test_an_old_state_is_read_and_nothing_lands_twice() -> None:
    """16 bytes of the key alone, as they were written before."""
    key = hashlib.blake2b(b"1", digest_size=16).digest()
    position = CursorPosition(value=5, edge=frozenset({key}))
    assert pulled(position, [b'{"id":1,"at":5}', b'{"id":2,"at":5}'])[0] == [2]


def test_a_later_segment_moves_the_cursor_no_further_than_when_its_pull_began() -> None:
    dataset = a_dataset(source=incremental())
    resume = Resume(
        position="1",
        reached=CursorPosition(),
        pull_id="20240103T120000.000Z-000000000000",
        started_at=NOW,
        segments=1,
        shape=shape_of(dataset),
    )
    later = NOW + timedelta(hours=8)
    plan = planned(dataset, CursorPosition(), resume=resume, now=later)
    page = rows("2024-01-03T11:00:00Z", "2024-01-03T14:00:00Z")
    assert plan.rows.keep(page, page=1) == page
    assert plan.rows.position.value == "2024-01-03T11:00:00Z"
