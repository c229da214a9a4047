"""What the paginators promise of an upstream that grows while it is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from lambdas.core.http.message import HttpRequest
from lambdas.core.paging.auto import AutoPaginator
from lambdas.core.paging.base import BasePaginator
from lambdas.core.paging.loops import LoopGuard
from lambdas.core.paging.page import AnsweredPage
from lambdas.core.paging.paginators.cursor import CursorPaginator
from lambdas.core.paging.paginators.header_cursor import HeaderCursorPaginator
from lambdas.core.paging.paginators.header_link import HeaderLinkPaginator
from lambdas.core.paging.paginators.json_link import JsonLinkPaginator
from lambdas.core.paging.paginators.offset import OffsetPaginator
from lambdas.core.paging.paginators.page_number import PageNumberPaginator
from lambdas.core.paging.signs import NOTHING_BEFORE
from lambdas.core.records.documents import Document
from lambdas.core.records.select import select_records

BASE = HttpRequest(method="GET", url="https://a/cats", params={}, headers={})


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request as an API reads it, and how many rows there are at that moment."""

    params: Mapping[str, str]
    rows: int


@dataclass(frozen=True, kw_only=True)
class Told:
    """An answer: the ids in it, and what it says of the pages."""

    ids: range
    body: Mapping[str, JsonValue]
    headers: Mapping[str, str]


Api = Callable[[Asked], Told]


def told(
    ids: range,
    body: Mapping[str, JsonValue] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Told:
    return Told(ids=ids, body=body or {}, headers=headers or {})


def read(
    paginator: BasePaginator, api: Api, growth: list[int], start: int
) -> list[int]:
    """Every id that a pull lands, in order, from an API that grows as `growth` says
    before each request.
    """
    landed: list[int] = []
    guard = LoopGuard()
    position: JsonValue = None
    before = NOTHING_BEFORE
    rows = start
    for _ in range(1000):
        request = paginator.request(BASE, position)
        guard.before(request)
        query = request.url.partition("?")[2]
        params = dict(pair.split("=") for pair in query.split("&") if pair)
        answer = api(Asked(params={**params, **request.params}, rows=rows))
        records = [{"id": one} for one in answer.ids]
        document = Document(json.dumps({"rows": records, **answer.body}).encode())
        guard.seen(select_records(document, "rows"))
        landed.extend(answer.ids)
        page = AnsweredPage(
            url=request.url,
            origin="https://a:443",
            headers=answer.headers,
            rows=len(records),
            document=document,
            request=request,
            selector="rows",
            before=before,
        )
        before = page.remembered()
        position = json.loads(json.dumps(paginator.after(page, position)))
        if position is None:
            return landed
        rows += growth.pop() if growth else 0
    pytest.fail("it does not end")


def by_keyset(size: int, tell: str) -> Api:
    """Pages after an id, told in one of five ways; the last page says so."""

    def api(asked: Asked) -> Told:
        after = int(asked.params.get("cursor", asked.params.get("p", "0")))
        ids = range(after, min(after + size, asked.rows))
        following = ids.stop if ids.stop < asked.rows else None
        match tell:
            case "json_link":
                return told(ids, {"next": following and f"/cats?p={following}"})
            case "header_link":
                link = f'</cats?p={following}>; rel="next"'
                return told(ids, headers={"link": link} if following else {})
            case "header_cursor":
                return told(ids, headers={"next": str(following)} if following else {})
            case _:
                return told(ids, {"cursors": {"next": following}})

    return api


KEYSETS: dict[str, BasePaginator] = {
    "json_link": JsonLinkPaginator(),
    "header_link": HeaderLinkPaginator(),
    "header_cursor": HeaderCursorPaginator(),
    "cursor": CursorPaginator(),
}

GROWTH = st.lists(st.integers(0, 7), max_size=8)


@pytest.mark.parametrize("auto", [False, True])
@pytest.mark.parametrize("tell", KEYSETS)
@given(start=st.integers(0, 40), size=st.integers(1, 12), growth=GROWTH)
def test_links_and_cursors_give_every_row_once(
    *,
    tell: str,
    auto: bool,
    start: int,
    size: int,
    growth: list[int],
) -> None:
    if auto and tell == "header_cursor":
        return  # nothing in an answer tells such a header from any other
    paginator = AutoPaginator() if auto else KEYSETS[tell]
    landed = read(paginator, by_keyset(size, tell), growth, start)
    assert landed == list(range(len(landed)))
    assert len(landed) >= start


@given(
    start=st.integers(0, 60),
    limit=st.integers(1, 12),
    cap=st.integers(1, 12),
    counts=st.booleans(),
    growth=GROWTH,
)
def test_an_offset_gives_every_row_once_if_rows_are_only_added_at_the_end(
    *,
    start: int,
    limit: int,
    cap: int,
    counts: bool,
    growth: list[int],
) -> None:
    def api(asked: Asked) -> Told:
        at = int(asked.params["offset"])
        size = min(int(asked.params["limit"]), cap)
        ids = range(at, max(at, min(at + size, asked.rows)))
        return told(ids, {"total": asked.rows} if counts else {})

    landed = read(OffsetPaginator(limit=limit), api, growth, start)
    assert landed == list(range(len(landed)))
    assert len(landed) >= start


@given(
    start=st.integers(0, 60),
    size=st.integers(1, 12),
    base=st.integers(0, 1),
    counts=st.sampled_from(["pages", "rows", "nothing"]),
    growth=GROWTH,
)
def test_page_numbers_give_every_row_that_was_there_at_the_start(
    start: int, size: int, base: int, counts: str, growth: list[int]
) -> None:
    """A last page that was short when it was read is not read again: what came after
    lands with the next pull. A total that counts rows is no total of pages.
    """

    def api(asked: Asked) -> Told:
        at = (int(asked.params["page"]) - base) * size
        ids = range(at, max(at, min(at + size, asked.rows)))
        totals = {"pages": -(-asked.rows // size), "rows": asked.rows}
        return told(ids, {"total": totals[counts]} if counts in totals else {})

    landed = read(PageNumberPaginator(base_page=base), api, growth, start)
    assert len(set(landed)) == len(landed)
    assert set(range(start)) <= set(landed)
