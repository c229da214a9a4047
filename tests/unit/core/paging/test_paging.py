from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue, TypeAdapter, ValidationError

from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.http.message import HttpRequest
from lambdas.core.http.urls import origin_of
from lambdas.core.paging.auto import AutoPaginator, Paginator, detect
from lambdas.core.paging.base import BasePaginator, CapReached
from lambdas.core.paging.link_header import links
from lambdas.core.paging.loops import LoopGuard
from lambdas.core.paging.page import AnsweredPage
from lambdas.core.paging.paginators.cursor import CursorPaginator
from lambdas.core.paging.paginators.header_cursor import HeaderCursorPaginator
from lambdas.core.paging.paginators.header_link import HeaderLinkPaginator
from lambdas.core.paging.paginators.json_link import JsonLinkPaginator
from lambdas.core.paging.paginators.offset import OffsetPaginator
from lambdas.core.paging.paginators.page_number import PageNumberPaginator
from lambdas.core.paging.paginators.single_page import SinglePagePaginator
from lambdas.core.paging.signs import NOTHING_BEFORE
from lambdas.core.records.documents import Document
from lambdas.core.records.json_path import steps

ORIGIN = "https://api.example.com:443"
URL = "https://api.example.com/v1/cats?size=2"
BASE = HttpRequest(
    method="GET",
    url="https://api.example.com/v1/cats",
    params={"size": "2"},
    headers={},
)

LINKS = (
    "next", "next_url", "nextUrl", "next_page_url", "nextPageUrl", "next_page",
    "nextPage", "nextLink", "next_link", "$['@odata.nextLink']", "$['odata.nextLink']",
    "d.__next", "links.next", "links.next.href", "links.next.url", "_links.next",
    "_links.next.href", "paging.next", "paging.next.link", "pagination.next",
    "pagination.next_url", "pagination.next_link", "pagination.links.next",
    "pagination.next.href", "meta.next", "meta.next_url", "meta.links.next",
    "meta.pagination.next", "meta.pagination.links.next", "meta.next_page_url",
    "info.next", "next.href", "next.url", "response.next", "data.next",
)  # fmt: skip

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


def page(
    document: object = None,
    *,
    rows: int = 2,
    headers: Mapping[str, str] | None = None,
    request: HttpRequest = BASE,
    secret_params: frozenset[str] = frozenset(),
) -> AnsweredPage:
    body = {} if document is None else document
    return AnsweredPage(
        url=URL,
        origin=ORIGIN,
        headers=headers or {},
        rows=rows,
        document=Document(json.dumps(body).encode()),
        request=request,
        secret_params=secret_params,
    )


def configured(document: Mapping[str, object]) -> BasePaginator:
    paginator: BasePaginator = TypeAdapter(Paginator).validate_python(document)
    return paginator


def nested(path: str, value: object) -> object:
    for step in reversed(steps(path)):
        value = {step: value}
    return value


@pytest.mark.parametrize(
    ("document", "defaults"),
    [
        ({"type": "auto"}, {}),
        ({"type": "single_page"}, {}),
        ({"type": "json_link"}, {"next_url_path": "next"}),
        ({"type": "header_link"}, {"links_next_key": "next"}),
        (
            {"type": "header_cursor"},
            {"cursor_key": "next", "cursor_param": "cursor"},
        ),
        (
            {"type": "cursor"},
            {
                "cursor_path": "cursors.next",
                "cursor_param": None,
                "cursor_body_path": None,
                "stop_after_empty_page": False,
                "has_more_path": None,
            },
        ),
        (
            {"type": "offset", "limit": 10},
            {
                "limit": 10,
                "offset": 0,
                "offset_param": None,
                "offset_body_path": None,
                "limit_param": None,
                "limit_body_path": None,
                "total_path": "total",
                "maximum_offset": None,
                "stop_after_empty_page": True,
                "has_more_path": None,
            },
        ),
        (
            {"type": "page_number"},
            {
                "base_page": 0,
                "page": None,
                "page_param": None,
                "page_body_path": None,
                "total_path": "total",
                "maximum_page": None,
                "stop_after_empty_page": True,
                "has_more_path": None,
            },
        ),
    ],
    ids=lambda value: value.get("type") if isinstance(value, dict) else None,
)
def test_names_and_defaults_are_those_of_dlt(
    document: dict[str, object], defaults: dict[str, object]
) -> None:
    dumped = configured(document).model_dump()
    beyond = {
        key: dumped.pop(key)
        for key in ("last_page_path", "ignore_total", "stop_after_empty_page",
                    "has_more_path", "header")
        if key in dumped and key not in defaults
    }  # fmt: skip
    assert {"type": document["type"], **defaults} == dumped
    assert set(beyond.values()) <= {None, False, "Link"}


