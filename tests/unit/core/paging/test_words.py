"""Each word that is known does what it is known for, so that none goes unnoticed."""

from __future__ import annotations

import json

import pytest

from lambdas.core.errors import Terminal
from lambdas.core.http.message import HttpRequest
from lambdas.core.paging.auto import detect
from lambdas.core.paging.counts import cap_reached
from lambdas.core.paging.page import AnsweredPage
from lambdas.core.paging.signs import (
    NOTHING_BEFORE,
    Sign,
    Signs,
    _flag_of_words,
    _is_cut_off,
    _is_next_link,
    _is_token,
    _part_of_words,
    is_url,
)
from lambdas.core.paging.tokens import param_of
from lambdas.core.records.documents import Document
from lambdas.core.records.envelope import Envelope, Node, Scalar, words_of

MORE = [
    "any",
    "are",
    "available",
    "batch",
    "chunk",
    "collection",
    "come",
    "cursor",
    "data",
    "element",
    "elements",
    "entries",
    "entry",
    "exist",
    "exists",
    "flag",
    "has",
    "have",
    "hits",
    "in",
    "is",
    "item",
    "items",
    "link",
    "list",
    "more",
    "next",
    "no",
    "not",
    "object",
    "objects",
    "of",
    "page",
    "pages",
    "record",
    "records",
    "remaining",
    "response",
    "result",
    "results",
    "row",
    "rows",
    "slice",
    "the",
    "there",
    "to",
    "token",
    "window",
    "x",
]
LAST = [
    "batch",
    "chunk",
    "final",
    "is",
    "last",
    "page",
    "pages",
    "slice",
    "the",
    "window",
]
END = [
    "all",
    "at",
    "batch",
    "chunk",
    "data",
    "done",
    "end",
    "eof",
    "eos",
    "exhausted",
    "feed",
    "file",
    "finished",
    "in",
    "is",
    "items",
    "list",
    "of",
    "page",
    "pages",
    "query",
    "reached",
    "record",
    "records",
    "result",
    "results",
    "rows",
    "slice",
    "stream",
    "the",
    "window",
]
ENDS = ["done", "end", "eof", "eos", "exhausted", "finished"]
BACK = [
    "back",
    "before",
    "current",
    "earlier",
    "first",
    "older",
    "prev",
    "previous",
    "prior",
    "self",
    "up",
]
TOKENS = [
    "after",
    "anchor",
    "bookmark",
    "continuation",
    "continue",
    "cursor",
    "cursors",
    "iterator",
    "mark",
    "marker",
    "offset",
    "scroll",
    "skiptoken",
    "token",
]
LEADING = [
    "after",
    "anchor",
    "at",
    "batch",
    "bookmark",
    "chunk",
    "continuation",
    "continue",
    "cursor",
    "cursors",
    "from",
    "href",
    "id",
    "index",
    "item",
    "items",
    "iterator",
    "key",
    "last",
    "link",
    "mark",
    "marker",
    "next",
    "no",
    "num",
    "number",
    "offset",
    "page",
    "pages",
    "params",
    "path",
    "pos",
    "position",
    "query",
    "record",
    "records",
    "ref",
    "result",
    "results",
    "row",
    "scroll",
    "search",
    "seek",
    "set",
    "skip",
    "skiptoken",
    "slice",
    "start",
    "starting",
    "str",
    "string",
    "token",
    "uri",
    "url",
    "value",
    "window",
]
NO_TOKENS = [
    "access",
    "api",
    "auth",
    "can",
    "count",
    "created",
    "csrf",
    "date",
    "delta",
    "expires",
    "expiry",
    "has",
    "hash",
    "is",
    "limit",
    "method",
    "rate",
    "refresh",
    "rel",
    "relation",
    "resume",
    "retry",
    "session",
    "since",
    "sync",
    "time",
    "title",
    "type",
    "updated",
    "upload",
    "watch",
]
TOTAL = [
    "count",
    "filtered",
    "found",
    "matched",
    "matches",
    "nb",
    "num",
    "total",
    "totals",
]
OF_TOTALS = [
    "all",
    "available",
    "collection",
    "count",
    "data",
    "doc",
    "docs",
    "document",
    "documents",
    "element",
    "elements",
    "entries",
    "entry",
    "estimated",
    "exact",
    "filtered",
    "found",
    "full",
    "grand",
    "hit",
    "hits",
    "in",
    "item",
    "items",
    "list",
    "match",
    "matched",
    "matches",
    "matching",
    "n",
    "nb",
    "no",
    "num",
    "number",
    "object",
    "objects",
    "odata",
    "of",
    "overall",
    "pagination",
    "paging",
    "query",
    "record",
    "records",
    "resources",
    "response",
    "result",
    "results",
    "row",
    "rows",
    "search",
    "set",
    "size",
    "the",
    "total",
    "totals",
    "wp",
    "x",
]
OFFSETS = [
    "first_result",
    "from",
    "offset",
    "skip",
    "start",
    "start_at",
    "start_index",
    "start_position",
    "start_record",
    "start_row",
]
LIMITS = [
    "hits_per_page",
    "items_per_page",
    "limit",
    "max",
    "max_items",
    "max_results",
    "page_length",
    "page_limit",
    "page_size",
    "pagelen",
    "per_page",
    "records_per_page",
    "results_per_page",
    "rows",
    "size",
    "take",
    "top",
]
PAGE_NUMBERS = [
    "current",
    "current_page",
    "current_page_number",
    "num_page",
    "number",
    "page",
    "page_index",
    "page_no",
    "page_num",
    "page_number",
    "pn",
]
PAGE_TOTALS = [
    "count_pages",
    "last",
    "last_page",
    "max_page",
    "nb_pages",
    "num_pages",
    "number_of_pages",
    "page_count",
    "page_total",
    "pages",
    "pages_available",
    "pages_count",
    "pages_total",
    "total_number_of_pages",
    "total_page",
    "total_page_count",
    "total_pages",
]


