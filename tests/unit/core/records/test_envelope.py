from __future__ import annotations

import json

import pytest

from lambdas.core.records.documents import Document
from lambdas.core.records.envelope import MOST_NODES, Envelope, words_of
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
