"""What becomes of records that do not look as declared, and what is told of it."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.columns.contract import Inspector
from lambdas.core.columns.observed import (
    MAX_BYTES,
    MAX_COLUMNS,
    Observed,
    observed_from_json,
    observed_to_json,
)
from lambdas.core.dataset import Dataset
from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.landing.quarantine import Quarantined, Refusal, quarantined_from_line
from tests.datasets import a_dataset
from tests.work import work_of

RUN_ID = "20130101T050000.000Z-0123456789ab"
COLUMNS = {"fur": "string", "age": "number", "vet": {"type": "integer", "path": "a.b"}}
SEEN = Observed(columns={"id": "integer", "at": "integer", "age": "integer"})


def cats(**contract: str) -> Dataset:
    return a_dataset(columns=COLUMNS, contract=contract)


def undeclared(**contract: str) -> Dataset:
    return a_dataset(contract=contract)


def inspector(dataset: Dataset, before: Observed | None = None) -> Inspector:
    return Inspector(dataset=dataset, before=before or Observed(), run_id=RUN_ID)


def kept(looking: Inspector, *records: str) -> list[str]:
    lines = looking.keep([one.encode() for one in records], page=3)
    return [line.decode() for line in lines]


def refused(looking: Inspector) -> list[Quarantined]:
    return [quarantined_from_line(line) for line in looking.take_refused()]


GOOD = '{"id":1,"at":2,"fur":"red","age":3.50,"a":{"b":4,"c":5}}'


@pytest.mark.parametrize("mode", ["freeze", "discard_row", "discard_value"])
def test_a_record_as_declared_lands_byte_by_byte(mode: str) -> None:
    looking = inspector(cats(columns=mode, data_type=mode))
    few = '{"id":2,"at":2}'
    nulls = '{"id":3,"at":null,"fur":null,"age":null,"a":null}'
    texts = '{"id":4, "at":2, "age":"12", "fur":7, "a":{"b":"8"}}'
    assert kept(looking, GOOD, few, nulls, texts) == [GOOD, few, nulls, texts]
    assert refused(looking) == []


def test_a_frozen_contract_names_what_came_and_what_to_do() -> None:
    looking = inspector(cats(columns="freeze"))
    with pytest.raises(Terminal) as fault:
        kept(looking, GOOD, '{"id":1,"at":2,"tail":"' + "x" * 500 + '"}')
    assert fault.value.kind is RunErrorKind.SCHEMA
    text = str(fault.value)
    for part in ("page 3", "cats", "`tail`", '`"xxx', "datasets/cats.yaml", "discard_"):
        assert part in text
    assert len(text) < 500


def test_a_frozen_type_names_the_declared_one() -> None:
    looking = inspector(cats(data_type="freeze"))
    with pytest.raises(Terminal, match=r'`age`, which is number \(came: `"old"`\)'):
        kept(looking, '{"id":1,"at":2,"age":"old"}')


def test_what_is_personal_stands_in_no_message() -> None:
    columns = {"age": {"type": "number", "personal": True}}
    dataset = a_dataset(columns=columns, contract={"data_type": "freeze"})
    with pytest.raises(Terminal, match="a string, not shown") as fault:
        kept(inspector(dataset), '{"id":1,"at":2,"age":"ninety"}')
    assert "ninety" not in str(fault.value)


def test_a_discarded_row_waits_in_quarantine_as_it_came() -> None:
    looking = inspector(cats(columns="discard_row"))
    odd = '{"id": 12345678901234567890123, "at":2, "tail":1.00}'
    assert kept(looking, GOOD, odd) == [GOOD]
    (line,) = refused(looking)
    assert bytes(line.record).decode() == odd
    assert (line.refusal, line.column, line.landed) == (Refusal.COLUMNS, "tail", False)
    assert line.run_id == RUN_ID
    assert refused(looking) == []


@pytest.mark.parametrize(
    ("tail", "space"),
    [('"tail":1', ""), ('"tail":"\\n"', " "), ('"t\\u0061il":1', " ")],
)
def test_a_discarded_value_leaves_all_else(tail: str, space: str) -> None:
    looking = inspector(cats(columns="discard_value", data_type="discard_value"))
    odd = f'{{"id": 12345678901234567890123, {tail}, "at":2,"a":{{"b":"x","c":1.0}}}}'
    assert kept(looking, odd) == [
        f'{{"id":{space}12345678901234567890123,{space}"at":2,"a":{{"c":1.0}}}}'
    ]
    (line,) = refused(looking)
    assert bytes(line.record).decode() == odd
    assert (line.column, line.landed) == ("tail", True)
    assert "`tail`" in line.reason
    assert "`vet` is integer" in line.reason


def test_a_row_never_loses_its_key_its_cursor_or_its_time() -> None:
    dataset = a_dataset(
        columns={"id": "integer", "at": "integer"},
        contract={"data_type": "discard_value"},
    )
    looking = inspector(dataset)
    assert kept(looking, '{"id":"x","at":2}', '{"id":1,"at":2}') == ['{"id":1,"at":2}']
    assert [line.landed for line in refused(looking)] == [False]


def test_the_stricter_of_two_words_counts() -> None:
    both = inspector(cats(columns="discard_value", data_type="discard_row"))
    assert kept(both, '{"id":1,"at":2,"tail":1,"age":"old"}') == []
    assert [line.landed for line in refused(both)] == [False]
    frozen = inspector(cats(columns="discard_row", data_type="freeze"))
    with pytest.raises(Terminal, match="data_type is freeze"):
        kept(frozen, '{"id":1,"at":2,"tail":1,"age":"old"}')


def test_the_first_run_says_what_the_columns_are_and_later_ones_are_held_to_it() -> (
    None
):
    dataset = undeclared(columns="discard_row", data_type="discard_row")
    first = inspector(dataset)
    records = [f'{{"id":{n},"at":1,"c{n % 7}":1.5}}' for n in range(2_000)]
    records[1_500] = '{"id":1,"at":1,"rare":true}'
    assert kept(first, *records) == records
    before, drift = first.after(is_live=True)
    assert drift == ()
    assert {"rare", "c0", "c6"} <= before.columns.keys()

    second = inspector(dataset, before)
    more = ['{"id":1,"at":1,"rare":false}', '{"id":1,"at":1,"new":1}',
            '{"id":1,"at":1,"c0":"x"}', '{"id":1,"at":1,"c0":"2.5"}']  # fmt: skip
    assert kept(second, *more) == [more[0], more[3]]
    assert [line.column for line in refused(second)] == ["new", "c0"]
    after, _ = second.after(is_live=True)
    assert "new" not in after.columns


def test_names_that_cannot_be_read_are_quarantined_or_fail_the_run() -> None:
    odd = '{"id":1,"at":2,"\\ud800":1}'
    looking = inspector(cats(columns="discard_value"))
    assert kept(looking, odd) == []
    (line,) = refused(looking)
    assert line.text == odd
    with pytest.raises(Terminal, match="cannot be read"):
        kept(inspector(cats(columns="freeze")), odd)
    assert kept(inspector(cats()), odd) == [odd]
    assert kept(inspector(undeclared(columns="freeze")), odd) == [odd]


def drifts(
    dataset: Dataset, before: Observed, *records: str, is_live: bool = True
) -> tuple[Observed, list[tuple[str, str]]]:
    looking = inspector(dataset, before)
    kept(looking, *records)
    after, told = looking.after(is_live=is_live)
    return observed_from_json(observed_to_json(after)), [
        (one.change, one.column) for one in told
    ]


AGES = Observed(columns={"age": "integer"})


def test_a_new_column_is_told_once_and_the_first_run_is_no_news() -> None:
    dataset = undeclared()
    seen, told = drifts(dataset, Observed(), '{"id":1,"at":1}')
    assert told == []
    seen, told = drifts(dataset, seen, '{"id":1,"at":1,"fur":"red"}')
    assert told == [("new_column", "fur")]
    assert seen.columns == {"id": "integer", "at": "integer", "fur": "string"}
    _, told = drifts(dataset, seen, '{"id":1,"at":1,"fur":"red"}', '{"id":2,"at":1}')
    assert told == []


def test_a_column_that_was_seen_and_is_gone_is_told_once() -> None:
    dataset = undeclared()
    both = Observed(columns={"id": "integer", "fur": "string"})
    seen, told = drifts(dataset, both, '{"id":1}', is_live=False)
    assert told == []
    seen, told = drifts(dataset, both, '{"id":1}')
    assert told == [("missing_column", "fur")]
    seen, told = drifts(dataset, seen, '{"id":2}')
    assert told == []
    seen, told = drifts(dataset, seen, '{"id":3,"fur":"red"}')
    assert told == []
    assert seen.sparse == ("fur",)
    _, told = drifts(dataset, seen, '{"id":4}')
    assert told == [], "it is one that comes and goes"


def test_a_type_is_told_to_have_changed_once_and_never_narrows() -> None:
    dataset = undeclared()
    seen, told = drifts(dataset, AGES, '{"age":1.5}')
    assert told == [("changed_type", "age")]
    seen, told = drifts(dataset, seen, '{"age":2}')
    assert told == []
    seen, told = drifts(dataset, seen, '{"age":"old"}')
    assert (seen.columns["age"], told) == ("string", [("changed_type", "age")])
    seen, told = drifts(dataset, seen, '{"age":{"years":1}}')
    assert (seen.columns["age"], told) == ("variant", [("changed_type", "age")])


def test_a_null_says_nothing_of_a_type() -> None:
    nothing = Observed(columns={"id": "integer"})
    seen, told = drifts(undeclared(), nothing, '{"id":null,"fur":null}')
    assert (seen.columns["id"], seen.columns["fur"]) == ("integer", "null")
    assert told == [("new_column", "fur")]
    seen, told = drifts(undeclared(), seen, '{"id":1,"fur":"red"}')
    assert (seen.columns["fur"], told) == ("string", [])


def test_a_declared_column_of_another_type_is_told_once() -> None:
    dataset = cats()
    seen, told = drifts(dataset, SEEN, GOOD)
    seen, told = drifts(dataset, seen, GOOD.replace("3.50", '"old"'))
    assert told == [("changed_type", "age")]
    seen, told = drifts(dataset, seen, GOOD.replace("3.50", '"older"'))
    assert told == []
    seen, told = drifts(dataset, Observed(), GOOD.replace("4", '"x"'))
    assert told == [("changed_type", "vet")]


def test_a_missing_column_is_told_once_and_one_that_comes_and_goes_no_more() -> None:
    dataset = cats()
    seen, told = drifts(dataset, Observed(), GOOD)
    assert told == []
    furless = '{"id":1,"at":2,"age":3,"a":{"b":4}}'
    for records in ((), (furless, GOOD)):
        assert drifts(dataset, seen, *records)[1] == []
    assert drifts(dataset, seen, furless, is_live=False)[1] == []
    seen, told = drifts(dataset, seen, furless)
    assert told == [("missing_column", "fur")]
    for record in (furless, GOOD, furless):
        seen, told = drifts(dataset, seen, record)
        assert told == []


def test_a_column_that_the_contract_keeps_out_is_told_once() -> None:
    dataset = cats(columns="discard_value")
    odd = GOOD.replace('"fur"', '"tail":1,"fur"')
    seen, told = drifts(dataset, Observed(), odd)
    assert told == [("new_column", "tail")]
    assert drifts(dataset, seen, odd)[1] == []


@pytest.mark.parametrize("contract", [{}, {"columns": "discard_value"}])
def test_an_upstream_of_endless_names_does_not_fill_the_state(
    contract: dict[str, str],
) -> None:
    seen = SEEN
    for run in range(30):
        looking = inspector(undeclared(**contract), seen)
        for page in range(10):
            rows = [{f"{run}-{page}-{n}-{'ü' * 200}": 1} for n in range(8)]
            looking.keep([json.dumps(row).encode() for row in rows], page=page)
            looking.take_refused()
        looking.keep([json.dumps({"x" * 100_000: 1}).encode()], page=99)
        seen, told = looking.after(is_live=True)
        assert len(told) <= 100
        assert all(len(one.column) <= 255 for one in told)
    assert len(seen.columns) <= MAX_COLUMNS
    assert len(observed_to_json(seen).encode()) < MAX_BYTES + 10_000
    if contract:
        assert told == ()


def test_only_some_records_of_a_long_page_are_looked_at_without_a_contract() -> None:
    middle = ['{"id":1,"at":2,"age":3}'] * 200
    middle[100] = '{"odd":1}'
    assert drifts(undeclared(), SEEN, *middle)[1] == []
    for at in (0, 3, -1, -4):
        ends = ['{"id":1,"at":2,"age":3}'] * 200
        ends[at] = '{"odd":1}'
        assert drifts(undeclared(), SEEN, *ends)[1] == [("new_column", "odd")]


NAMES = st.sampled_from(["id", "at", "fur", "age", "a", "tail", 'odd"name', "née", ""])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**25) | st.sampled_from(
        ["", "12", "x", "2013-01-01T00:00:00Z", 1.5]
    ),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(st.sampled_from("bc"), inner, max_size=2),
    max_leaves=3,
)  # fmt: skip
RECORDS = st.lists(st.dictionaries(NAMES, VALUES, max_size=6), max_size=12)
MODES = st.sampled_from(["evolve", "discard_row", "discard_value"])
DECLARED = st.none() | st.dictionaries(
    st.sampled_from(["id", "fur", "age", "a", 'odd"name']),
    st.sampled_from(["string", "number", "integer", "boolean", "timestamp", "variant"]),
)


@given(RECORDS, MODES, MODES, DECLARED, st.booleans())
def test_every_record_lands_or_is_quarantined_and_what_lands_is_what_came(
    rows: list[dict[str, Any]],
    columns: str,
    data_type: str,
    declared: dict[str, str] | None,
    was_seen: bool,  # noqa: FBT001 - drawn
) -> None:
    dataset = a_dataset(
        columns=declared, contract={"columns": columns, "data_type": data_type}
    )
    looking = inspector(dataset, SEEN if was_seen else None)
    records = [json.dumps({**row, "at": at}).encode() for at, row in enumerate(rows)]
    landed = list(looking.keep(records, page=1))
    lines = refused(looking)
    out = [bytes(line.record) for line in lines if not line.landed]
    changed = [bytes(line.record) for line in lines if line.landed]
    assert len(landed) + len(out) == len(records)
    assert all(record in records for record in (*out, *changed))
    came = {json.loads(record)["at"]: record for record in records}
    assert len({json.loads(record)["at"] for record in (*landed, *out)}) == len(records)
    for record in landed:
        before = came[json.loads(record)["at"]]
        assert (record != before) == (before in changed)
        for key, value in json.loads(record).items():
            assert json.loads(before)[key] == value
            assert json.dumps({key: value})[1:-1].encode() in before
    after_run, _ = looking.after(is_live=True)
    if columns != "evolve" and (declared is not None or was_seen):
        known = {"id", "at", *(declared or {}), *(SEEN.columns if not declared else ())}
        known |= set(after_run.columns) if declared is None else set()
        assert all(set(json.loads(record)) <= known for record in landed)


def test_what_is_no_row_waits_in_quarantine_and_says_why() -> None:
    looking = inspector(a_dataset(primary_key=["id"]))
    records = [b'{"id":1}', b'{"id":null}', b"{}"]
    keyed = looking.keyed(records, page=1)
    looking.refuse_odd([b"null", b"[1]"])
    assert looking.identified(records, keyed) == [b'{"id":1}']
    assert [(one.refusal.value, one.reason) for one in refused(looking)] == [
        ("record", "it is null, not an object"),
        ("record", "it is an array, not an object"),
        ("primary_key", "its primary key `id` is missing, null or empty"),
        ("primary_key", "its primary key `id` is missing, null or empty"),
    ]


@pytest.mark.parametrize("mode", ["evolve", "freeze", "discard_row", "discard_value"])
def test_the_work_grows_as_a_record_does(mode: str) -> None:
    def inspect(count: int) -> None:
        looking = inspector(cats(columns=mode, data_type=mode))
        record = json.dumps({"id": 1, **{f"n{i}": i for i in range(count)}}).encode()
        with suppress(Terminal):
            looking.keep([record], page=1)
        looking.take_refused()

    assert work_of(lambda: inspect(4_000)) < 2.5 * work_of(lambda: inspect(2_000))
