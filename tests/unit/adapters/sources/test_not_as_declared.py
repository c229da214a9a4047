"""A body that is not what was declared is an error, and never a pull of no rows that
ended well; an honest answer without rows stays one.
"""

from __future__ import annotations

import json

import pytest

from lambdas.core.errors import RunErrorKind, Terminal
from tests.api_pull import Pull
from tests.api_server import Answer, answer_json, in_turn, serving

CSV_APOLOGIES = {
    "a sentence": b"Service temporarily unavailable",
    "two lines of it": b"Service temporarily unavailable\nTry again later\n",
    "with a comma": b"Sorry, the service is temporarily unavailable\n",
    "with commas and an end": b"We are moving house, back at nine.\r\n",
    "quoted": b'"Access denied"',
    "with a code": b"Error: rate limit exceeded\n",
    "one word": b"Forbidden",
    "one word, in capitals": b"ERROR\n",
    "null": b"null",
    "well, and no table": b"OK",
    "of another kind": b"%PDF-1.4 x",
    "behind empty lines": b"\n\nno healthy upstream\n",
}
SKIPPED = {
    "a sentence in a line to skip": b"Service temporarily unavailable\n",
    "a page in lines to skip": b"<!DOCTYPE html>\n<html>\nsorry</html>\n",
    "a document in lines to skip": b'{\n "x": [\n"a"\n]}\n',
}


def refusal(body: bytes, body_format: object) -> str:
    with serving(in_turn(Answer(body=body))) as server:
        error = Pull(server, {"format": body_format}).fails(Terminal)
    assert error.kind is RunErrorKind.RESPONSE
    return str(error)


def rows(
    body: bytes, body_format: object, needed: frozenset[str] = frozenset()
) -> list[dict[str, object]]:
    with serving(in_turn(Answer(body=body))) as server:
        return Pull(server, {"format": body_format}, needed=needed).records()


@pytest.mark.parametrize("body", CSV_APOLOGIES.values(), ids=CSV_APOLOGIES)
def test_an_apology_is_no_csv_without_rows(body: bytes) -> None:
    assert "reads like a message" in refusal(body, "csv")


@pytest.mark.parametrize("body", SKIPPED.values(), ids=SKIPPED)
def test_an_apology_in_the_lines_to_skip_is_seen(body: bytes) -> None:
    form = {"type": "csv", "skip_lines": 3}
    assert "expected CSV, got" in refusal(body, form)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\n", b'""\n', b"id\n", b"email_address", b"id,name\n",
        b'"Full Name","Born on"\r\n',
        b"id, full name, born on\n", b"Last error,Failed at\n", b"name,1960,1961\n",
    ],
)  # fmt: skip
def test_a_csv_of_names_alone_is_an_answer_without_rows(body: bytes) -> None:
    assert rows(body, "csv") == []


def test_names_of_several_words_with_rows_are_names() -> None:
    assert rows(b"Country name\nFrance\n", "csv") == [{"Country name": "France"}]
    assert rows(b"Error message\nnone\n", "csv") == [{"Error message": "none"}]


def test_the_names_again_are_no_record() -> None:
    body = b"id,name\nid,name\n1,a\nid,name\n2,b\n"
    with serving(in_turn(Answer(body=body))) as server:
        (page,) = Pull(server, {"format": "csv"}).pages()
    assert [json.loads(one)["id"] for one in page.records] == ["1", "2"]
    assert list(page.odd) == [b'["id","name"]'] * 2
    assert rows(b"id\n1\nid\n", "csv") == [{"id": "1"}, {"id": "id"}]


def test_lines_are_skipped_before_the_names() -> None:
    form = {"type": "csv", "skip_lines": 2}
    assert rows(b"[Report]\nof today\nid\n1\n", form) == [{"id": "1"}]
    assert rows(b"", form) == []


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_another_delimiter_is_seen_in_an_only_name(delimiter: str) -> None:
    body = f"id{delimiter}name\n1{delimiter}a\n".encode()
    shown = "\\t" if delimiter == "\t" else delimiter
    assert f'declare `format: {{type: csv, delimiter: "{shown}"}}`' in refusal(
        body, "csv"
    )


@pytest.mark.parametrize("first", ["1,Tom", "2024-01-01T00:00:00Z,1", "-0.5,x"])
def test_a_row_in_the_place_of_the_names_is_not_lost(first: str) -> None:
    assert "looks like a row" in refusal(f"{first}\n2,Kit\n".encode(), "csv")