@pytest.mark.parametrize(
    "document",
    [
        {"type": "offset", "limit": 10, "total_path": None,
         "stop_after_empty_page": False},
        {"type": "page_number", "total_path": None, "stop_after_empty_page": False},
        {"type": "cursor", "cursor_param": "a", "cursor_body_path": "b"},
        {"type": "offset", "limit": 1, "offset_param": "a", "offset_body_path": "b"},
        {"type": "page_number", "page_param": ""},
        {"type": "offset"},
        {"type": "offset", "limit": 0},
        {"type": "json_link", "next_url_path": "a..b"},
        {"type": "json_link", "nxt": "a"},
        {"type": "page_number", "base_page": "1"},
    ],
)  # fmt: skip
def test_a_configuration_that_cannot_work_is_refused(
    document: dict[str, object],
) -> None:
    with pytest.raises(ValidationError):
        configured(document)


def test_every_position_survives_json() -> None:
    body = {"next": "?page=2", "cursors": {"next": "c"}, "total": 90}
    answered = page(body, headers={"link": '<?p=2>; rel="next"', "next": "c"})
    for paginator in (
        AutoPaginator(),
        JsonLinkPaginator(),
        HeaderLinkPaginator(),
        HeaderCursorPaginator(),
        CursorPaginator(),
        OffsetPaginator(limit=2),
        PageNumberPaginator(),
    ):
        position = paginator.after(answered, None)
        assert position is not None
        again: JsonValue = json.loads(json.dumps(position))
        assert paginator.request(BASE, position) == paginator.request(BASE, again)
        assert paginator.request(BASE, again) != BASE


