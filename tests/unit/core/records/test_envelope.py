from __future__ import annotations

import json

import pytest

from lambdas.core.records.documents import Document
from lambdas.core.records.envelope import MOST_NODES, Envelope, Node, words_of
from lambdas.core.records.json_path import find_value


def paths(document: object, selector: str | None) -> list[str]:
    body = json.dumps(document).encode()
    return [node.path for node in Envelope(Document(body), selector).nodes]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nextPageToken", ("next", "page", "token")),
        ("next_page_token", ("next", "page", "token")),
        ("nextpagetoken", ("next", "page", "token")),
        ("X-WP-TotalPages", ("x", "wp", "total", "pages")),
        ("@odata.nextLink", ("odata", "next", "link")),
        ("context", ("context",)),
        ("index", ("index",)),
        ("", ()),
    ],
)
def test_a_name_is_told_by_its_words(name: str, words: tuple[str, ...]) -> None:
    assert words_of(name) == words


def test_records_are_left_out_and_what_surrounds_them_is_read() -> None:
    document = {"a": {"rows": [{"next": 1}], "next": 2}, "total": 3}
    assert paths(document, "a.rows") == ["a", "total", "a.next"]
    assert paths({"items": [{"r": {"x": 1}, "cursor": 2}]}, "items[*].r") == []
    assert paths({"d": [{"rows": [1], "next": 2}]}, "d[0].rows") == ["d", "d[0].next"]


def test_a_link_in_a_list_has_a_path_that_finds_it() -> None:
    document = {"link": [{"relation": "next", "url": "/a"}], "rows": []}
    (path,) = [one for one in paths(document, "rows") if one.endswith("url")]
    assert path == "link[?relation=='next'].url"
    assert find_value(json.dumps(document).encode(), path) == "/a"


@pytest.mark.parametrize(
    "other",
    [
        {"user": {"id": 7, "next": 1}},
        {"owners": [{"id": 7, "next": 1}]},
        {"included": {"next": 1}},
        {"facets": {"next": 1}},
        {"rate_limit": {"next": 1}},
        {"a": {"b": {"c": {"d": {"e": {"next": 1}}}}}},
    ],
    ids=json.dumps,
)
def test_what_speaks_of_something_else_is_left_out(other: dict[str, object]) -> None:
    assert not [one for one in paths({"rows": [], **other}, "rows") if "next" in one]


def test_however_much_surrounds_the_records_little_is_read() -> None:
    document: dict[str, object] = {"rows": []}
    document |= {f"k{n}": n for n in range(5_000)}
    document |= {f"o{n}": {"p": {"q": n}} for n in range(5_000)}
    document |= {"has_more": True}
    assert paths(document, "rows") == ["has_more"]
    deep = {"rows": [], "m": {f"n{n}": {"o": {"p": n, "q": n}} for n in range(400)}}
    deep["x"] = {f"y{n}": {f"z{k}": k for k in range(90)} for n in range(90)}
    assert len(paths(deep, "rows")) <= MOST_NODES + 100


PARTS = [
    "after",
    "before",
    "code",
    "continuation",
    "count",
    "current",
    "cursor",
    "data",
    "done",
    "elements",
    "end",
    "err",
    "error",
    "first",
    "found",
    "has",
    "hits",
    "href",
    "id",
    "index",
    "is",
    "item",
    "items",
    "key",
    "last",
    "limit",
    "link",
    "mark",
    "marker",
    "message",
    "more",
    "msg",
    "nb",
    "next",
    "no",
    "num",
    "number",
    "of",
    "offset",
    "page",
    "pages",
    "per",
    "prev",
    "previous",
    "record",
    "records",
    "result",
    "results",
    "rows",
    "size",
    "start",
    "status",
    "stream",
    "token",
    "total",
    "uri",
    "url",
]
OF_OTHERS = [
    "aggregation",
    "aggregations",
    "aggs",
    "args",
    "bucket",
    "buckets",
    "columns",
    "config",
    "debug",
    "facet",
    "facets",
    "fields",
    "filters",
    "histogram",
    "included",
    "includes",
    "param",
    "parameters",
    "params",
    "profile",
    "query",
    "quota",
    "quotas",
    "rate",
    "request",
    "schema",
    "settings",
    "shards",
    "suggest",
    "suggestions",
    "throttle",
    "timing",
    "timings",
    "usage",
    "warnings",
]
OF_ANSWERS = [
    "body",
    "cursor",
    "cursors",
    "data",
    "header",
    "headers",
    "hits",
    "info",
    "link",
    "links",
    "list",
    "meta",
    "metadata",
    "next",
    "page",
    "pager",
    "pages",
    "paginate",
    "pagination",
    "paginator",
    "paging",
    "payload",
    "response",
    "result",
    "results",
    "summary",
]


