from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Any

import pytest

from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.records import select
from lambdas.core.records.documents import (
    CHECKED_WHOLE_BYTES,
    MAX_RECORD_BYTES,
    Document,
)
from lambdas.core.records.select import detect_selector
from lambdas.core.records.streams import CsvFormat, csv_rows, json_lines
from tests.work import work_of


def select_records(
    body: bytes, selector: str | None = None, *, content_type: str = ""
) -> list[bytes]:
    document = Document(body, content_type=content_type)
    return select.select_records(document, selector)


def lines_of(body: bytes, content_type: str = "") -> list[bytes]:
    return [one for part in json_lines(BytesIO(body), content_type) for one in part]


def rows_of(body: bytes, *, needed: Any = (), **form: Any) -> list[Any]:
    written = CsvFormat.model_validate({"type": "csv", **form})
    parts = csv_rows(BytesIO(body), written, needed=needed)
    return [json.loads(one) for part in parts for one in part]


ROWS = b'[{"id":1},{"id":2}]'


@pytest.mark.parametrize(
    ("body", "selector"),
    [
        (b'{"rows":[{"id":1},{"id":2}]}', "rows"),
        (b'{"data":{"items":[{"id":1},{"id":2}]}}', "data.items"),
        (b'{"a.b":[{"id":1},{"id":2}]}', "$['a.b']"),
        (b'[{"rows":[{"id":1},{"id":2}]}]', "[0].rows"),
        (b'{"items":[{"r":{"id":1}},{"r":{"id":2}}]}', "items[*].r"),
        (b'{"a":[{"id":1}],"b":[{"id":2}]}', "*"),
        (ROWS, "$"),
        (ROWS, None),
        (b'{"data":[{"id":1},{"id":2}],"included":[{"id":9}]}', None),
        (b'{"items":[{"id":1},{"id":2}],"total":2}', None),
        (b'{"value":[{"id":1},{"id":2}]}', None),
        (b'{"response":{"docs":[{"id":1},{"id":2}]}}', None),
        (b'{"_embedded":{"cats":[{"id":1},{"id":2}]}}', None),
        (b'{"d":{"results":[{"id":1},{"id":2}]}}', None),
        (b'{"cats":[{"id":1},{"id":2}],"warnings":[{"x":1}],"ids":[1,2]}', None),
        (b'{"odd key":[{"id":1},{"id":2}]}', None),
        (b'\xef\xbb\xbf[{"id":1},{"id":2}]', None),
        (b' \r\n\t [ {"id":1} ,\n {"id":2} ] \n', None),
    ],
)
def test_records_are_found(body: bytes, selector: str | None) -> None:
    assert select_records(body, selector) == [b'{"id":1}', b'{"id":2}']


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"[]", "$"),
        (b'{"id":1}', "$"),
        (b'{"results":[],"other":[{"a":1}]}', "results"),
        (b'{"data":{"a":1},"cats":[{"a":1}]}', "cats"),
        (b'{"meta":{"tags":[{"a":1}]},"id":5}', "meta.tags"),
        (b'{"my data":{"odd.key":[{"a":1}]}}', "my data['odd.key']"),
        (b'{"x":{"odd.key":[{"a":1}]}}', "x['odd.key']"),
    ],
)
def test_where_the_records_stand_is_a_selector_that_works(
    body: bytes, expected: str
) -> None:
    found = detect_selector(Document(body))
    assert expected == found
    select_records(body, found)


def test_the_last_word_of_the_path_decides_among_several() -> None:
    document = Document(b'{"cats":[{"a":1}],"dogs":[{"b":1}]}')
    assert detect_selector(document, hint="dogs") == "dogs"
    with pytest.raises(Terminal, match="`cats`, `dogs`"):
        detect_selector(document)


@pytest.mark.parametrize(
    "body", ['{"cats":[null,{"a":1}]}', '{"d":{"cats":[ null ,{}]}}']
)
def test_a_null_among_the_first_records_hides_no_list(body: str) -> None:
    found = detect_selector(Document(body.encode()))
    assert found in {"cats", "d.cats"}