class TestLinks:
    @pytest.mark.parametrize(
        ("link", "followed"),
        [
            ("https://api.example.com/v1/cats?page=2", None),
            ("/v1/cats?page=2", "https://api.example.com/v1/cats?page=2"),
            ("cats?page=2", "https://api.example.com/v1/cats?page=2"),
            ("?page=2", "https://api.example.com/v1/cats?page=2"),
            ("../v2/cats", "https://api.example.com/v2/cats"),
            ("//api.example.com/x", "https://api.example.com/x"),
            ("https://API.example.com:443/x", "https://API.example.com:443/x"),
            ("http://api.example.com/x?a=b%2Cc", "https://api.example.com/x?a=b%2Cc"),
            ("https://user:pw@api.example.com/x#f", "https://api.example.com/x"),
        ],
    )
    def test_a_next_link_is_resolved_against_the_url_that_answered(
        self, link: str, followed: str | None
    ) -> None:
        paginator = JsonLinkPaginator()
        position = paginator.after(page({"next": link}), None)
        assert (followed or link) == position
        request = paginator.request(BASE, position)
        assert (followed or link, {}) == (request.url, dict(request.params))

    @pytest.mark.parametrize("end", [None, "", "  ", False, "absent"])
    def test_a_next_link_that_is_empty_ends_the_run(self, end: object) -> None:
        document = {} if end == "absent" else {"next": end}
        assert JsonLinkPaginator().after(page(document), None) is None

    @pytest.mark.parametrize("odd", [2, {"href": "/x"}, ["/x"], True])
    def test_a_next_link_that_is_no_text_is_an_error(self, odd: object) -> None:
        with pytest.raises(Terminal, match="next_url_path") as caught:
            JsonLinkPaginator().after(page({"next": odd}), None)
        assert caught.value.kind is RunErrorKind.RESPONSE

    @pytest.mark.parametrize(
        "link",
        [
            "file:///etc/passwd",
            "https://evil.example/v1/cats",
            "https://api.example.com.evil.example/",
            "https://api.example.com:8443/",
            "//evil.example/",
            "https://api.example.com@evil.example/",
            "http://api.example.com:8080/",
            "ftp://api.example.com/",
            "javascript:alert(1)",
            "data:,x",
            "https://[bad",
            "https://api.example.com:99999/",
            "https://api.example.com:x/",
        ],
    )
    @pytest.mark.parametrize("where", ["body", "header", "auto"])
    def test_no_link_is_followed_to_another_origin(self, link: str, where: str) -> None:
        match where:
            case "body":
                paginator: BasePaginator = JsonLinkPaginator()
                answered = page({"next": link})
            case "header":
                paginator = HeaderLinkPaginator()
                answered = page(headers={"link": f'<{link}>; rel="next"'})
            case _:
                paginator = AutoPaginator()
                answered = page(headers={"link": f'<{link}>; rel="next"'})
        with pytest.raises(Terminal, match="not followed") as caught:
            paginator.after(answered, None)
        assert caught.value.kind is RunErrorKind.RESPONSE

    def test_a_key_in_a_next_link_does_not_reach_the_position(self) -> None:
        link = "/v1/cats?page=2&api%5Fkey=CANARY&q=a%20b"
        answered = page({"next": link}, secret_params=frozenset({"api_key"}))
        assert (
            JsonLinkPaginator().after(answered, None)
            == "https://api.example.com/v1/cats?page=2&q=a%20b"
        )


@given(st.text() | st.from_regex(r"(https?:)?//[^/]*api.example.com[^/]*/.*"))
def test_whatever_stands_in_a_link_stays_in_the_origin_or_is_an_error(
    link: str,
) -> None:
    try:
        url = JsonLinkPaginator().after(page({"next": link}), None)
    except Terminal:
        return
    assert url is None or (isinstance(url, str) and origin_of(url) == ORIGIN)


@given(st.text(alphabet='<>;,="\\ abrelnxt/?', max_size=60))
def test_whatever_stands_in_a_link_header_is_read_without_an_error(header: str) -> None:
    for relation, target in links(header).items():
        assert relation in header.lower()
        assert f"<{target}>" in header


class TestLinkHeader:
    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            ("", {}),
            ('<https://a/b>; rel="next"', {"next": "https://a/b"}),
            ("<https://a/b>; rel=next", {"next": "https://a/b"}),
            ("<https://a/b>;rel=next", {"next": "https://a/b"}),
            ('<a>; rel="prev", <b>; rel="next"', {"prev": "a", "next": "b"}),
            ('<a?x=1,2;3>; rel="next"', {"next": "a?x=1,2;3"}),
            ('<a>; title="b, <c>; rel=\\"next\\""; rel="last"', {"last": "a"}),
            ('<a>; rel="next last"', {"next": "a", "last": "a"}),
            ('<a>; rel="first"; rel="next"', {"first": "a"}),
            ('<a>; REL="NEXT"', {"next": "a"}),
            ("<a>; title*=UTF-8''x%20y; rel=\"next\"", {"next": "a"}),
            ("<a>; rel = next , , <b>; rel=prev", {"next": "a", "prev": "b"}),
            ('<a>; rel="next", <b>; rel="next"', {"next": "a"}),
            ('<a>; rel="next"; anchor="#x"', {}),
            ("<a>", {}),
            ("not a link", {}),
            ("<>; rel=next", {"next": ""}),
            ('<a>; results="true"; cursor="0:0:1"; rel="next"', {"next": "a"}),
        ],
    )
    def test_it_is_read_by_the_grammar_of_rfc_8288(
        self, header: str, expected: dict[str, str]
    ) -> None:
        assert expected == links(header)

    def test_another_relation_can_be_the_next(self) -> None:
        answered = page(headers={"link": '</o>; rel="next", </p>; rel="older"'})
        paginator = HeaderLinkPaginator(links_next_key="older")
        assert paginator.after(answered, None) == "https://api.example.com/p"

    def test_the_last_page_has_no_next(self) -> None:
        answered = page(headers={"link": '</o>; rel="prev"'})
        assert HeaderLinkPaginator().after(answered, None) is None