def node(name: str, value: Scalar, *above: str) -> Node:
    return Node((*above, name), name, "string", value, is_empty=False)


def signs_of(**headers: str) -> Signs:
    """Of an answer that says something in its headers alone."""
    return Signs(
        envelope=Envelope(None, None),
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        status=200,
        rows=1,
        before=NOTHING_BEFORE,
        request=HttpRequest(
            method="GET", url="http://127.0.0.1/", params={}, headers={}
        ),
    )


def test_a_flag_of_more_may_have_these_words() -> None:
    for word in MORE:
        assert _flag_of_words(("more", word)) is (word not in {"no", "not"}), word
    assert _flag_of_words(("more", "cats")) is None


def test_a_flag_of_the_end_may_have_these_words() -> None:
    for word in END:
        assert _flag_of_words(("end", word)) is False, word
    for word in ENDS:
        assert _flag_of_words((word,)) is False, word
    for word in LAST:
        assert _flag_of_words(("last", word)) is False, word
    assert _flag_of_words(("end", "date")) is None
    assert _flag_of_words(("last", "cat")) is None


def test_what_stands_beside_the_words_of_a_flag_is_none_alone() -> None:
    alone = {"more", "next", "last", *ENDS}
    for word in {*MORE, *LAST, *END} - alone:
        assert _flag_of_words((word,)) is None, word
    assert _flag_of_words(()) is None


def test_what_points_back_is_no_flag() -> None:
    for word in set(BACK) - {"current"}:
        assert _flag_of_words(("more", word)) is None, word
        assert _flag_of_words(("last", "page", word)) is None, word


def test_what_points_back_is_no_link_and_no_token() -> None:
    for word in BACK:
        assert not _is_next_link(node("next", "http://127.0.0.1/", word)), word
        assert not _is_token(node("cursor", "a", word)), word


def test_a_token_has_one_of_these_names_and_leads_on_by_these_words() -> None:
    for word in TOKENS:
        assert _is_token(node(word, "abc")), word
    for word in LEADING:
        assert _is_token(node(f"next_{word}", "abc")), word
        assert _is_token(node(f"cursor_{word}", "abc")), word
    assert not _is_token(node("next_cat", "abc"))


def test_a_header_of_another_kind_of_token_is_none() -> None:
    assert signs_of(x_next_page="2").header_token is not None
    for word in NO_TOKENS:
        assert signs_of(**{f"x_next_{word}": "2"}).header_token is None, word


def test_what_is_counted_is_told_by_its_words() -> None:
    for part, names in (
        ("offset", OFFSETS), ("limit", LIMITS), ("page", PAGE_NUMBERS),
        ("pages", PAGE_TOTALS),
    ):  # fmt: skip
        for name in names:
            assert _part_of_words(tuple(name.split("_"))) == part, name
    for word in TOTAL:
        wanted = "count" if word == "count" else "total"
        assert _part_of_words((word,)) == wanted, word
    for word in set(OF_TOTALS) - {"total"}:
        assert _part_of_words(("total", "the", word)) == "total", word
    for name in ("count", "@odata.count", "x-count", "hits"):
        assert _part_of_words(words_of(name)) == "count", name
    assert _part_of_words(("total", "price")) is None


