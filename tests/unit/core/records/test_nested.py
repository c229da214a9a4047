"""Rows within an answer that is taken for one record, and records that are one."""

from __future__ import annotations

import json

import pytest

from lambdas.core.records.documents import Document
from lambdas.core.records.nested import NestedRows, nested_rows

CATS = [{"name": "Minka"}, {"name": "Tom"}]
KEYED = {str(number): {"name": f"cat {number}"} for number in range(4)}
NAMED = {one: {"rate": 1, "at": "2024-01-01"} for one in ("eur", "usd", "gbp")}


def found(document: object) -> NestedRows | None:
    return nested_rows(Document(json.dumps(document).encode()))


@pytest.mark.parametrize(
    ("document", "selector", "count"),
    [
        ({"a": {"b": {"c": CATS}}}, "a.b.c", 2),
        ({"Envelope": {"Body": {"Answer": {"Item": CATS}}}}, None, 2),
        ({"MRData": {"total": "2", "Table": {"odd name": CATS}}}, None, 2),
        (KEYED, "$[*]", 4),
        ({"status": "ok", "data": KEYED}, "data[*]", 4),
        ({"7": {"name": "Minka"}}, "$[*]", 1),
        (NAMED, "$[*]", 3),
        ({**NAMED, "count": 3}, "$[*]", 3),
        ({"5f0c2b1e-9a4d-4c8e-8b1f-0123456789ab": {"a": 1}}, "$[*]", 1),
    ],
)
def test_rows_in_a_record_are_found(
    document: object, selector: str | None, count: int
) -> None:
    nested = found(document)
    assert nested is not None
    assert nested.count == count
    if selector is not None:
        assert nested.selector == selector
    assert nested.written in nested.sentence
    assert "`data_selector: $`" in nested.sentence
    assert len(Document(json.dumps(document).encode()).find(nested.selector)) >= 1


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"id": 7, "profile": {"settings": {"tags": CATS}}},
        {"user": {"id": 7, "profile": {"tags": CATS}}},
        {"version": "1.2", "build": {"number": 7}, "git": {"commit": "abc"}},
        {"lat": 1, "current": {"temp": 3, "wind": {"speed": 2}}},
        {"billing": {"street": "a"}, "shipping": {"street": "b"}},
        {"a": {"b": {"c": CATS[:1]}}},
        {"a": {"b": {"c": ["x", "y"]}}},
        {"data": {"7": {}, "8": {}}},
    ],
    ids=json.dumps,
)
def test_a_record_is_one(document: object) -> None:
    assert found(document) is None


def test_names_that_stand_in_the_rows_are_not_lost() -> None:
    own = found({number: {"nr": number, **row} for number, row in KEYED.items()})
    assert own is not None
    assert own.is_named_within
    assert "names do not land" not in own.sentence
    other = found(KEYED)
    assert other is not None
    assert "(the names do not land)" in other.sentence
