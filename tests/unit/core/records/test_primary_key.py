from __future__ import annotations

import json

import pytest

from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.records.primary_key import KeyedRecords


def lines(*records: object) -> list[bytes]:
    return [json.dumps(one).encode() for one in records]


@pytest.mark.parametrize("key", [["id"], ["id", "at"], ["a.b"], ["list[0].id"]])
def test_records_with_their_key_lack_nothing(key: list[str]) -> None:
    record = {"id": 1, "at": "x", "a": {"b": False}, "list": [{"id": 1}], "z": {}}
    assert KeyedRecords(key).of(lines(record, record), page=1).lacking == {}


def test_a_key_may_be_of_any_kind_but_null() -> None:
    records = lines({"id": 1}, {"id": "x"}, {"id": 2.5}, {"id": True}, {"id": [1]})
    huge = b'{"id":%b}' % (b"1" * 5_000)
    assert KeyedRecords(["id"]).of([*records, huge], page=1).lacking == {}


def test_single_records_without_their_key_are_named() -> None:
    records = lines({"id": 1}, {"id": None}, {}, {"id": 2, "x": 1}, {"Id": 3})
    lacking = KeyedRecords(["id"]).of(records, page=1).lacking
    assert lacking == {records[1]: "id", records[2]: "id", records[4]: "id"}


def test_an_empty_text_is_no_key_but_may_be_a_part_of_one() -> None:
    records = lines({"id": ""}, {"id": "1"}, {"id": " "})
    assert KeyedRecords(["id"]).of(records, page=1).lacking == {records[0]: "id"}
    parts = lines({"a": "", "b": "x"}, {"a": "", "b": ""}, {"a": 0, "b": ""})
    assert KeyedRecords(["a", "b"]).of(parts, page=1).lacking == {parts[1]: "a"}


def test_a_page_of_empty_keys_says_so() -> None:
    with pytest.raises(Terminal, match="where it is there, it is null or empty"):
        KeyedRecords(["id"]).of(lines({"id": ""}, {"id": None}), page=1)


def test_half_a_key_is_none() -> None:
    records = lines({"a": {"b": 1}, "c": 2}, {"a": {}, "c": 2}, {"a": {"b": 1}})
    lacking = KeyedRecords(["a.b", "c"]).of(records, page=1).lacking
    assert lacking == {records[1]: "a.b", records[2]: "c"}


@pytest.mark.parametrize(
    ("path", "beside"),
    [
        ("at", [1, 2]),
        ("id", ["a", "b"]),
        ("x.at", [3, None]),
        ("x.y.z", [None, None]),
        ("a.b", [5, 6]),
        ("a.c", [None, 7]),
        ("none", [None, None]),
        ("list[0]", None),
        ("a", None),
        ("id.z", None),
    ],
)
def test_one_pass_tells_of_the_keys_and_of_what_stands_beside_them(
    path: str, beside: list[object] | None
) -> None:
    records = lines(
        {"id": "a", "at": 1, "x": {"at": 3}, "a": {"b": 5}},
        {"id": "b", "at": 2, "x": None, "a": {"b": 6, "c": 7}},
    )
    assert KeyedRecords(["id", "a.b"], path).of(records, page=1).beside == beside


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"Id": 1, "name": "x"}, "the first has `Id`, `name`: is `Id` meant"),
        ({"message": "no"}, "the first has `message`. Correct primary_key"),
        ({}, "no names at all"),
    ],
)
def test_a_page_where_no_record_has_its_key_is_an_error(
    record: object, told: str
) -> None:
    with pytest.raises(
        Terminal, match="page 7: no record has the primary key `id`"
    ) as e:
        KeyedRecords(["id"]).of(lines(record, record), page=7)
    assert told in str(e.value)
    assert e.value.kind is RunErrorKind.SCHEMA


def test_without_a_key_every_record_is_a_row() -> None:
    assert KeyedRecords([]).of(lines({}, {}), page=1).lacking == {}
    assert KeyedRecords(["id"]).of([], page=1).lacking == {}


def test_a_message_of_hostile_names_is_short_and_printable() -> None:
    record = {f"\x1b[31m{'n' * 5_000}{number}": 1 for number in range(1_000)}
    with pytest.raises(Terminal) as caught:
        KeyedRecords(["id"]).of(lines(record), page=1)
    assert len(str(caught.value)) <= 2_000
    assert str(caught.value).isprintable()