class TestCursor:
    @pytest.mark.parametrize(
        ("value", "position"),
        [("abc", "abc"), (7, 7), (0, 0), (12345678901234567890123, None), (1.5, "1.5"),
         ("", None), (None, None), (False, None)],
    )  # fmt: skip
    def test_a_cursor_goes_back_as_it_came(
        self, value: object, position: JsonValue
    ) -> None:
        if value == 12345678901234567890123:
            position = value
        found = CursorPaginator().after(page({"cursors": {"next": value}}), None)
        assert position == found
        if found is not None:
            request = CursorPaginator().request(BASE, found)
            assert {"size": "2", "cursor": str(value)} == dict(request.params)

    def test_a_cursor_can_go_into_the_body_of_a_post(self) -> None:
        base = HttpRequest(
            method="POST", url=URL, params={}, headers={},
            json={"query": {"a": 1}, "size": 2},
        )  # fmt: skip
        paginator = CursorPaginator(cursor_path="next", cursor_body_path="query.after")
        position = paginator.after(page({"next": "c2"}), None)
        expected = {"query": {"a": 1, "after": "c2"}, "size": 2}
        assert expected == paginator.request(base, position).json
        assert base.json == {"query": {"a": 1}, "size": 2}

    @pytest.mark.parametrize("no", [False, "false", 0, "no"])
    def test_has_more_false_ends_it_though_a_cursor_is_there(self, no: object) -> None:
        paginator = CursorPaginator(cursor_path="next", has_more_path="has_more")
        assert paginator.after(page({"next": "c", "has_more": no}), None) is None

    def test_more_without_a_cursor_is_an_error(self) -> None:
        paginator = CursorPaginator(cursor_path="next", has_more_path="has_more")
        with pytest.raises(Terminal, match="says that there is more, but cursor_path"):
            paginator.after(page({"has_more": True}), None)

    def test_an_absent_has_more_leaves_it_to_the_cursor(self) -> None:
        paginator = CursorPaginator(cursor_path="next", has_more_path="has_more")
        assert paginator.after(page({"next": "c"}), None) == "c"

    def test_an_empty_page_ends_it_only_if_asked_to(self) -> None:
        empty = page({"cursors": {"next": "c"}}, rows=0)
        assert CursorPaginator().after(empty, None) == "c"
        assert CursorPaginator(stop_after_empty_page=True).after(empty, None) is None

    def test_a_header_can_hold_it(self) -> None:
        paginator = HeaderCursorPaginator(cursor_key="X-Next", cursor_param="after")
        position = paginator.after(page(headers={"x-next": "c2"}), None)
        assert paginator.request(BASE, position).params["after"] == "c2"
        assert paginator.after(page(headers={"x-next": " "}), None) is None
        assert paginator.after(page(), None) is None


def walk(
    paginator: BasePaginator, answers: Sequence[tuple[int, object]]
) -> list[HttpRequest]:
    """The requests made until the paginator ends; each answer is (rows, document)."""
    position: JsonValue = None
    before = NOTHING_BEFORE
    made: list[HttpRequest] = []
    for rows, document in answers:
        made.append(paginator.request(BASE, position))
        answered = replace(page(document, rows=rows), before=before)
        before = answered.remembered()
        position = paginator.after(answered, position)
        if position is None:
            break
    else:
        made.append(paginator.request(BASE, position))
    return made