def test_a_lone_object_is_one_record() -> None:
    assert select_records(b'{"id":1,"tags":["a"]}') == [b'{"id":1,"tags":["a"]}']
    assert select_records(b'{"cat":{"id":1}}', "cat") == [b'{"id":1}']


@pytest.mark.parametrize(
    "body", [b'{"rows":[]}', b'{"rows":null}', b'{"rows": [ ]}', b"[]"]
)
def test_no_records_is_no_error(body: bytes) -> None:
    assert select_records(body) == [] or body == b'{"rows":null}'
    selector = None if body == b"[]" else "rows"
    assert select_records(body, selector) == []


@pytest.mark.parametrize(
    ("body", "selector"),
    [
        (b'{"total":0,"flights":[]}', "flights"),
        (b'{"flights":[],"has_more":false,"next":null,"links":{}}', "flights"),
        (b'{"id":7,"name":"Tom","tags":[]}', "$"),
        (b'{"total":0}', "$"),
    ],
)
def test_nothing_today_is_told_from_a_record_with_an_empty_list(
    body: bytes, selector: str
) -> None:
    assert detect_selector(Document(body)) == selector
    assert len(select_records(body)) == (1 if selector == "$" else 0)


@pytest.mark.parametrize(
    "columns", [b'"columns":["id","n o"]', b'"fields":[{"name":"id"},{"name":"n o"}]']
)
@pytest.mark.parametrize("selector", [None, "rows"])
def test_rows_that_are_arrays_take_the_names_of_the_columns_beside_them(
    columns: bytes, selector: str | None
) -> None:
    body = b'{"rows":[[12345678901234567890123,"a"],\n[2, [1, 2]]],' + columns + b"}"
    assert select_records(body, selector) == [
        b'{"id":12345678901234567890123,"n o":"a"}',
        b'{"id":2,"n o":[1, 2]}',
    ]


@pytest.mark.parametrize(
    "body",
    [
        b'{"rows":[[1,2]],"columns":["id"]}',
        b'{"rows":[[1,2]],"columns":["id","id"]}',
        b'{"rows":[[1,2]],"columns":[1,2]}',
        b'{"rows":[[1,2],{"id":1}],"columns":["a","b"]}',
    ],
)
def test_rows_that_do_not_fit_their_columns_are_an_error(body: bytes) -> None:
    with pytest.raises(Terminal, match="holds an array"):
        select_records(body)


def test_a_wildcard_over_an_empty_array_matches_no_records_and_is_no_error() -> None:
    assert select_records(b'{"items":[]}', "items[*].record") == []
    with pytest.raises(Terminal, match="matches nothing"):
        select_records(b'{"itens":[]}', "items[*].record")


def test_every_digit_is_kept() -> None:
    record = (
        b'{"n":12345678901234567890123,"e":1.10,"f":1e400,'
        b'"g":0.1000000000000000055511151231257827,"u":"\\u00e9\\/"}'
    )
    assert [record] == select_records(b'{"rows":[' + record + b"]}", "rows")


def test_a_pretty_printed_record_comes_on_one_line() -> None:
    source = [{"a": 1, "b": {"c": "x\ny"}}, {"a": 2, "b": None}]
    body = json.dumps({"rows": source}, indent=2).replace("\n", "\r\n").encode()
    records = select_records(body, "rows")
    assert source == [json.loads(record) for record in records]
    assert not any(b"\n" in record or b"\r" in record for record in records)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"items":[{"a":1}],"total":1}', "`items`, `total`"),
        (b"[1,2,3]", "an array of 3 elements"),
        (b"{}", "an empty object"),
        (b'"x"', "a string"),
    ],
)
def test_a_selector_that_matches_nothing_is_an_error_naming_what_is_there(
    body: bytes, message: str
) -> None:
    with pytest.raises(Terminal, match=message) as caught:
        select_records(body, "rows")
    assert "`rows` matches nothing" in str(caught.value)
    assert caught.value.kind is RunErrorKind.RESPONSE


