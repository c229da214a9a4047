"""Each word that is known does what it is known for, so that none goes unnoticed."""

from __future__ import annotations

import json

from lambdas.core.http.message import HttpRequest
from lambdas.core.paging.signs import (
    NOTHING_BEFORE,
    Signs,
    _flag_of_words,
    _is_cut_off,
    _is_next_link,
    _is_token,
    _part_of_words,
    is_url,
)
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