def offsets(requests: list[HttpRequest]) -> list[str]:
    return [request.params["offset"] for request in requests]


class TestOffset:
    def test_the_total_ends_it(self) -> None:
        made = walk(
            OffsetPaginator(limit=2),
            [(2, {"total": 5}), (2, {"total": 5}), (1, {"total": 5}), (0, {})],
        )
        assert offsets(made) == ["0", "2", "4"]
        assert {"2"} == {request.params["limit"] for request in made}

    def test_a_total_in_a_text_counts(self) -> None:
        assert offsets(walk(OffsetPaginator(limit=2), [(2, {"total": "2"})])) == ["0"]

    @pytest.mark.parametrize("total", [{}, {"total": None}])
    def test_without_a_total_a_short_page_does_not_end_it(self, total: object) -> None:
        made = walk(OffsetPaginator(limit=2), [(2, total), (1, total), (0, total)])
        assert offsets(made) == ["0", "2", "3"]

    def test_without_a_total_an_empty_page_ends_it(self) -> None:
        made = walk(OffsetPaginator(limit=2), [(2, {}), (2, {}), (0, {}), (2, {})])
        assert offsets(made) == ["0", "2", "4"]

    def test_an_api_that_caps_the_limit_loses_no_rows(self) -> None:
        made = walk(
            OffsetPaginator(limit=1000), [(100, {}), (100, {}), (40, {}), (0, {})]
        )
        assert offsets(made) == ["0", "100", "200", "240"]

    def test_an_api_that_caps_the_limit_and_knows_the_total_loses_no_rows(self) -> None:
        total = {"total": 240}
        made = walk(
            OffsetPaginator(limit=1000), [(100, total), (100, total), (40, total)]
        )
        assert offsets(made) == ["0", "100", "200"]

    def test_a_total_below_the_rows_in_hand_is_not_believed(self) -> None:
        made = walk(OffsetPaginator(limit=2), [(2, {"total": 1}), (1, {"total": 1})])
        assert offsets(made) == ["0", "2"]

    def test_a_maximum_with_more_behind_it_is_no_end(self) -> None:
        paginator = OffsetPaginator(limit=2, maximum_offset=4, total_path=None)
        made = walk(paginator, [(2, {}), (1, {}), (0, {})])
        assert offsets(made) == ["0", "2", "3"]
        with pytest.raises(CapReached, match="maximum_offset 4 is reached"):
            walk(paginator, [(2, {}), (2, {})])

    def test_has_more_decides_before_the_total(self) -> None:
        paginator = OffsetPaginator(limit=2, has_more_path="more")
        answers = [(1, {"more": True, "total": 1}), (2, {"more": False, "total": 9})]
        assert offsets(walk(paginator, answers)) == ["0", "1"]

    def test_a_total_that_is_no_number_is_an_error(self) -> None:
        with pytest.raises(Terminal, match="total_path"):
            OffsetPaginator(limit=2).after(page({"total": {"value": 3}}), None)

    def test_nothing_to_end_by_is_an_error_and_no_endless_run(self) -> None:
        paginator = OffsetPaginator(limit=2, stop_after_empty_page=False)
        with pytest.raises(Terminal, match="neither the total"):
            paginator.after(page({}), None)

    def test_both_can_go_into_the_body(self) -> None:
        paginator = OffsetPaginator(
            limit=2, offset=4, offset_body_path="page.skip", limit_body_path="page.take"
        )
        request = paginator.request(BASE, None)
        assert (
            request.json,
            dict(request.params),
        ) == ({"page": {"skip": 4, "take": 2}}, {"size": "2"})