def test_a_cut_off_answer_says_so_in_these_words() -> None:
    for name in ("truncated", "exceededTransferLimit", "limit_reached", "limitHit"):
        assert _is_cut_off(set(words_of(name))), name
    for name in ("limit", "exceeded", "reached", "hit"):
        assert not _is_cut_off(set(words_of(name))), name


def test_a_text_is_a_url_by_its_beginning_or_by_its_name() -> None:
    for text in ("http://a", "https://a", "/a", "?a", "./a"):
        assert is_url(text, frozenset()), text
    for word in ("url", "uri", "link", "href"):
        assert is_url("a/b", frozenset({word})), word
        assert is_url("a?b", frozenset({word})), word
        assert not is_url("ab", frozenset({word})), word
    for word in ("cursor", "token", "marker", "bookmark"):
        assert not is_url("/a", frozenset({word, "link"})), word
        assert is_url("https://a", frozenset({word})), word
    assert not is_url("a/b", frozenset({"next"}))


def one_record(**members: object) -> Signs:
    """Of an answer that is a record itself."""
    body = json.dumps({"id": 7, **members}).encode()
    return Signs(
        envelope=Envelope(Document(body), "$"),
        headers={},
        status=200,
        rows=1,
        before=NOTHING_BEFORE,
        request=HttpRequest(
            method="GET", url="http://127.0.0.1/", params={}, headers={}
        ),
        is_one_record=True,
    )


def test_a_record_has_fields_that_speak_of_no_page() -> None:
    assert one_record(cursor="abc", offset="x").tokens == ()
    assert one_record(next_id="abc").tokens == ()
    assert [one.where for one in one_record(next_cursor="abc").tokens] == [
        "next_cursor"
    ]
    assert one_record(done=False).more is None
    assert one_record(has_more=True).more is not None
    assert one_record(last_page=False).more is not None
    deep = one_record(a={"b": {"next": "http://127.0.0.1/2"}})
    assert deep.link is None
    near = one_record(links={"next": "http://127.0.0.1/2"})
    assert near.link is not None


def signs_in(document: object, *, status: int = 200, **headers: str) -> Signs:
    return Signs(
        envelope=Envelope(Document(json.dumps(document).encode()), "rows"),
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        status=status,
        rows=2,
        before=NOTHING_BEFORE,
        request=HttpRequest(
            method="GET", url="http://127.0.0.1/", params={}, headers={}
        ),
    )


def test_an_answer_in_part_says_so_by_its_status_or_its_range() -> None:
    rows: dict[str, object] = {"rows": []}
    part = signs_in(rows, status=206).of_more(2, bare=False)
    assert part is not None
    assert (part.where, part.value, part.is_header) == ("content-range", "206", True)
    told = signs_in(rows, status=206, content_range="rows *").of_more(2, bare=False)
    assert told is not None
    assert told.value == "rows *"
    assert signs_in(rows).of_more(2, bare=False) is None
    for text, is_more in (
        ("items 0-1/4", True), ("0-1/3", True), ("0-1/2", False), ("0-2/4", True),
        ("0-3/4", False), ("items=0-1/*", False),
    ):  # fmt: skip
        found = signs_in(rows, content_range=text).of_more(2, bare=False)
        assert (found is not None) is is_more, text


def test_what_an_answer_told_is_kept_by_its_kind_for_the_next_one() -> None:
    document = {
        "rows": [], "has_more": True, "total": 9, "pages": 3, "cursor": "abc",
        "links": {"next": "http://127.0.0.1/2"}, "took": 3, "empty": {}, "list": [],
    }  # fmt: skip
    told = signs_in(document).paths()
    assert told.told == {("has_more",), ("total",), ("pages",)}
    assert told.led == {("cursor",), ("links", "next")}
    assert told.others == {("took",)}
    assert dict(told.totals) == {"total": 9, "pages": 3}


