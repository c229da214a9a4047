"""How APIs tell of more pages, and in what shape they give their rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambdas.core.http.message import HttpResponse
from tests.soak.upstream import Place

URL = "http://127.0.0.1:1/cats"
NOWHERE = "1000000000000.0"
"""A place after all rows."""
CAP = 8
"""Rows that an API with a window of results gives at once; twice the ties it has."""
WINDOW = 10
"""The same, where it does not say so."""

Extras = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One page: the place after it if there is more, what was read with it, all there
    is, and on how many pages.
    """

    after: Place | None
    read: int
    total: int
    pages: int = 0

    @property
    def token(self) -> str | None:
        """The place as a text."""
        return None if self.after is None else f"{self.after[0]}.{self.after[1]}"


def response(
    body: bytes, headers: Mapping[str, str] | None = None, *, status: int = 200
) -> HttpResponse:
    """An answer in JSON; 204 without a body."""
    return HttpResponse(
        status=status if body else 204,
        url=URL,
        headers={"content-type": "application/json", **(headers or {})},
        body=body,
    )


def _side_by_side(extras: Extras, rows: Sequence[bytes]) -> bytes:
    head = json.dumps(extras).encode()[:-1]
    comma = b"," if extras else b""
    return b'%b%b"rows":[%b]}' % (head, comma, b",".join(rows))


def _behind_a_null(extras: Extras, rows: Sequence[bytes]) -> bytes:
    return _side_by_side(extras, [b"null", *rows] if rows else rows)


def _deep(extras: Extras, rows: Sequence[bytes]) -> bytes:
    head = json.dumps(extras).encode()[:-1]
    return b'%b,"data":{"table":{"season":1,"rows":[%b]}}}' % (head, b",".join(rows))


def _by_id(extras: Extras, rows: Sequence[bytes]) -> bytes:
    del extras
    named = (b'"%d":%b' % (json.loads(row)["n"], row) for row in rows)
    return b"{%b}" % b",".join(named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How an API tells of more, and what a dataset declares of it. One that counts
    `by_number` needs rows that are only added at the end.
    """

    paginator: Mapping[str, object]
    says: Callable[[Answered], Extras]
    headers: Callable[[Answered], dict[str, str]] = lambda _: {}
    writes: Callable[[Extras, Sequence[bytes]], bytes] = _side_by_side
    selector: str | None = "rows"
    """As it is declared."""
    is_told_where: bool = False
    """Whether a pull takes the whole for one record, and tells what to declare."""
    has_nulls: bool = False
    may_end_empty: bool = False
    """Whether a page without rows and without a word of more may be its last."""
    may_lose_rows: bool = False
    """Whether a page may come without its rows, and all else as it should be."""
    by_number: bool = False
    is_capped: bool = False
    is_window: bool = False
    """Whether there is one page, and nothing says that there is more."""
    is_silent: bool = False
    """Whether nothing is told of more; pages may be shorter than they could be."""
    refuses: bool = False
    """Whether a page past the end is refused."""
    stands_still: bool = False
    """Whether nothing is added while a pull reads: where pages are counted, and nobody
    says which is the last, what is added to one that was read shows to no pull."""


def _link(answered: Answered) -> str | None:
    return None if answered.token is None else f"{URL}?after={answered.token}"


def _link_for_ever(answered: Answered) -> str:
    return _link(answered) or f"{URL}?after={NOWHERE}"


def _links(answered: Answered) -> dict[str, str]:
    link = _link(answered)
    return {} if link is None else {"link": f'<{link}>; rel="next"'}


COMMON: dict[str, Style] = {
    "a link, found": Style(
        paginator={"type": "auto"},
        says=lambda one: {"links": {"next": _link(one)}},
    ),
    "a link that is gone at the end": Style(
        paginator={"type": "json_link", "next_url_path": "meta.next"},
        says=lambda one: {"meta": {"next": _link(one)} if one.after else {}},
    ),
    "a link in a header": Style(
        paginator={"type": "header_link"},
        says=lambda _: {},
        headers=_links,
        may_end_empty=True,
    ),
    "a cursor and a flag": Style(
        paginator={
            "type": "cursor",
            "cursor_path": "cursor",
            "cursor_param": "after",
            "has_more_path": "has_more",
        },
        says=lambda one: {"cursor": one.token or "end", "has_more": bool(one.after)},
    ),
    "a cursor, found": Style(
        paginator={"type": "cursor", "cursor_path": "next", "cursor_param": "after"},
        says=lambda one: {"next": one.token, "total": one.total},
    ),
    "an offset and a total": Style(
        paginator={"type": "offset", "limit": 5},
        says=lambda one: {"total": one.total},
        by_number=True,
        may_lose_rows=True,
    ),
    "an offset and nothing else": Style(
        paginator={"type": "offset", "limit": 5, "total_path": None},
        says=lambda _: {},
        by_number=True,
        may_end_empty=True,
        is_silent=True,
    ),
    "a link for ever and a total": Style(
        paginator={"type": "json_link"},
        says=lambda one: {"next": _link_for_ever(one), "total": one.total},
    ),
    "pages and a flag": Style(
        paginator={"type": "page_number", "total_path": None, "has_more_path": "more"},
        says=lambda one: {"more": bool(one.after)},
        by_number=True,
    ),
    "an offset up to a cap": Style(
        paginator={"type": "offset", "limit": 2, "maximum_offset": CAP},
        says=lambda one: {"total": one.total},
        by_number=True,
        is_capped=True,
    ),
}
ODD: dict[str, Style] = {
    "rows deep in an answer": Style(
        paginator={"type": "auto"},
        says=lambda one: {"links": {"next": _link(one)}},
        writes=_deep,
        selector=None,
        is_told_where=True,
    ),
    "rows by their ids": Style(
        paginator={"type": "auto"},
        says=lambda _: {},
        headers=_links,
        writes=_by_id,
        selector=None,
        is_told_where=True,
        may_end_empty=True,
    ),
    "rows behind a null": Style(
        paginator={"type": "auto"},
        says=lambda one: {"links": {"next": _link(one)}},
        writes=_behind_a_null,
        selector=None,
        has_nulls=True,
    ),
    "pages and their number": Style(
        paginator={"type": "page_number", "total_path": "pages"},
        says=lambda one: {"pages": one.pages},
        by_number=True,
        may_lose_rows=True,
    ),
    "an offset, refused past the end": Style(
        paginator={"type": "offset", "limit": 5, "total_path": None},
        says=lambda _: {},
        by_number=True,
        may_end_empty=True,
        is_silent=True,
        refuses=True,
    ),
    "pages, refused past the end": Style(
        paginator={"type": "page_number", "total_path": None},
        says=lambda _: {},
        headers=lambda one: {"x-wp-total": str(one.total)},
        stands_still=True,
        by_number=True,
        may_lose_rows=True,
        may_end_empty=True,
        refuses=True,
    ),
    "a window of rows and its total": Style(
        paginator={"type": "auto"},
        says=lambda one: {"total": one.read},
        by_number=True,
        is_capped=True,
        is_window=True,
    ),
    "a window of rows and not a word": Style(
        paginator={"type": "auto"},
        says=lambda _: {},
        by_number=True,
        is_capped=True,
        is_window=True,
    ),
}
"""What only some APIs do."""
STYLES = {**COMMON, **ODD}