class TestPageNumber:
    def pages(self, requests: list[HttpRequest]) -> list[str]:
        return [request.params["page"] for request in requests]

    def test_the_total_counts_pages_from_the_base(self) -> None:
        for base, expected in ((0, ["0", "1", "2"]), (1, ["1", "2", "3"])):
            paginator = PageNumberPaginator(base_page=base)
            made = walk(paginator, [(2, {"total": 3})] * 5)
            assert expected == self.pages(made)

    def test_without_a_total_an_empty_page_ends_it(self) -> None:
        made = walk(PageNumberPaginator(base_page=1), [(2, {}), (1, {}), (0, {})])
        assert self.pages(made) == ["1", "2", "3"]

    def test_it_can_begin_later(self) -> None:
        paginator = PageNumberPaginator(base_page=1, page=3)
        assert self.pages(walk(paginator, [(2, {"total": 4})] * 3)) == ["3", "4"]

    def test_a_maximum_with_more_behind_it_is_no_end(self) -> None:
        paginator = PageNumberPaginator(base_page=1, maximum_page=3, total_path=None)
        assert self.pages(walk(paginator, [(2, {}), (0, {})])) == ["1", "2"]
        with pytest.raises(CapReached, match="maximum_page 3 is reached"):
            walk(paginator, [(2, {}), (2, {})])

    def test_has_more_ends_it(self) -> None:
        paginator = PageNumberPaginator(has_more_path="meta.more")
        more, done = {"meta": {"more": True}}, {"meta": {"more": False}}
        assert self.pages(walk(paginator, [(2, more), (2, done)])) == ["0", "1"]

    def test_a_foreign_position_is_refused(self) -> None:
        with pytest.raises(Terminal):
            PageNumberPaginator().request(BASE, "x")


class TestAuto:
    @pytest.mark.parametrize("path", LINKS)
    def test_links_are_found(self, path: str) -> None:
        found = detect(page(nested(path, "/v1/cats?page=2")))
        assert isinstance(found, JsonLinkPaginator)
        position = AutoPaginator().after(page(nested(path, "/v1/cats?page=2")), None)
        request = AutoPaginator().request(BASE, position)
        assert request.url == "https://api.example.com/v1/cats?page=2"

    @pytest.mark.parametrize(("path", "param"), CURSORS)
    def test_cursors_are_found(self, path: str, param: str) -> None:
        document = nested(path, "c2")
        assert CursorPaginator(cursor_path=path, cursor_param=param) == detect(
            page(document)
        )

    def test_a_link_header_comes_first(self) -> None:
        answered = page({"next": "/x"}, headers={"link": '</y>; rel="next"'})
        assert HeaderLinkPaginator() == detect(answered)

    def test_datasette_is_told_by_its_url_and_not_by_its_token(self) -> None:
        document = {"rows": [{}], "next": "100", "next_url": "http://api.example.com/"}
        assert JsonLinkPaginator(next_url_path="next_url") == detect(page(document))

    @pytest.mark.parametrize(
        ("document", "expected"),
        [
            (
                {"page": 1, "total_pages": 5},
                {"base_page": 1, "page": 1, "page_param": "page",
                 "total_path": "total_pages"},
            ),
            (
                {"number": 0, "totalPages": 5, "content": []},
                {"base_page": 0, "page": 0, "page_param": "page",
                 "total_path": "totalPages"},
            ),
            (
                {"meta": {"current_page": 1, "last_page": 3}},
                {"base_page": 1, "page": 1, "page_param": "page",
                 "total_path": "meta.last_page"},
            ),
        ],
    )  # fmt: skip
    def test_page_numbers_are_found(
        self, document: object, expected: dict[str, object]
    ) -> None:
        assert PageNumberPaginator.model_validate(expected) == detect(page(document))

    def test_offsets_are_found(self) -> None:
        document = {"products": [], "total": 194, "skip": 0, "limit": 30}
        expected = OffsetPaginator(
            limit=30, offset_param="skip", limit_param="limit", total_path="total"
        )
        assert expected == detect(page(document))

    def test_a_total_and_our_own_parameters_are_enough(self) -> None:
        request = HttpRequest(
            method="GET", url=URL, headers={}, params={"limit": "2", "offset": "4"}
        )
        expected = OffsetPaginator(
            limit=2, offset=4, offset_param="offset", limit_param="limit",
            total_path="count",
        )  # fmt: skip
        assert expected == detect(page({"count": 9}, request=request))

    @pytest.mark.parametrize(
        "document",
        [{"has_more": True}, {"total": 500}, {"next": "xyz"}, {"meta": {"next": 3}}],
    )
    def test_more_that_cannot_be_asked_for_is_an_error(self, document: object) -> None:
        with pytest.raises(Terminal, match="declare the paginator") as caught:
            detect(page(document))
        assert caught.value.kind is RunErrorKind.RESPONSE

    @pytest.mark.parametrize(
        "document",
        [[], {}, {"next": None}, {"total": 2}, {"has_more": False, "a": 1},
         {"links": {"next": None}}, {"next_cursor": ""}],
    )  # fmt: skip
    def test_anything_else_is_one_page(self, document: object) -> None:
        assert SinglePagePaginator() == detect(page(document))
        assert AutoPaginator().after(page(document), None) is None

    def test_a_record_of_its_own_is_one_page_though_it_has_a_total(self) -> None:
        answered = replace(page({"invoice": 7, "total": 500}), is_one_record=True)
        assert detect(answered) == SinglePagePaginator()

    def test_it_does_on_later_pages_as_it_detected_on_the_first(self) -> None:
        auto = AutoPaginator()
        position = auto.after(page({"page": 1, "pages": 3}), None)
        assert auto.request(BASE, position).params["page"] == "2"
        # the last page looks as if it were a single one
        position = auto.after(page({"page": 2, "pages": 3}), position)
        assert auto.request(BASE, position).params["page"] == "3"
        assert auto.after(page({"page": 3, "pages": 3}), position) is None


