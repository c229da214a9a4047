"""A record lands on one line, and what is too long for one is refused."""

from __future__ import annotations

import json
import re

import pytest

from lambdas.core.errors import Terminal
from lambdas.core.records import select
from lambdas.core.records.documents import MAX_RECORD_BYTES, Document
from lambdas.core.records.select import (
    COMMON,
    detect_selector,
    parted,
    select_records,
)

BREAKS = ["\n", "\r\n", "\r"]


@pytest.mark.parametrize("line_break", BREAKS, ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("selector", [None, "$"])
def test_pretty_printed_records_land_on_one_line_each(
    line_break: str, selector: str | None
) -> None:
    rows = [{"id": 1, "a": {"b": [1, 2]}}, {"id": 2, "a": None}]
    body = json.dumps(rows, indent=1).replace("\n", line_break).encode()
    found = select_records(Document(body), selector)
    assert [json.loads(one) for one in found] == rows
    assert not any(re.search(rb"[\r\n]", one) for one in found)


@pytest.mark.parametrize("line_break", BREAKS, ids=["LF", "CRLF", "CR"])
def test_breaks_inside_nested_and_named_rows_are_no_lines_either(
    line_break: str,
) -> None:
    body = '{"columns": ["a", "b"], "rows": [[1,@[2,@3]]@]}'.replace("@", line_break)
    assert select_records(Document(body.encode())) == [b'{"a":1,"b":[2, 3]}']


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_record_that_is_too_long_is_refused_wherever_it_stands(place: int) -> None:
    rows = [{"id": number} for number in range(2)]
    rows.insert(place, {"id": 9, "text": "x" * MAX_RECORD_BYTES})  # type: ignore[dict-item]  # a longer one
    with pytest.raises(Terminal, match=f"longer than {MAX_RECORD_BYTES}"):
        select_records(Document(json.dumps(rows).encode()))


def test_many_short_records_may_be_longer_together() -> None:
    rows = [{"id": number, "text": "x" * 1000} for number in range(9_000)]
    body = json.dumps(rows).encode()
    assert len(body) > MAX_RECORD_BYTES
    assert len(select_records(Document(body))) == 9_000


# where they stand --------------------------------------------------------------------
NAMES = (
    "data", "results", "items", "records", "rows", "value", "entries", "content",
    "objects", "entities", "payload", "list", "docs", "documents", "hits", "elements",
    "result", "resources", "values", "features",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_common_name_is_preferred_to_another_array_of_objects(name: str) -> None:
    body = json.dumps({"others": [{"x": 1}], name: [{"id": 1}]}).encode()
    assert detect_selector(Document(body)) == name


def test_the_most_common_name_comes_first() -> None:
    assert COMMON == NAMES


@pytest.mark.parametrize(
    "name",
    [
        "errors", "error", "warnings", "messages", "link", "links", "_links", "meta",
        "metadata", "pagination", "paging", "included", "facets", "aggregations",
        "headers", "extras", "columns", "fields", "schema",
    ],
)  # fmt: skip
def test_what_stands_beside_the_records_is_never_taken_for_them(name: str) -> None:
    body = json.dumps({name: [{"x": 1}], "cats": [{"id": 1}]}).encode()
    assert detect_selector(Document(body)) == "cats"


@pytest.mark.parametrize(
    "name",
    [
        "total", "count", "num_pages", "page", "per_page", "next", "prev", "previous",
        "first", "last", "has_more", "offset", "limit", "skip", "size", "start", "from",
        "to", "more", "cursor", "after", "before", "ok", "success", "status", "code",
        "message", "took", "time", "query", "truncated", "is_last", "@odata.count",
        "self", "_total", "hasMore", "TotalCount",
    ],
)  # fmt: skip
def test_an_empty_list_beside_counts_and_links_is_no_records_today(name: str) -> None:
    body = json.dumps({"cats": [], name: 0}).encode()
    assert detect_selector(Document(body)) == "cats"


@pytest.mark.parametrize("name", ["toys", "owner", "code_name", "okapi", "messages_of"])
def test_an_empty_list_beside_anything_else_is_a_field_of_a_record(name: str) -> None:
    body = json.dumps({"cats": [], name: 0}).encode()
    assert detect_selector(Document(body)) == "$"


def test_two_empty_lists_beside_counts_are_no_records_either() -> None:
    assert detect_selector(Document(b'{"cats": [], "dogs": [], "total": 0}')) == "cats"


def test_columns_are_found_beside_nested_rows() -> None:
    body = b'{"result": {"columns": ["id"], "rows": [[1], [2]]}}'
    found = select_records(Document(body), "result.rows")
    assert found == [b'{"id":1}', b'{"id":2}']


@pytest.mark.parametrize("path", ["items[*].r", "a.items[*].r", "$[*].r"])
def test_a_wildcard_over_nothing_is_no_records(path: str) -> None:
    body = {"items[*].r": b'{"items":[]}', "a.items[*].r": b'{"a":{"items":[]}}'}
    assert select_records(Document(body.get(path, b"[]")), path) == []


def test_a_wildcard_below_nothing_is_an_error() -> None:
    assert select_records(Document(b"{}"), "*") == []
    with pytest.raises(Terminal, match="matches nothing"):
        select_records(Document(b'{"itens":[]}'), "items[*].r")


@pytest.mark.parametrize(
    "document",
    [{"total": 0, "errors": []}, {"total": 2, "ids": [1, 2]}, {"count": 1, "of": []}],
    ids=json.dumps,
)
def test_beside_counts_only_an_empty_list_of_its_own_is_no_records(
    document: dict[str, object],
) -> None:
    wanted = "of" if "of" in document else "$"
    assert detect_selector(Document(json.dumps(document).encode())) == wanted


def test_what_holds_no_records_is_shown() -> None:
    with pytest.raises(Terminal) as refused:
        detect_selector(Document(b'"abc"'))
    assert str(refused.value) == (
        'expected an array or an object of records, got a string: `"abc"`'
    )


EMPTY = (
    "expected records, got an empty object; if an answer without records looks like "
    "this, ignore it with response_actions, or set data_selector: $"
)
NOT_THERE = (
    "the data_selector `rows` matches nothing: the answer is an object with `items`, "
    "`total`"
)
ARRAYS = (
    "`rows` should hold objects, one a record; it holds an array: `[1]` (ask the API "
    "for rows as objects, as Datasette's _shape=objects does)"
)
SEVERAL = (
    "several arrays of objects could be the records: `cats`, `dogs`; name one as "
    "data_selector"
)


@pytest.mark.parametrize(
    ("body", "selector", "said"),
    [
        (b"{}", None, EMPTY),
        (
            b'"x"',
            None,
            'expected an array or an object of records, got a string: `"x"`',
        ),
        (b'{"items":[{"a":1}],"total":1}', "rows", NOT_THERE),
        (b"[1]", None, "`$` should hold objects, one a record; it holds a number: `1`"),
        (b'{"rows":[[1]]}', None, ARRAYS),
        (b'{"cats":[{"a":1}],"dogs":[{"b":1}]}', None, SEVERAL),
    ],
)
def test_what_holds_no_records_is_told_in_full(
    body: bytes, selector: str | None, said: str
) -> None:
    with pytest.raises(Terminal) as refused:
        select_records(Document(body), selector)
    assert str(refused.value) == said


def test_records_that_moved_after_the_first_page_are_told_in_full() -> None:
    with pytest.raises(Terminal) as refused:
        select_records(Document(b'{"cats":[{"a":1}]}'), found="data.rows")
    assert str(refused.value) == (
        "the records stood in `data.rows` on the first page, and are not there now: "
        "the answer is an object with `cats`"
    )


@pytest.mark.parametrize(
    ("document", "selector"),
    [
        ([{"page": 1}, [{"id": 1}]], "[1]"),
        ([{"page": 1}, {"of": 2}, [{"id": 1}]], "[2]"),
        ([{"page": 1}, {"of": 2}, {"at": 3}, [{"id": 1}]], "$"),
        ([[{"id": 1}]], "$"),
        ([[{"id": 1}], [{"id": 2}]], "$"),
        ([{"page": 1}, 3, [{"id": 1}]], "$"),
    ],
)
def test_one_array_among_two_or_three_elements_beside_objects_holds_the_records(
    document: object, selector: str
) -> None:
    found = detect_selector(Document(json.dumps(document).encode()))
    assert found.removeprefix("$") == selector.removeprefix("$")


@pytest.mark.parametrize("name", ["columns", "fields", "headers", "schema"])
def test_columns_have_one_of_these_names(name: str) -> None:
    document = {name: ["id", "at"], "rows": [[1, 2], [3, 4]]}
    found = select_records(Document(json.dumps(document).encode()), "rows")
    assert [json.loads(one) for one in found] == [
        {"id": 1, "at": 2}, {"id": 3, "at": 4},
    ]  # fmt: skip


def test_arrays_in_arrays_have_no_columns_beside_them() -> None:
    with pytest.raises(Terminal) as refused:
        select_records(Document(b'{"rows":[[[1,2]]],"columns":["a","b"]}'), "rows[0]")
    assert "`rows[0]` should hold objects, one a record; it holds an array" in str(
        refused.value
    )


def test_rows_that_are_given_long_names_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    document = Document(b'{"columns":["id","at"],"rows":[[1,2],[3,4]]}')
    monkeypatch.setattr(select, "MAX_NAMED_BYTES", 20)
    assert len(select_records(document)) == 2
    monkeypatch.setattr(select, "MAX_NAMED_BYTES", 19)
    with pytest.raises(Terminal) as refused:
        select_records(document)
    assert str(refused.value) == (
        "2 rows by 2 long names are more than 19 bytes; ask for smaller pages"
    )


def test_an_array_that_begins_with_many_spaces_is_still_one() -> None:
    body = b'{"cats":[' + b" " * 300 + b'{"id":1}],"ids":[1]}'
    assert select_records(Document(body)) == [b'{"id":1}']


def test_what_is_no_object_is_parted_from_the_records() -> None:
    assert parted([b'{"a":1}', b"null", b'{"b":1}', b"3"]) == (
        [b'{"a":1}', b'{"b":1}'], [b"null", b"3"],
    )  # fmt: skip
    assert parted([b"3"]) == ([], [b"3"])
    assert parted([b'{"a":1}']) == ([b'{"a":1}'], [])
