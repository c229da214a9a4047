"""Which page is the last of those that are counted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from pydantic import JsonValue, TypeAdapter

from lambdas.core.errors import Terminal
from lambdas.core.http.message import HttpRequest
from lambdas.core.paging.auto import Paginator
from lambdas.core.paging.base import BasePaginator, CapReached
from lambdas.core.paging.page import AnsweredPage
from lambdas.core.paging.position import restored, stored
from lambdas.core.records.documents import Document

BASE = HttpRequest(
    method="GET", url="https://api.example.com/cats", params={}, headers={}
)


def page(document: Mapping[str, object], rows: int) -> AnsweredPage:
    return AnsweredPage(
        url="https://api.example.com/cats",
        origin="https://api.example.com:443",
        headers={},
        rows=rows,
        document=Document(json.dumps(document).encode()),
        request=BASE,
        secret_params=frozenset(),
    )


def counting(**keys: object) -> BasePaginator:
    paginator: BasePaginator = TypeAdapter(Paginator).validate_python(keys)
    return paginator


def numbers(**keys: object) -> BasePaginator:
    return counting(type="page_number", **keys)


def offsets(**keys: object) -> BasePaginator:
    return counting(type="offset", **{"limit": 10, **keys})


@pytest.mark.parametrize("more", [True, False])
@pytest.mark.parametrize("total", [1, 99])
@pytest.mark.parametrize("make", [numbers, offsets])
def test_a_declared_flag_outranks_the_total(
    make: object, total: int, *, more: bool
) -> None:
    paginator: BasePaginator = make(has_more_path="more")  # type: ignore[operator]  # one of two makers
    found = paginator.following(page({"total": total, "more": more}, 10), None)
    assert (found is not None) is more


@pytest.mark.parametrize(
    ("paginator", "position", "following"),
    [
        (
            numbers(total_path=None, stop_after_empty_page=False, maximum_page=9),
            None,
            1,
        ),
        (numbers(total_path=None, stop_after_empty_page=False, maximum_page=9), 7, 8),
        (
            offsets(total_path=None, stop_after_empty_page=False, maximum_offset=90),
            None,
            {"offset": 10, "limit": 10},
        ),
        (
            offsets(total_path=None, stop_after_empty_page=False, maximum_offset=90),
            {"offset": 70, "limit": 10},
            {"offset": 80, "limit": 10},
        ),
    ],
)
def test_empty_pages_are_passed_over_up_to_the_maximum(
    paginator: BasePaginator, position: JsonValue, following: JsonValue
) -> None:
    assert paginator.following(page({}, 0), position) == following


@pytest.mark.parametrize("make", [numbers, offsets])
def test_a_page_with_rows_goes_on_to_the_maximum_too(make: object) -> None:
    name = "maximum_page" if make is numbers else "maximum_offset"
    paginator: BasePaginator = make(  # type: ignore[operator]  # one of two makers
        total_path=None, stop_after_empty_page=False, **{name: 90}
    )
    assert paginator.following(page({}, 3), None) is not None


@pytest.mark.parametrize("make", [numbers, offsets])
def test_a_declared_total_that_never_comes_is_an_error_where_no_empty_page_ends_it(
    make: object,
) -> None:
    paginator: BasePaginator = make(stop_after_empty_page=False)  # type: ignore[operator]  # one of two makers
    with pytest.raises(Terminal, match="neither the total nor has_more"):
        paginator.following(page({}, 10), None)


def test_an_empty_first_page_keeps_the_limit_that_was_asked_for() -> None:
    paginator = offsets(total_path="total", stop_after_empty_page=False)
    assert paginator.following(page({"total": 99}, 0), None) == {
        "offset": 10,
        "limit": 10,
    }


def test_an_api_that_caps_the_limit_is_followed_by_its_own() -> None:
    paginator = offsets(total_path="total")
    assert paginator.following(page({"total": 99}, 4), None) == {
        "offset": 4,
        "limit": 4,
    }


# reading ahead -----------------------------------------------------------------------
def positions(limit: int, *starts: int) -> list[dict[str, int]]:
    return [{"offset": start, "limit": limit} for start in starts]


@pytest.mark.parametrize(
    ("paginator", "document", "upcoming", "foreseen"),
    [
        (numbers(), {"total": 4}, 1, [1, 2, 3]),
        (numbers(base_page=1), {"total": 4}, 2, [2, 3, 4]),
        (numbers(), {"total": 40}, 1, [1, 2, 3, 4, 5]),
        (numbers(maximum_page=3), {"total": 40}, 1, [1, 2]),
        (numbers(), {}, 1, []),
        (numbers(has_more_path="more"), {"total": 40, "more": True}, 1, []),
        (
            offsets(),
            {"total": 35},
            {"offset": 10, "limit": 10},
            positions(10, 10, 20, 30),
        ),
        (
            offsets(maximum_offset=25),
            {"total": 99},
            {"offset": 10, "limit": 10},
            positions(10, 10, 20),
        ),
        (offsets(), {}, {"offset": 10, "limit": 10}, []),
        (
            offsets(has_more_path="more"),
            {"total": 99, "more": True},
            {"offset": 10, "limit": 10},
            [],
        ),
    ],
)
def test_pages_are_read_ahead_up_to_the_total_or_the_maximum_and_never_by_a_flag(
    paginator: BasePaginator,
    document: Mapping[str, object],
    upcoming: JsonValue,
    foreseen: object,
) -> None:
    assert list(paginator.foreseen(page(document, 10), upcoming, 5)) == foreseen


# a page without rows ------------------------------------------------------------------
LINK = "https://api.example.com/cats?at=5"
LEADING = counting(type="cursor", cursor_path="next")
LINKED = counting(type="json_link")


def second(
    paginator: BasePaginator,
    first: Mapping[str, object],
    then: Mapping[str, object],
    *,
    rows: int = 0,
    is_resumed: bool = False,
) -> tuple[AnsweredPage, JsonValue]:
    """The page after one of five rows, and its position."""
    before = page(first, 5)
    position, known = paginator.after(before, None), before.remembered()
    if is_resumed:
        position, known = restored(stored(position, known))
    return replace(page(then, rows), before=known), position


def is_end(paginator: BasePaginator, answer: AnsweredPage, position: JsonValue) -> bool:
    return paginator.after(answer, position) is None


@pytest.mark.parametrize("is_resumed", [False, True])
@pytest.mark.parametrize(
    ("paginator", "first", "then"),
    [
        (LEADING, {"next": "a", "total": 5}, {"next": None, "total": 9}),
        (LINKED, {"next": LINK, "total": 5}, {"next": None, "total": 9}),
        (LINKED, {"next": LINK, "total": 5}, {"next": f"{LINK}0", "total": 9}),
        (LINKED, {"next": LINK, "pages": 1}, {"next": None, "pages": 3}),
        (counting(type="auto"), {"next": LINK, "total": 5}, {"next": "", "total": 9}),
        (
            counting(type="json_link", stop_after_empty_page=True),
            {"next": LINK, "total": 5},
            {"next": f"{LINK}0", "total": 9},
        ),
        (offsets(limit=5, has_more_path="m"), {"total": 5, "m": 1}, {"total": 9}),
        (numbers(has_more_path="m"), {"total": 5, "m": 1}, {"total": 9}),
    ],
)
def test_an_end_that_only_the_newest_total_is_against_is_doubtful(
    paginator: BasePaginator,
    first: Mapping[str, object],
    then: Mapping[str, object],
    *,
    is_resumed: bool,
) -> None:
    answer, position = second(paginator, first, then, is_resumed=is_resumed)
    assert is_end(paginator, answer, position)
    assert paginator.is_doubtful_end(answer, position)


@pytest.mark.parametrize(
    ("keys", "then", "rows"),
    [
        ({}, {"next": None, "total": 5}, 0),
        ({}, {"next": None, "total": 4}, 0),
        ({}, {"next": None, "total": 9}, 2),
        ({}, {"next": None, "total": 9, "has_more": False}, 0),
        ({"ignore_total": True}, {"next": None, "total": 9}, 0),
        ({"last_page_path": "fin"}, {"next": None, "total": 9, "fin": True}, 0),
        ({"has_more_path": "more"}, {"next": None, "total": 9, "more": False}, 0),
    ],
)
def test_an_end_that_is_told_or_of_a_page_with_rows_is_none_to_doubt(
    keys: Mapping[str, object], then: Mapping[str, object], rows: int
) -> None:
    paginator = counting(type="cursor", cursor_path="next", **keys)
    answer, position = second(paginator, {"next": "a", "total": 5}, then, rows=rows)
    assert is_end(paginator, answer, position)
    assert not paginator.is_doubtful_end(answer, position)


def test_what_is_no_end_is_none_to_doubt() -> None:
    for then in ({"next": "b", "total": 9}, {"next": None}, {"error": "x", "next": ""}):
        answer, position = second(LEADING, {"next": "a", "total": 7}, then)
        assert not LEADING.is_doubtful_end(answer, position)


@pytest.mark.parametrize(
    ("paginator", "says"),
    [
        (numbers(total_path="pages"), {"pages": 3}),
        (numbers(total_path="$.pages", base_page=1), {"pages": 3}),
        (numbers(total_path="meta.total_pages"), {"meta": {"total_pages": 3}}),
        (numbers(total_path="pages"), {"pages": 2}),
        (numbers(total_path="n"), {"n": 15}),
        (numbers(), {"total": 15}),
        (offsets(limit=5), {"total": 15}),
        (offsets(limit=5, total_path="n"), {"n": 15}),
        (offsets(limit=5, total_path="$.n"), {"n": 15}),
        (counting(type="auto"), {"page": 1, "pages": 3}),
    ],
)
def test_a_page_without_rows_before_the_declared_total_is_no_end(
    paginator: BasePaginator, says: Mapping[str, object]
) -> None:
    answer, position = second(paginator, says, says)
    with pytest.raises(CapReached, match="finds no more after 5 rows"):
        paginator.after(answer, position)


@pytest.mark.parametrize(
    ("paginator", "says"),
    [
        (numbers(total_path="pages"), {"pages": 1}),
        (numbers(), {"total": 5}),
        (numbers(), {"total": 2}),
        (numbers(base_page=1, page=3), {"total": 15}),
        (numbers(total_path="pages", ignore_total=True), {"pages": 9}),
        (offsets(limit=5, total_path="n", ignore_total=True), {"n": 15}),
        (offsets(limit=5, offset=1, total_path="n"), {"n": 5}),
        (offsets(limit=5, total_path=None), {"n": 15}),
    ],
)
def test_a_page_without_rows_is_the_end_where_the_total_is_reached_or_ignored(
    paginator: BasePaginator, says: Mapping[str, object]
) -> None:
    position: JsonValue = (
        3 if paginator.kind() == "page_number" else {"offset": 6, "limit": 5}
    )
    answer = replace(page(says, 0), before=page(says, 5).remembered())
    assert is_end(paginator, answer, position)
