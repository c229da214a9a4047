from __future__ import annotations

import json

import pytest

from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.records.documents import CHECKED_WHOLE_BYTES, Document
from lambdas.core.records.select import (
    MAX_RECORD_BYTES,
    detect_selector,
    select_records,
)

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
        ('[{"id":1}]'.encode("utf-16"), None, "UTF-16"),
        (b"[1,2]", None, "holds a number"),
        (b'[{"id":1},null]', None, "holds a null"),
        (b'["a"]', "$", "holds a string"),
        (b'{"rows":[[1,2],[3,4]]}', None, "_shape=objects"),
        (b'{"rows":3}', "rows", "holds a number"),
        (b'"ok"', None, "a string"),
        (b"5", None, "a number"),
        (b"null", None, "a null"),
        (b'[{"id":1,"id":2}]', None, "'id' stands twice"),
        (b'[{"a":{"b":1,"b":2}}]', None, "'b' stands twice"),
        (b'{"rows":[{"id":1}],"rows":[]}', "rows", "'rows' stands twice"),
        (b'{"rows": [{"id": 1}], "rows": []}', "rows", "'rows' stands twice"),
        (b'{"rows" : [{"id":1}],\n"rows":[]}', "rows", "'rows' stands twice"),
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
    with pytest.raises(Terminal, match="stands twice"):
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
        assert expected == select_records(body, body_format="jsonl")
        assert select_records(b"", body_format="jsonl") == []

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b'{"a":1}\n{"a":', "line 2"),
            (b'{"a":1}\n7\n', "line 2"),
            (b'{"a":1} {"a":2}\n', "line 1"),
            (b'{"a":1\n"b":2}', "line 1"),
            (b'[{"a":1}]', "line 1"),
            (b"<html>", "line 1"),
            (b'{"a":1,"a":2}', "twice"),
        ],
    )
    def test_a_line_that_is_no_object_is_named(self, body: bytes, message: str) -> None:
        with pytest.raises(Terminal, match=message):
            select_records(body, body_format="jsonl")


class TestCsv:
    def test_the_first_row_names_the_fields(self) -> None:
        body = 'id,name\r\n1,"Tom, ""the"" cat"\r\n\r\n2,"a\nb"\r\n3,é\r\n'.encode()
        records = select_records(body, body_format="csv")
        assert [json.loads(record) for record in records] == [
            {"id": "1", "name": 'Tom, "the" cat'},
            {"id": "2", "name": "a\nb"},
            {"id": "3", "name": "é"},
        ]
        assert not any(b"\n" in record for record in records)
        assert select_records(b"", body_format="csv") == []
        assert select_records(b"id,name\n", body_format="csv") == []

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
            select_records(body, body_format="csv")
