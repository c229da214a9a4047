"""Which paginator an API wants, told from its first answer.

The first rule that fits decides; the same answer always gives the same paginator.

====  =============================================  =================================
rule  the answer                                     the paginator
====  =============================================  =================================
1     a Link header with `rel="next"`                header_link
2     a URL (or `/path`, `?query`) in one of         json_link
      `LINKS`: `next`, `links.next`, `@odata…`
3     one object that is the record itself           single_page
4     a cursor in one of `CURSORS`                   cursor, with the parameter that
                                                     goes with that name
5     the page's number and the number of pages      page_number
      (`page` and `total_pages`, …)
6     offset, limit and total                        offset
7     a total above the rows in hand, and page or    page_number or offset, going on
      offset among the dataset's own parameters      from there
8     a sign of more (`has_more: true`, a next       an error: reading on as if this
      that is not a URL, a total above the rows)     were all would lose rows
9     anything else                                  single_page
====  =============================================  =================================
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lambdas.core.errors import Terminal
from lambdas.core.paging.link_header import links
from lambdas.core.paging.links import (
    CursorPaginator,
    HeaderCursorPaginator,
    HeaderLinkPaginator,
    JsonLinkPaginator,
    SinglePagePaginator,
)
from lambdas.core.paging.numbers import OffsetPaginator, PageNumberPaginator
from lambdas.core.paging.page import AnsweredPage
from lambdas.core.paging.signs import _ENVELOPES, LINKS, _has_more, _is_link, _value
from lambdas.core.records.documents import bad_response, excerpt

CURSORS = (
    ("cursors.next", "cursor"), ("cursors.after", "after"),
    ("paging.cursors.after", "after"), ("paging.next.after", "after"),
    ("next_cursor", "cursor"), ("nextCursor", "cursor"),
    ("meta.next_cursor", "cursor"), ("meta.nextCursor", "cursor"),
    ("response_metadata.next_cursor", "cursor"),
    ("pagination.next_cursor", "cursor"), ("pagination.nextCursor", "cursor"),
    ("paging.next_cursor", "cursor"), ("page.next_cursor", "cursor"),
    ("page_info.next_cursor", "cursor"), ("pagination.cursors.next", "cursor"),
    ("cursor.next", "cursor"), ("meta.cursor.next", "cursor"),
    ("pagination.cursor", "after"), ("meta.page.after", "page[after]"),
    ("next_page_token", "page_token"), ("nextPageToken", "pageToken"),
    ("pagination.next_page_token", "page_token"),
    ("meta.next_page_token", "page_token"),
    ("meta.next_token", "pagination_token"), ("next_token", "next_token"),
    ("nextToken", "nextToken"), ("NextToken", "NextToken"),
    ("pagination.next_token", "next_token"),
    ("continuation_token", "continuation_token"),
    ("continuationToken", "continuationToken"), ("bookmark", "bookmark"),
    ("after", "after"), ("cursor", "cursor"), ("offset", "offset"),
)  # fmt: skip
"""Where APIs put a cursor, and the parameter that takes it back: Slack
(`response_metadata.next_cursor`), Google (`nextPageToken`), HubSpot
(`paging.next.after`), AWS (`NextToken`), Airtable (`offset`, a text)."""

PAGES = (
    ("page", "page"), ("current_page", "page"), ("currentPage", "page"),
    ("page_number", "page_number"), ("pageNumber", "pageNumber"),
    ("number", "page"),
)  # fmt: skip
PAGE_TOTALS = (
    "total_pages", "totalPages", "page_count", "pageCount", "pages", "num_pages",
    "last_page", "lastPage", "pages_count", "total_page",
)  # fmt: skip
OFFSETS = (
    ("offset", "offset"), ("skip", "skip"), ("startAt", "startAt"), ("start", "start"),
    ("from", "from"), ("start_index", "start_index"),
)  # fmt: skip
LIMITS = (
    "limit", "take", "maxResults", "size", "count", "rows", "per_page", "page_size",
)  # fmt: skip
TOTALS = (
    "total", "total_count", "totalCount", "total_results", "totalResults",
    "total_items", "totalItems", "total_records", "totalRecords", "totalElements",
    "totalSize", "count", "$['@odata.count']",
)  # fmt: skip
_PAGE_PARAMS = ("page", "page_number", "pageNumber", "p", "page[number]", "pg", "$page")
_OFFSET_PARAMS = ("offset", "skip", "start", "startAt", "from", "$skip", "page[offset]")
_LIMIT_PARAMS = (
    "limit", "take", "top", "$top", "size", "page_size", "pageSize", "per_page",
    "count", "maxResults", "rows", "page[limit]", "$limit",
)  # fmt: skip


def detect(page: AnsweredPage) -> DetectedPaginator:
    """The paginator that this first page asks for.

    Raises Terminal if there is more than this page and no rule says how to get it.
    """
    if "next" in links(page.headers.get("link", "")):
        return HeaderLinkPaginator()
    if page.document is None or page.document.kind != "object":
        return _from_own_params(page, None)
    for path in LINKS:
        value = _value(page, path)
        if isinstance(value, str) and _is_link(path, value.strip()):
            return JsonLinkPaginator(next_url_path=path)
    if page.is_one_record:
        return SinglePagePaginator()
    for path, param in CURSORS:
        if _is_cursor(page, path):
            return CursorPaginator(cursor_path=path, cursor_param=param)
    return _by_number(page)


def _by_number(page: AnsweredPage) -> DetectedPaginator:
    for envelope in _ENVELOPES:
        found = _page_number(page, envelope) or _offset(page, envelope)
        if found is not None:
            return found
    total = next(
        (
            f"{envelope}{name}" if envelope else name
            for envelope in _ENVELOPES
            for name in TOTALS
            if not (envelope and name.startswith("$"))
            and _above(_whole(page, f"{envelope}{name}"), page.rows)
        ),
        None,
    )
    return _from_own_params(page, total if page.rows else None)


def _page_number(page: AnsweredPage, envelope: str) -> PageNumberPaginator | None:
    for total_name in PAGE_TOTALS:
        total = _whole(page, f"{envelope}{total_name}")
        for name, param in PAGES:
            number = _whole(page, f"{envelope}{name}")
            if total is None or number is None:
                continue
            # a first page numbered 0 or 1 tells how the API counts; from a later page
            # one goes on as if it counted from 1, as nearly all do
            return PageNumberPaginator(
                base_page=min(number, 1),
                page=number,
                page_param=_own(page, _PAGE_PARAMS, number) or param,
                total_path=f"{envelope}{total_name}",
            )
    return None


def _offset(page: AnsweredPage, envelope: str) -> OffsetPaginator | None:
    for name, param in OFFSETS:
        offset = _whole(page, f"{envelope}{name}")
        for total_name in TOTALS:
            if envelope and total_name.startswith("$"):
                continue
            total = _whole(page, f"{envelope}{total_name}")
            if offset is None or total is None:
                continue
            for limit_name in LIMITS:
                limit = _whole(page, f"{envelope}{limit_name}")
                if limit and limit_name != total_name:
                    return OffsetPaginator(
                        limit=limit,
                        offset=offset,
                        offset_param=_own(page, _OFFSET_PARAMS, offset) or param,
                        limit_param=_own(page, _LIMIT_PARAMS, limit) or limit_name,
                        total_path=f"{envelope}{total_name}",
                    )
    return None


def _from_own_params(page: AnsweredPage, total_path: str | None) -> DetectedPaginator:
    """By the parameters the dataset sends itself; else one page, if that is all."""
    more = _sign_of_more(page, total_path)
    if more is None:
        return SinglePagePaginator()
    params = page.request.params
    number, offset = _own(page, _PAGE_PARAMS), _own(page, _OFFSET_PARAMS)
    limit = _own(page, _LIMIT_PARAMS)
    if number and params[number].isdecimal():
        return PageNumberPaginator(
            base_page=min(int(params[number]), 1),
            page=int(params[number]),
            page_param=number,
            total_path=None,
        )
    if limit and params[limit].isdecimal() and int(params[limit]) > 0:
        start = params.get(offset, "0") if offset else "0"
        if offset and start.isdecimal():
            return OffsetPaginator(
                limit=int(params[limit]),
                offset=int(start),
                offset_param=offset,
                limit_param=limit,
                total_path=total_path,
            )
    raise _unclear(page, more)


def _sign_of_more(page: AnsweredPage, total_path: str | None) -> str | None:
    """What in the answer says that this page is not all, or None."""
    if total_path is not None:
        return f"`{total_path}` is {_whole(page, total_path)}"
    told = _has_more(page)
    if told is not None:
        return told
    for path in LINKS:
        value = _value(page, path)
        if isinstance(value, str | int) and not isinstance(value, bool) and value:
            return f"`{path}` is {excerpt(str(value).encode())!r}"
    return None


def _unclear(page: AnsweredPage, sign: str) -> Terminal:
    return bad_response(
        f"the first page has {page.rows} rows and is not all ({sign}), but nothing in "
        "it says how to ask for the next one: declare the paginator (page_number, "
        "offset or cursor with its parameters), or single_page if this is all you want"
    )


def _own(
    page: AnsweredPage, names: tuple[str, ...], value: int | None = None
) -> str | None:
    """The first of these parameters that the dataset sends itself, with this value."""
    sent = page.request.params
    return next(
        (n for n in names if n in sent and value in {None, _integer(sent[n])}), None
    )


def _integer(text: str) -> int:
    return int(text) if text.isdecimal() else -1


def _is_cursor(page: AnsweredPage, path: str) -> bool:
    value = _value(page, path)
    if path in {"after", "cursor", "offset", "bookmark", "pagination.cursor"}:
        # a number here is a position of another kind
        return isinstance(value, str) and value != "" and page.rows > 0
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return (isinstance(value, str) and value != "") or is_number


def _whole(page: AnsweredPage, path: str) -> int | None:
    value = _value(page, path)
    is_whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if isinstance(value, int) and is_whole else None


def _above(number: int | None, rows: int) -> bool:
    return number is not None and number > rows


DetectedPaginator = Annotated[
    SinglePagePaginator
    | JsonLinkPaginator
    | HeaderLinkPaginator
    | HeaderCursorPaginator
    | CursorPaginator
    | OffsetPaginator
    | PageNumberPaginator,
    Field(discriminator="type"),
]