def test_words_that_are_run_together_are_known_apart() -> None:
    for word in PARTS:
        assert words_of(f"{word}page") == (word, "page"), word
        assert words_of(f"token{word}") == ("token", word), word
    assert words_of("catpage") == ("catpage",)


def test_what_is_of_others_is_told_by_these_words() -> None:
    for word in OF_OTHERS:
        assert "a.next" in paths({"rows": [], "a": {"next": 1}}, "rows")
        assert paths({"rows": [], word: {"next": 1}}, "rows") == [], word
        # What is answered to it is of this page.
        for answered in ("response", "result", "results"):
            name = f"{word}_{answered}"
            assert paths({"rows": [], name: {"next": 1}}, "rows")[1:] == [
                f"{name}.next"
            ]


def test_an_object_with_an_id_is_another_record_but_under_these_names() -> None:
    for word in OF_ANSWERS:
        found = paths({"rows": [], word: {"id": 7, "cats": 1}}, "rows")
        assert f"{word}.cats" in found, word
    for name in ("id", "_id", "uuid", "guid", "ID", "Id"):
        assert paths({"rows": [], "cat": {name: 7, "next": 1}}, "rows") == ["cat"], name


def test_a_link_in_a_list_says_where_it_leads_to() -> None:
    for relation in ("rel", "relation", "name", "type", "key"):
        for leads_to in (
            "next", "prev", "previous", "first", "last", "self", "next-page",
            "next_page", "previous-page", "up", "current", "Next",
        ):  # fmt: skip
            link = {relation: leads_to, "href": "/a", "id": 7}
            found = paths({"rows": [], "links": [link]}, "rows")
            assert f"links[?{relation}=='{leads_to}'].href" in found
    assert paths(
        {"rows": [], "links": [{"rel": "cat", "id": 1, "href": 2}]}, "rows"
    ) == ["links"]


SPEAKING = [
    "next",
    "more",
    "last",
    "page",
    "paging",
    "pagination",
    "cursor",
    "token",
    "after",
    "marker",
    "offset",
    "skip",
    "start",
    "link",
    "total",
    "count",
    "found",
    "hits",
    "limit",
    "continue",
    "scroll",
    "done",
    "end",
    "meta",
    "info",
    "error",
    "fault",
    "fail",
    "exception",
    "status",
    "success",
    "ok",
    "code",
    "message",
    "msg",
    "truncated",
    "remaining",
    "time",
]


def test_of_very_many_members_those_that_speak_are_read() -> None:
    many: dict[str, object] = {f"k{number}": 1 for number in range(101)}
    for word in SPEAKING:
        assert paths({"rows": [], **many, word: 1}, "rows") == [word], word
        assert paths({"rows": [], **many, word.upper(): 1}, "rows") == [word.upper()]
    assert paths({"rows": [], **many, "spoken": 1}, "rows") == []
    few = dict(list(many.items())[:98])
    assert len(paths({"rows": [], **few, "spoken": 1}, "rows")) == 99


def test_of_very_many_members_both_ends_are_looked_at() -> None:
    many: dict[str, object] = {f"k{number}": 1 for number in range(1_998)}
    document = {"rows": [], "next1": 1, **many, "next2": 1}
    assert paths(document, "rows") == ["next1", "next2"]
    middle = list(many.items())
    document = {"rows": [], **dict(middle[:999]), "next1": 1, **dict(middle[999:])}
    assert paths({**document, "a": 1, "b": 1}, "rows") == []
    assert paths(document, "rows") == ["next1"]
    speaking: dict[str, object] = {f"page{number}": 1 for number in range(150)}
    assert len(paths({"rows": [], **speaking}, "rows")) == 100