@pytest.mark.parametrize(
    ("body", "selector", "message"),
    [
        (b"", None, "no body"),
        (b"  \n", None, "no body"),
        (b"<html><body>Sign in</body></html>", None, "HTML"),
        (b"\n <!DOCTYPE html>", None, "HTML"),
        (b"<?xml version='1.0'?>", "rows", "HTML or XML"),
        (b'{"rows":[{"id":1},{"id"', None, "cut off"),
        (b'[{"id":1}', None, "cut off"),
        (b'[{"id":1}]]', None, "malformed"),
        (b'[{"id":1},]', None, "trailing comma"),
        (b'[{"id":NaN}]', None, "NaN"),
        (b'[{"id":-Infinity}]', None, "NaN or Infinity"),
        (b"[{'id':1}]", None, "malformed"),
        (b'[{"id":"a\nb"}]', None, "malformed"),
        (b'[{"id":"\xff\xfe"}]', None, "not utf-8 at byte 8"),
        ('[{"id":"é"}]'.encode("latin-1"), None, "not utf-8"),
        (b"[1,2]", None, "holds a number"),
        (b'["a"]', "$", "holds a string"),
        (b'{"rows":[[1,2],[3,4]]}', None, "_shape=objects"),
        (b'{"rows":3}', "rows", "holds a number"),
        (b'"ok"', None, "a string"),
        (b"5", None, "a number"),
        (b"null", None, "a null"),
        (b'[{"id":1,"id":2}]', None, "'id' is twice"),
        (b'[{"a":{"b":1,"b":2}}]', None, "'b' is twice"),
        (b'{"rows":[{"id":1}],"rows":[]}', "rows", "'rows' is twice"),
        (b'{"rows": [{"id": 1}], "rows": []}', "rows", "'rows' is twice"),
        (b'{"rows" : [{"id":1}],\n"rows":[]}', "rows", "'rows' is twice"),
        (b"[" * 5000 + b"]" * 5000, None, "nested too deeply"),
        (b'[{"a":' + b"[" * 5000 + b"]" * 5000 + b"}]", None, "nested too deeply"),
        (b'{"error":"no such table"}', None, "no such table"),
        (b'{"data":null,"errors":[{"message":"denied"}]}', None, "denied"),
        (b'{"results":[],"error":{"code":7}}', None, "code"),
    ],
)
def test_bad_input_is_an_error_of_kind_response(
    body: bytes, selector: str | None, message: str
) -> None:
    with pytest.raises(Terminal, match=message) as caught:
        select_records(body, selector)
    assert caught.value.kind is RunErrorKind.RESPONSE
    assert len(str(caught.value)) < 500


def test_a_record_with_an_error_in_it_can_be_meant() -> None:
    body = b'{"job":7,"error":"it failed"}'
    assert [body] == select_records(body, "$")
    assert select_records(b'{"job":7,"error":null}') == [b'{"job":7,"error":null}']


def test_a_record_too_long_for_a_row_is_an_error() -> None:
    record = b'{"a":"' + b"x" * MAX_RECORD_BYTES + b'"}'
    with pytest.raises(Terminal, match="longer than") as caught:
        select_records(b"[" + record + b"]")
    assert len(str(caught.value)) < 500
    fine = b'{"a":"' + b"x" * 1_000_000 + b'"}'
    body = b"[" + b",".join([fine] * 12) + b"]"
    assert len(select_records(body)) == 12


def test_repeated_names_are_found_in_long_pages_too() -> None:
    record = b'{"id":1,"name":"cat","id":2}'
    count = CHECKED_WHOLE_BYTES // len(record) * 4
    with pytest.raises(Terminal, match="is twice"):
        select_records(b"[" + b",".join([record] * count) + b"]")


@pytest.mark.parametrize("name", ["latin-1", "iso-8859-15", "windows-1252", "utf-16"])
def test_a_declared_charset_is_believed(name: str) -> None:
    body = '[{"name":"Café"}]'.encode(name)
    records = select_records(body, content_type=f'application/json; charset="{name}"')
    assert ['{"name":"Café"}'.encode()] == records


@pytest.mark.parametrize("name", ["klingon", "base64", "rot13", "hex"])
def test_a_charset_that_is_none_is_an_error(name: str) -> None:
    with pytest.raises(Terminal, match=name):
        select_records(b'[{"a":"\xe9"}]', content_type=f"text/json;charset={name}")


