"""Whose rows are erased, and what stays in their place."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lambdas.core.errors import BadInput
from lambdas.core.landing.quarantine import quarantined_from_line
from lambdas.core.loading.erasure import (
    Erasure,
    archived_key,
    emptied_line,
    emptied_receipt,
    keys_of,
    record_of,
)
from lambdas.core.loading.replay import ERASED
from tests.datasets import a_dataset

CATS = a_dataset(name="cats", primary_key=["id"])
PAIRS = a_dataset(name="pairs", primary_key=["of.id", "day"])


@pytest.mark.parametrize("written", ["7", '"7"', '{"id":7}', "[7]"])
def test_a_key_is_written_in_any_of_its_forms(written: str) -> None:
    keys = keys_of(CATS, [written])
    assert keys.are_of(b'{"id":7,"x":1}')
    assert keys.are_of(b'{"id":"7"}')
    assert not keys.are_of(b'{"id":70}')
    assert not keys.are_of(b'{"x":7}')


@pytest.mark.parametrize("written", ["4711", "4711.0", '{"id":4711.00}'])
def test_a_number_is_the_same_with_and_without_a_point(written: str) -> None:
    keys = keys_of(CATS, [written])
    assert keys.are_of(b'{"id":4711}')
    assert keys.are_of(b'{"id":4711.0}')
    assert keys.are_of(b'{"id":"4711"}')
    assert not keys.are_of(b'{"id":"4711.0"}')
    assert not keys.are_of(b'{"id":4711.5}')


def test_the_records_of_a_key_are_found_by_their_hashes() -> None:
    keys, others = keys_of(CATS, ["7"]), keys_of(CATS, ["8"])
    made = Erasure(
        dataset="cats",
        started_at=datetime(2026, 11, 23, tzinfo=UTC),
        who="ann",
        salt="a",
        keys=keys.hashes("a"),
    )
    assert keys.are_in(made)
    assert not others.are_in(made)


def test_a_key_of_many_parts_is_all_of_them() -> None:
    keys = keys_of(PAIRS, ['["a", "2013-01-01"]', '{"day":"x","of.id":1}'])
    assert keys.are_of(b'{"of":{"id":"a"},"day":"2013-01-01"}')
    assert keys.are_of(b'{"of":{"id":1},"day":"x"}')
    assert not keys.are_of(b'{"of":{"id":"a"},"day":"x"}')


@pytest.mark.parametrize("written", ["", "{", "null", '{"x":1}', "[1,2]", "[null]"])
def test_what_is_no_key_is_refused_with_its_shape(written: str) -> None:
    with pytest.raises(BadInput, match="--key"):
        keys_of(CATS, [written])


def test_a_dataset_without_a_key_has_no_rows_to_be_told_apart() -> None:
    with pytest.raises(BadInput, match="primary_key"):
        keys_of(a_dataset(name="loose", primary_key=[]), ["1"])


def test_a_record_that_no_reader_takes_is_found_all_the_same() -> None:
    keys = keys_of(CATS, ["7"])
    assert keys.are_of(b'{"id":7,"x":"\\ud83d"}')
    with pytest.raises(ValueError, match=r".+"):
        keys.are_of(b'{"id":7,')


def test_a_hash_is_no_key_and_differs_by_its_salt() -> None:
    keys = keys_of(CATS, ["7"])
    assert keys.hashes("a") != keys.hashes("b")
    assert "7" not in keys.hashes("a")


def test_an_emptied_line_says_where_it_was_and_nothing_of_what() -> None:
    line = (
        b'{"refusal":"load","reason":"said \'Jane\'","run_id":"r","file":"f","row":3,'
        b'"record":{"id":7}}'
    )
    emptied = emptied_line(line)
    item = quarantined_from_line(emptied)
    assert (item.reason, item.file, item.row) == (ERASED, "f", 3)
    assert record_of(emptied) == b""
    assert b"Jane" not in emptied
    receipt = emptied_receipt(b'{"of":"q#1","record":{"id":7}}')
    assert receipt == b'{"of":"q#1","record":null}'


def test_what_is_left_of_an_object_moves_on_below_the_archive() -> None:
    key = "raw/cats/g1/dt=2013-01-01/20130101T050000.000Z-616263646566-00001.ndjson.gz"
    first = archived_key(key)
    assert first.startswith("archive/cats/g1/dt=2013-01-01/")
    second = archived_key(first)
    assert first.endswith("-00001e1.ndjson.gz")
    assert second.endswith("-00001e2.ndjson.gz")