@pytest.mark.parametrize(
    ("second", "ids"),
    [
        (b"Kit,b\nLou,c\n", None),
        (b"name,kind\nKit,b\n", 2),
        (b"", 1),
        (b"name\nKit", 2),
    ],
)
def test_the_names_stand_on_each_page_of_a_csv(second: bytes, ids: int | None) -> None:
    first = Answer(
        body=b"name,kind\nTom,a\n", headers={"Link": '<cats?p=2>; rel="next"'}
    )
    with serving(in_turn(first, Answer(body=second))) as server:
        pull = Pull(server, {"format": "csv", "paginator": {"type": "header_link"}})
        if ids is None:
            assert "where the page before had `name`, `kind`" in str(
                pull.fails(Terminal)
            )
        else:
            assert len(pull.records()) == ids


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("Last error", b"Last error"),
        ("a;b", b"a;b\n1;2\n"),
        ("2019", b"2019,2020\n1,2\n"),
        ("Service temporarily unavailable", b"Service temporarily unavailable\n"),
    ],
)
def test_a_name_that_the_dataset_speaks_of_is_one(name: str, body: bytes) -> None:
    found = rows(body, "csv", frozenset({name}))
    assert len(found) == body.strip().count(b"\n")


NO_RECORDS = {
    "a message": b'{"message": "Internal server error"}',
    "a detail": b'{"detail": "Not found"}',
    "an error at the end": b'{"id":1}\n{"id":2}\n{"error":"cut off"}\n',
    "a message at the end": b'{"id":1}\n{"message":"timed out"}\n',
    "a document of records": b'{"data":[{"id":1},{"id":2}],"next":null,"total":2}',
    "a document of none": b'{"data":[],"total":0}',
    "a document of nothing else": b'{"items":[{"id":1}]}',
    "an empty document": b"{}\n",
}


@pytest.mark.parametrize("body", NO_RECORDS.values(), ids=NO_RECORDS)
def test_a_line_that_is_no_record_is_an_error(body: bytes) -> None:
    assert "declare primary_key or columns" in refusal(body, "jsonl")


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":1,"items":[{"sku":1}]}',
        b'{"tags":[{"t":1}]}',
        b'{"id":1,"message":"a"}\n{"id":2,"error":"boom"}\n',
        b'{"delete":{"id":1}}\n{"limit":{"track":3}}\n',
        b'{"level":"error","message":"boom","code":7}\n',
        b"",
    ],
)
def test_an_honest_line_is_a_record(body: bytes) -> None:
    needed = frozenset({"level"})
    assert len(rows(body, "jsonl", needed)) == body.strip().count(b"\n") + bool(body)


def test_a_line_with_a_name_that_the_dataset_speaks_of_is_a_record() -> None:
    line = b'{"message":"it failed","error":"boom"}\n'
    assert rows(line, "jsonl", frozenset({"error"})) == [json.loads(line)]


SAYS_WHY = [
    {"data": [{"id": 1}], "remark": "runtime error: Query timed out after 2 seconds"},
    {"data": [], "message": "Rate limit exceeded"},
    {"data": None, "message": "Service temporarily unavailable"},
    {"data": {}, "total": 0},
    {"meta": {"msg": "Access denied"}, "results": []},
    {"data": [], "message": "no healthy upstream"},
]


@pytest.mark.parametrize("body", SAYS_WHY, ids=json.dumps)
@pytest.mark.parametrize("is_declared", [True, False])
def test_no_rows_and_a_message_of_a_failure_are_an_error(
    body: dict[str, object], *, is_declared: bool
) -> None:
    selector = "results" if "results" in body else "data"
    declared = {"data_selector": selector} if is_declared else {}
    with serving(in_turn(answer_json(body))) as server:
        Pull(server, declared).fails(Terminal)


@pytest.mark.parametrize(
    "body",
    [
        {"data": [], "message": "No records found"},
        {"data": [], "message": "0 errors"},
        {"data": [], "message": "There are no open or expired invoices"},
        {"data": [], "message": "No failed jobs found."},
        {"data": [], "message": "OK, 0 failed"},
        {"data": [], "message": "Sorry, we found nothing. Try again with less."},
        {"data": [], "message": "done without errors"},
        {"items": None, "total": 0},
    ],
    ids=json.dumps,
)
def test_no_rows_and_no_failure_are_an_answer_without_rows(
    body: dict[str, object],
) -> None:
    with serving(in_turn(answer_json(body))) as server:
        assert Pull(server, {}).records() == []


def test_one_record_with_a_null_in_it_is_one() -> None:
    body = {"time": "2024-01-01T00:00:00Z", "value": None}
    with serving(in_turn(answer_json(body))) as server:
        assert Pull(server, {}).records() == [body]