def test_json_declared_as_html_is_read_and_html_is_not() -> None:
    assert select_records(b'{"rows":[]}', content_type="text/html") == []
    with pytest.raises(Terminal, match="HTML"):
        select_records(b"Please sign in", content_type="text/html; charset=utf-8")


class TestLines:
    def test_each_line_is_a_record(self) -> None:
        body = b'{"a":1}\n\n{"a":12345678901234567890123}\r\n  {"a":3}  '
        expected = [b'{"a":1}', b'{"a":12345678901234567890123}', b'{"a":3}']
        assert expected == lines_of(body)
        assert lines_of(b"") == []

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b'{"a":1}\n{"a":', "line 2"),
            (b"7\nnull\n", "line 1"),
            (b'{"a":1} {"a":2}\n', "line 1"),
            (b'{"a":1\n"b":2}', "line 1"),
            (b'[{"a":1}]', "line 1"),
            (b"<html>", "line 1"),
            (b'{"a":1,"a":2}', "twice"),
        ],
    )
    def test_a_line_that_is_no_object_is_named(self, body: bytes, message: str) -> None:
        with pytest.raises(Terminal, match=message):
            lines_of(body)


class TestCsv:
    def test_the_first_row_names_the_fields(self) -> None:
        body = 'id,name\r\n1,"Tom, ""the"" cat"\r\n\r\n2,"a\nb"\r\n3,é\r\n'.encode()
        assert rows_of(body) == [
            {"id": "1", "name": 'Tom, "the" cat'},
            {"id": "2", "name": "a\nb"},
            {"id": "3", "name": "é"},
        ]
        assert rows_of(b"") == []
        assert rows_of(b"id,name\n") == []

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"a,b\n1\n", "line 2 of the CSV has 1 fields"),
            (b"a,b\n1,2,3\n", "line 2 of the CSV has 3 fields"),
            (b"a,a\n1,2\n", "twice"),
            (b'a,b\n1,"2\n', "line 2 of the CSV"),
            (b"<html></html>", "HTML"),
            (b"a,b\n\xff,1", "utf-8"),
        ],
    )
    def test_a_ragged_file_is_an_error(self, body: bytes, message: str) -> None:
        with pytest.raises(Terminal, match=message):
            rows_of(body)

    def test_a_byte_order_mark_tells_the_encoding(self) -> None:
        for encoding in ("utf-8-sig", "utf-16"):
            assert rows_of("id,n\n1,é\n".encode(encoding)) == [{"id": "1", "n": "é"}]

    def test_a_csv_is_read_as_it_is_declared(self) -> None:
        body = "Report of today\nid;name\n1;'Tom; the cat'\n2;é\n".encode("cp1252")
        form = {"delimiter": ";", "encoding": "cp1252", "quote": "'", "skip_lines": 1}
        assert rows_of(body, **form) == [
            {"id": "1", "name": "Tom; the cat"},
            {"id": "2", "name": "é"},
        ]
        assert rows_of(b'a,b\n"1,2\n', quote=None) == [{"a": '"1', "b": "2"}]

    @pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
    def test_every_line_end_is_one(self, line_end: str) -> None:
        body = line_end.join(["id,n", "1,a", '2,"b', 'c"', ""]).encode()
        found = rows_of(body)
        assert [one["id"] for one in found] == ["1", "2"]

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"id;name\n1;a\n", 'delimiter: ";"'),
            (b"Id,name\n1,a\n", "is `Id` meant"),
            (b"Service temporarily unavailable", "no `id`"),
            (b"id,n\n1,\0\n", "line 2 of the CSV holds a NUL"),
        ],
    )
    def test_a_first_row_without_what_is_needed_is_refused(
        self, body: bytes, message: str
    ) -> None:
        with pytest.raises(Terminal, match=message):
            rows_of(body, needed=("id",))

    def test_no_line_row_or_name_is_endless(self) -> None:
        endless = b"x" * (MAX_RECORD_BYTES + 5 * 1024 * 1024)
        for body in (endless, b'a,b\n1,"' + endless):
            with pytest.raises(Terminal, match=r"longer than|field larger"):
                rows_of(body)
        many_lines = b'a,b\n1,"' + b"\n" * MAX_RECORD_BYTES * 2
        with pytest.raises(Terminal, match=r"longer than|field larger"):
            rows_of(many_lines)
        with pytest.raises(Terminal, match="longer than"):
            lines_of(b'{"a":1}\n' + endless)
        with pytest.raises(Terminal, match="names a field of more than"):
            rows_of(b"a" * 2000 + b",b\n1,2\n")