def test_names_are_read_to_a_depth_of_five() -> None:
    deep: dict[str, object] = {"next": 6}
    for name in ("e", "d", "c", "b", "a"):
        deep = {name: deep, "next": 1}
    found = paths({"rows": [], **deep}, "rows")
    assert "a.b.c.d.next" in found
    assert "a.b.c.d.e" in found
    assert "a.b.c.d.e.next" not in found


def test_records_may_stand_where_others_do() -> None:
    document = {"included": {"rows": [{"next": 1}], "next": 2}}
    assert paths(document, "included.rows") == ["included", "included.next"]
    envelope = Envelope(Document(json.dumps(document).encode()), "rows")
    assert [one.path for one in envelope.about_others] == ["included"]


def test_an_answer_that_is_records_has_nothing_beside_them() -> None:
    assert paths([{"next": 1}], "$") == []
    assert Envelope(None, "rows").nodes == ()
    assert paths({"id": 7, "next": 1}, "$") == ["id", "next"]


def nodes_of(document: object) -> dict[str, Node]:
    envelope = Envelope(Document(json.dumps(document).encode()), "rows")
    return {node.path: node for node in envelope.nodes}


def test_a_member_says_what_it_is_and_whether_anything_is_in_it() -> None:
    empty: dict[str, object] = {"a": None, "b": "", "c": " ", "d": {}, "e": [], "f": []}
    full: dict[str, object] = {
        "g": 0,
        "h": False,
        "i": "x",
        "j": {"x": 1},
        "k": [1],
        "l": [0] * 40,
    }
    found = nodes_of({"rows": [], **empty, **full})
    assert {name: found[name].is_empty for name in (*empty, *full)} == {
        **dict.fromkeys(empty, True),
        **dict.fromkeys(full, False),
    }
    assert [found[name].value for name in "agdik"] == [None, 0, None, "x", None]
    assert [found[name].kind for name in "agdik"] == [
        "null", "number", "object", "string", "array",
    ]  # fmt: skip
    long = nodes_of({"rows": [], "next": "x" * 20_000})["next"].value
    assert long == "x" * 16_384


def test_a_members_words_are_those_of_its_names_and_of_where_a_link_leads() -> None:
    found = nodes_of({"rows": [], "pageInfo": {"endCursor": 1}, "links": [
        {"rel": "next", "href": "/a"},
    ]})  # fmt: skip
    cursor = found["pageInfo.endCursor"]
    assert cursor.words == ("end", "cursor")
    assert cursor.all_words == {"page", "info", "end", "cursor"}
    assert found["links[?rel=='next'].href"].all_words == {"links", "next", "href"}


def test_members_of_one_object_stand_beside_each_other() -> None:
    body = json.dumps({"rows": [], "m": {"a": 1, "b": 2}, "n": {"c": 3}}).encode()
    envelope = Envelope(Document(body), "rows")
    (a,) = [node for node in envelope.nodes if node.path == "m.a"]
    assert [node.path for node in envelope.beside(a)] == ["m.a", "m.b"]


def test_records_below_one_of_a_list_have_what_surrounds_them_read() -> None:
    document = {"d": [{"id": 1, "rows": [1], "next": 2}, {"id": 2, "next": 3}]}
    assert paths(document, "d[0].rows") == ["d", "d[0].id", "d[0].next"]


def test_an_object_below_one_of_a_list_is_read() -> None:
    document = {"rows": [], "m": [{"a": {"next": 1}}]}
    assert paths(document, "rows") == ["m", "m[0].a", "m[0].a.next"]


def test_a_list_is_read_for_its_first_twenty_and_not_past_what_is_no_object() -> None:
    links = [{"a": number} for number in range(30)]
    found = [one for one in paths({"rows": [], "m": links}, "rows") if "a" in one]
    assert found == [f"m[{number}].a" for number in range(20)]
    assert paths({"rows": [], "m": [{"a": 1}, 2, {"a": 3}]}, "rows") == ["m", "m[0].a"]


def test_an_answer_that_is_a_list_may_have_its_records_in_one_of_it() -> None:
    assert paths([{"rows": [1], "next": 2}, {"next": 3}], "[0].rows") == [
        "$[0].next", "$[1].next",
    ]  # fmt: skip