def token(path: str) -> Sign:
    """A token in the body, where the names of `path` lead."""
    way = tuple(path.split("."))
    return Sign(path, "abc", node=Node(way, way[-1], "string", "abc", is_empty=False))


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("cursors.next", "cursor"), ("cursor.next", "cursor"),
        ("meta.cursor.next", "cursor"), ("pagination.cursors.next", "cursor"),
        ("pagination.cursor", "after"), ("paging.next.after", "after"),
        ("meta.page.after", "page[after]"), ("meta.next_token", "pagination_token"),
        ("data.pagination.next", "pagination.cursor"), ("result.next", "next"),
        ("hasMore.next", "next"), ("next_token", "next_token"),
        ("nextToken", "nextToken"), ("NextToken", "NextToken"),
        ("next-token", "next-token"), ("next_cursor", "cursor"),
        ("nextCursor", "cursor"), ("NextCursor", "Cursor"), ("cursor", "cursor"),
        ("after", "after"), ("next_page_token", "page_token"),
        ("nextPageToken", "pageToken"), ("next_offset", "offset"),
        ("next_page_start", "start"), ("next_page_cursor", "cursor"),
        ("next_page_id", "id"), ("next", None), ("x_next_key", "key"),
    ],
)  # fmt: skip
def test_a_token_goes_back_by_its_name(path: str, param: str | None) -> None:
    assert param_of(token(path)) == param


def test_what_stands_beside_a_token_may_say_how_it_goes_back() -> None:
    assert param_of(token("next_cursor"), {"object": "list"}) == "start_cursor"
    assert param_of(token("next_cursor"), {"object": "cat"}) == "cursor"
    assert param_of(token("nextPageToken"), {"isLast": False}) == "nextPageToken"
    assert param_of(token("nextPageToken"), {"isLast": True}) == "pageToken"


def test_a_token_in_a_header_goes_back_by_its_name() -> None:
    for name, param in (
        ("x-next-page", "page"), ("X-Next-Page", "page"), ("x-next", "cursor"),
        ("next", "cursor"), ("next-offset", "offset"), ("continuation", None),
    ):  # fmt: skip
        assert param_of(Sign(name, "abc", is_header=True)) == param, name


def test_a_header_that_holds_nothing_or_a_link_is_no_token() -> None:
    for text in ("", " ", "0", "-1", "/cats?page=2", "http://127.0.0.1/"):
        assert signs_of(x_next_page=text).header_token is None, text
    for name in ("continuation", "x_cursor"):
        assert signs_of(**{name: "abc"}).header_token is not None
        assert signs_of(**{f"{name}_before": "abc"}).header_token is None


def test_a_token_beside_a_next_that_is_nothing_leads_nowhere() -> None:
    nothings: list[object] = [None, "", False, 0, -1, "0", "-1", {}]
    for nothing in nothings:
        found = signs_in({"rows": [], "cursor": "abc", "next": nothing}).tokens
        assert found == (), nothing
    back: dict[str, object] = {"rows": [], "cursor": "abc", "next_before": None}
    assert [one.where for one in signs_in(back).tokens] == ["cursor"]


@pytest.mark.parametrize(
    ("beside", "is_there"),
    [
        ({}, True),
        ({"before": "x"}, False),
        ({"before": ""}, True),
        ({"before": "x", "next_url": "y"}, True),
        ({"previous": "x", "next_url": ""}, False),
        ({"current": "x"}, True),
    ],
)
def test_a_bare_token_among_what_leads_back_has_ended(
    beside: dict[str, object], *, is_there: bool
) -> None:
    found = signs_in({"rows": [], "m": {"after": "abc", **beside}}).tokens
    assert ("m.after" in {one.where for one in found}) is is_there


def page_of(
    document: dict[str, object], *, rows: int, headers: dict[str, str] | None = None
) -> AnsweredPage:
    return AnsweredPage(
        url="https://api.example.com/cats",
        origin="https://api.example.com:443",
        headers=headers or {},
        rows=rows,
        document=Document(json.dumps(document).encode()),
        request=HttpRequest(
            method="GET", url="https://api.example.com/cats", params={}, headers={}
        ),
        secret_params=frozenset(),
    )


def test_a_first_page_without_rows_is_all_unless_it_says_that_there_is_more() -> None:
    beside: dict[str, object] = {"rows": [], "m": {"position": {"token": "abc"}}}
    assert detect(page_of(beside, rows=0)).kind() == "single_page"


def test_what_to_declare_is_told_as_far_as_the_sign_tells() -> None:
    told = "header_cursor with `cursor_key: continuation` and its cursor_param"
    page = page_of({"rows": [{}]}, rows=1, headers={"continuation": "abc"})
    with pytest.raises(Terminal) as refused:
        detect(page)
    assert f"declare the paginator ({told}), or `{{type: single_page}}`" in str(
        refused.value
    )


def test_a_maximum_with_more_behind_it_is_told_in_full() -> None:
    assert str(cap_reached("maximum_page", 9)) == (
        "maximum_page 9 is reached, and there is more behind it: rows would be "
        "missing. Raise it, ask for a smaller range, or declare `incremental` with "
        "`row_order: asc` if the API sorts so: then the pull goes on from the cursor"
    )
