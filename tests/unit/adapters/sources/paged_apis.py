"""APIs that page their rows in each of the ways there are."""

from __future__ import annotations

from collections.abc import Callable

from tests.api_pull import ROWS, SIZE
from tests.api_server import Asked

Paging = Callable[[Asked, str], tuple[list[dict[str, object]], dict[str, object],
                                      dict[str, str]]]  # fmt: skip


def _numbered(number: int) -> list[dict[str, object]]:
    return ROWS[number * SIZE : (number + 1) * SIZE]


def _next_number(number: int) -> int | None:
    return number + 1 if (number + 1) * SIZE < len(ROWS) else None


def by_json_link(asked: Asked, origin: str) -> tuple[list, dict, dict]:  # type: ignore[type-arg]
    number = int(asked.query.get("p", 0))
    following = _next_number(number)
    link = f"{origin}{asked.path}?p={following}" if following else None
    return _numbered(number), {"next": link}, {}


def by_header_link(asked: Asked, origin: str) -> tuple[list, dict, dict]:  # type: ignore[type-arg]
    del origin
    number = int(asked.query.get("p", 0))
    following = _next_number(number)
    other = f'<{asked.path}?p=0>; rel="first"'
    header = f'{other}, <?p={following}>; rel="next"' if following else other
    return _numbered(number), {}, {"Link": header}


def by_header_cursor(asked: Asked, origin: str) -> tuple[list, dict, dict]:  # type: ignore[type-arg]
    del origin
    number = int(asked.query.get("cursor", "c0")[1:])
    following = _next_number(number)
    return _numbered(number), {}, {"Next": f"c{following}"} if following else {}


def by_cursor(asked: Asked, origin: str) -> tuple[list, dict, dict]:  # type: ignore[type-arg]
    del origin
    number = int(asked.query.get("cursor", "c0")[1:])
    following = _next_number(number)
    cursor = f"c{following}" if following else ""
    return _numbered(number), {"cursors": {"next": cursor}}, {}


def by_body_cursor(asked: Asked, origin: str) -> tuple[list, dict, dict]:  # type: ignore[type-arg]
    del origin
    assert asked.method == "POST"
    search = asked.json["search"]
    assert isinstance(search, dict)
    assert search["kind"] == "cat"
    number = int(str(search.get("after", 0)))
    following = _next_number(number)
    body = {"has_more": following is not None, "after": following or 99}
    return _numbered(number), body, {}


def by_offset(asked: Asked, origin: str) -> tuple[list, dict, dict]:  # type: ignore[type-arg]
    del origin
    at, limit = int(asked.query["offset"]), int(asked.query["limit"])
    return ROWS[at : at + limit], {"total": len(ROWS)}, {}


def by_offset_without_total(asked: Asked, origin: str) -> tuple[list, dict, dict]:  # type: ignore[type-arg]
    return by_offset(asked, origin)[0], {}, {}


def by_page_number(asked: Asked, origin: str) -> tuple[list, dict, dict]:  # type: ignore[type-arg]
    del origin
    return _numbered(int(asked.query["page"]) - 1), {"total": 3}, {}


def by_page_number_without_total(asked: Asked, origin: str) -> tuple[list, dict, dict]:  # type: ignore[type-arg]
    return by_page_number(asked, origin)[0], {}, {}


def by_body_offset(asked: Asked, origin: str) -> tuple[list, dict, dict]:  # type: ignore[type-arg]
    del origin
    page = asked.json["page"]
    assert isinstance(page, dict)
    at, limit = int(page["from"]), int(page["size"])
    return ROWS[at : at + limit], {"total": len(ROWS)}, {}


def by_body_page_number(asked: Asked, origin: str) -> tuple[list, dict, dict]:  # type: ignore[type-arg]
    del origin
    page = asked.json["page"]
    assert isinstance(page, dict)
    return _numbered(int(page["number"])), {"total": 3}, {}


def by_told_pages(asked: Asked, origin: str) -> tuple[list, dict, dict]:  # type: ignore[type-arg]
    del origin
    number = int(asked.query.get("page", 1))
    return _numbered(number - 1), {"page": number, "total_pages": 3}, {}


def by_told_offset(asked: Asked, origin: str) -> tuple[list, dict, dict]:  # type: ignore[type-arg]
    del origin
    at, limit = (int(asked.query.get(n, m)) for n, m in (("skip", 0), ("limit", SIZE)))
    envelope = {"skip": at, "limit": limit, "total": len(ROWS)}
    return ROWS[at : at + limit], envelope, {}


def by_nothing(asked: Asked, origin: str) -> tuple[list, dict, dict]:  # type: ignore[type-arg]
    del asked, origin
    return ROWS, {}, {}


PAGINATORS: dict[str, tuple[Paging, dict[str, object], int]] = {
    "single_page": (by_nothing, {"paginator": {"type": "single_page"}}, 1),
    "json_link": (by_json_link, {"paginator": {"type": "json_link"}}, 3),
    "header_link": (by_header_link, {"paginator": {"type": "header_link"}}, 3),
    "header_cursor": (by_header_cursor, {"paginator": {"type": "header_cursor"}}, 3),
    "cursor": (by_cursor, {"paginator": {"type": "cursor"}}, 3),
    "cursor in a body": (
        by_body_cursor,
        {
            "method": "POST",
            "json": {"search": {"kind": "cat"}},
            "paginator": {
                "type": "cursor",
                "cursor_path": "after",
                "cursor_body_path": "search.after",
                "has_more_path": "has_more",
            },
        },
        3,
    ),
    "offset": (by_offset, {"paginator": {"type": "offset", "limit": SIZE}}, 3),
    "offset without total": (
        by_offset_without_total,
        {"paginator": {"type": "offset", "limit": SIZE}},
        4,
    ),
    "page_number": (
        by_page_number,
        {"paginator": {"type": "page_number", "base_page": 1}},
        3,
    ),
    "page_number without total": (
        by_page_number_without_total,
        {"paginator": {"type": "page_number", "base_page": 1}},
        4,
    ),
    "offset in a body": (
        by_body_offset,
        {
            "method": "POST",
            "json": {"page": {"size": 1}},
            "paginator": {
                "type": "offset",
                "limit": SIZE,
                "offset_body_path": "page.from",
                "limit_body_path": "page.size",
            },
        },
        3,
    ),
    "page_number in a body": (
        by_body_page_number,
        {
            "method": "POST",
            "paginator": {"type": "page_number", "page_body_path": "page.number"},
        },
        3,
    ),
    "auto, JSON link": (by_json_link, {}, 3),
    "auto, Link header": (by_header_link, {}, 3),
    "auto, cursor": (by_cursor, {}, 3),
    "auto, page numbers": (by_told_pages, {}, 3),
    "auto, offset": (by_told_offset, {}, 3),
    "auto, one page": (by_nothing, {}, 1),
}