def test_values_that_are_no_objects_stand_among_the_records() -> None:
    assert select_records(b'[{"id":1},null,3]') == [b'{"id":1}', b"null", b"3"]
    assert lines_of(b'{"id":1}\nnull\n') == [b'{"id":1}', b"null"]
    assert select.parted([b'{"id":1}', b"null"]) == ([b'{"id":1}'], [b"null"])


def test_utf_16_is_read_where_a_mark_says_so() -> None:
    assert select_records('[{"id":"é"}]'.encode("utf-16")) == ['{"id":"é"}'.encode()]
    assert lines_of('{"id":1}\n{"id":2}'.encode("utf-16")) == [b'{"id":1}', b'{"id":2}']


SHAPES: dict[str, Callable[[int], str]] = {
    "keyed": lambda n: json.dumps({f"k{i}": {"a": i} for i in range(n)}, indent=1),
    "empty lists": lambda n: json.dumps({f"k{i}": [] for i in range(n)}),
    "lists": lambda n: json.dumps({"data": {f"k{i}": [1] for i in range(n)}}),
    "one wide record": lambda n: json.dumps([{f"k{i}": i for i in range(n)}], indent=1),
    "a name twice": lambda n: (
        "[{" + ",".join(f'"k{i % (n - 1)}":1' for i in range(n)) + "}]"
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_work_grows_as_the_answer_does(shape: str) -> None:
    def select_it(count: int) -> None:
        body = SHAPES[shape](count).encode()
        with suppress(Terminal):
            select_records(body, "*" if shape == "keyed" else None)

    assert work_of(lambda: select_it(4_000)) < 2.5 * work_of(lambda: select_it(2_000))


@pytest.mark.parametrize("name", ["value", "content", "payload", "result", "values"])
def test_null_under_a_name_that_may_hold_one_record_is_no_empty_list(name: str) -> None:
    body = b'{"%b":null,"total":0}' % name.encode()
    assert select_records(body) == [body]
    body = b'{"results":null,"total":0}'
    assert select_records(body) == []


@pytest.mark.parametrize("selector", ["rows", None])
def test_an_answer_that_says_it_failed_is_told_by_that_and_not_by_what_it_lacks(
    selector: str | None,
) -> None:
    body = b'{"error":"quota exceeded","id":7}'
    with pytest.raises(Terminal, match="quota exceeded"):
        select.select_records(Document(body), selector, found="rows")


def test_what_holds_no_objects_is_told_by_its_kind() -> None:
    with pytest.raises(Terminal, match="it holds a number: `1`"):
        select_records(b'{"rows":[1,2]}', "rows")
    with pytest.raises(Terminal, match=r"it holds an array: `\[1\]`"):
        select_records(b'{"rows":[[1],[2]]}', "rows")


@pytest.mark.parametrize("empty", ["[]", "[ ]", "[\n]", "null"])
def test_what_holds_nothing_beside_counts_and_links_is_no_record(empty: str) -> None:
    assert select_records(b'{"total":0,"results":%b}' % empty.encode()) == []


@pytest.mark.parametrize("empty", ["{}", "{ }"])
def test_an_empty_object_where_records_are_expected_is_refused_in_words(
    empty: str,
) -> None:
    with pytest.raises(Terminal, match="`results` should hold records, and is an emp"):
        select_records(b'{"total":0,"results":%b}' % empty.encode())


def test_an_object_under_a_name_of_lists_is_a_record_with_something_in_it() -> None:
    body = b'{"total":1,"results":{"a":1}}'
    assert select_records(body) == [body]