class TestLoops:
    def test_a_request_that_comes_again_is_a_loop(self) -> None:
        guard = LoopGuard()
        guard.before(BASE)
        guard.before(JsonLinkPaginator().request(BASE, URL))
        with pytest.raises(Terminal, match="circles") as caught:
            guard.before(BASE)
        assert caught.value.kind is RunErrorKind.RESPONSE

    def test_rows_that_come_again_at_once_are_a_loop(self) -> None:
        guard = LoopGuard()
        guard.seen([b'{"a":1}', b'{"a":2}'])
        with pytest.raises(Terminal, match="circles"):
            guard.seen([b'{"a":1}', b'{"a":2}'])

    def test_rows_that_come_again_later_are_a_loop(self) -> None:
        guard = LoopGuard()
        first, second = [b'{"a":1}', b'{"a":2}'], [b'{"a":3}', b'{"a":4}']
        guard.seen(first)
        guard.seen(second)
        with pytest.raises(Terminal, match="circles"):
            guard.seen(first)

    def test_pages_of_one_kind_of_row_may_look_alike_when_apart(self) -> None:
        guard = LoopGuard()
        guard.seen([b"{}"])
        guard.seen([b'{"a":3}'])
        guard.seen([b"{}"])

    def test_empty_pages_are_no_loop_until_there_are_very_many(self) -> None:
        guard = LoopGuard()
        for _ in range(LoopGuard.EMPTY_PAGES):
            guard.seen([])
        with pytest.raises(Terminal, match="without a row"):
            guard.seen([])

    def test_a_different_body_is_a_different_request(self) -> None:
        guard = LoopGuard()
        paginator = CursorPaginator(cursor_body_path="after")
        for cursor in ("a", "b"):
            guard.before(paginator.request(BASE, cursor))
        with pytest.raises(Terminal):
            guard.before(paginator.request(BASE, "a"))
