"""Which page is the last of those that are counted."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from pydantic import JsonValue, TypeAdapter

from lambdas.core.errors import Terminal
from lambdas.core.http.message import HttpRequest
from lambdas.core.paging.auto import Paginator
from lambdas.core.paging.base import BasePaginator
from lambdas.core.paging.page import AnsweredPage
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
