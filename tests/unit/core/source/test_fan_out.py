"""Which runs of a parent are fresh, and what of its rows goes into a request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from lambdas.core.dataset import Endpoint, Parent
from lambdas.core.errors import Terminal
from lambdas.core.landing.names import new_run_id, run_key
from lambdas.core.pull.run import CursorPosition
from lambdas.core.source.fan_out import (
    LOOK_BACK,
    Fields,
    LandedFile,
    ParentRun,
    Place,
    cursor_after,
    fresh_runs,
    listed_from,
    place_of,
    run_in,
    tuple_of,
    whole_pull,
)
from lambdas.core.source.request import Value

START = datetime(2026, 1, 1, tzinfo=UTC)


def a_run(minutes: float, number: int = 0) -> str:
    return new_run_id(START + timedelta(minutes=minutes), number.to_bytes(6, "big"))


def reading(
    paths: dict[str, str], record: bytes, path: str = ""
) -> dict[str, object] | str:
    parent = Parent(dataset="dogs", fields=paths)
    endpoint = Endpoint(
        path=path or "cats", params={name: f"{{parent.{name}}}" for name in paths}
    )
    found = Fields(parent, endpoint).values(record)
    if isinstance(found, str):
        return found
    return {
        name: bytes(value) if isinstance(value, msgspec.Raw) else value
        for name, value in found.items()
    }


RUNS = st.lists(
    st.tuples(
        st.integers(0, 60 * 24 * 40),  # when it starts
        st.integers(0, int(LOOK_BACK.total_seconds() / 60) - 1),  # until it has landed
        st.booleans(),  # whether the child pulls once more right after
    ),
    max_size=30,
    unique_by=lambda run: run[0],
)


@given(runs=RUNS, pulls=st.lists(st.integers(0, 60 * 24 * 60), max_size=30))
def test_every_run_is_read_once_however_late_it_lands(
    runs: list[tuple[int, int, bool]], pulls: list[int]
) -> None:
    landed = {a_run(at): at + takes for at, takes, _ in runs}
    pulls = sorted([*pulls, *(at + takes for at, takes, again in runs if again)])
    cursor, read = CursorPosition(), list[str]()
    for now in [*pulls, 60 * 24 * 100]:
        prefix, after = listed_from("dogs", cursor)
        keys = sorted(run_key("dogs", run) for run, at in landed.items() if at <= now)
        assert all(key.startswith(prefix) for key in keys)
        listed = [run for key in keys if key > after and (run := run_in(key, "dogs"))]
        fresh = fresh_runs(listed, since=cursor, reached=cursor, place=None)
        assert fresh.read == ()
        read += fresh.left
        cursor = cursor_after(cursor, fresh.left, listed)
    assert sorted(read) == sorted(landed)


def test_the_edge_keeps_only_runs_within_the_look_back() -> None:
    days = [a_run(day * 24 * 60) for day in range(100)]
    cursor = cursor_after(CursorPosition(), days, days)
    assert cursor.value == days[-1]
    assert len(cursor.edge) == LOOK_BACK.days + 1


def test_the_newest_pull_is_whole_only_with_all_its_segments() -> None:
    def segment(number: int, pull: str, *, is_last: bool = False) -> ParentRun:
        return ParentRun(
            run_id=f"{pull}{number}", write_disposition="replace",
            objects=(LandedFile(key="k"),), pull_id=pull, segment=number,
            is_last=is_last,
        )  # fmt: skip

    old = [segment(2, "a", is_last=True), segment(1, "a")]
    assert whole_pull(iter([segment(1, "b"), *old])) == ("a1", "a2")
    assert whole_pull(iter([segment(2, "b", is_last=True), *old])) == ("a1", "a2")
    new = [segment(2, "b", is_last=True), segment(1, "b"), *old]
    assert whole_pull(iter(new)) == ("b1", "b2")
    assert whole_pull(iter([segment(1, "b")])) == ()
    assert whole_pull(iter([])) == ()


@pytest.mark.parametrize(
    ("paths", "record", "expected"),
    [
        ({"a": "id"}, b'{"x": [1], "id": "n"}', {"parent.a": "n"}),
        ({"a": "id", "b": "id"}, b'{"id": 1}', {"parent.a": b"1", "parent.b": b"1"}),
        ({"a": "x.y[0]"}, b'{"x": {"y": [true]}}', {"parent.a": True}),
        ({"a": "$['odd key']"}, b'{"odd key": 1.50}', {"parent.a": b"1.50"}),
        ({"a": "id"}, b'{"id": null}', "`id` is null or missing"),
        ({"a": "x.id"}, b'{"x": null}', "`x.id` is null or missing"),
        ({"a": "id"}, rb'{"id": "\ud800"}', "it cannot be read"),
        ({"a": "id"}, b"[1]", "it cannot be read"),
    ],
)
def test_values_are_read_as_they_are_written(
    paths: dict[str, str], record: bytes, expected: object
) -> None:
    assert reading(paths, record) == expected


@pytest.mark.parametrize("record", [b'{"id": {}}', b'{"id": [1]}'])
def test_what_is_no_value_is_an_error(record: bytes) -> None:
    with pytest.raises(Terminal, match="accepted: a path to a text"):
        reading({"a": "id"}, record)


@pytest.mark.parametrize(
    ("path", "value", "is_asked"),
    [
        ("a/{parent.id}/b", "..", False),
        ("a/{parent.id}/b", "", False),
        ("a/{parent.id}", ".", False),
        ("a/.{parent.id}", ".", False),
        ("a/v{parent.id}", "..", True),
        ("a/{parent.id}", "...", True),
        ("a?id={parent.id}", "..", True),
        ("a/{parent.id}.json", "", True),
    ],
)
def test_a_value_that_would_make_another_path_is_not_asked_for(
    path: str, value: str, *, is_asked: bool
) -> None:
    record = msgspec.json.encode({"id": value})
    found = reading({"id": "id"}, record, path)
    assert (found == {"parent.id": value}) is is_asked
    assert is_asked or found == "its value would make another path"


def test_a_field_that_no_request_uses_makes_no_row_distinct() -> None:
    parent = Parent(dataset="dogs", fields={"id": "id", "name": "name"})
    fields = Fields(parent, Endpoint(path="cats/{parent.id}"))
    first = fields.values(b'{"id": 1, "name": "Rex"}')
    second = fields.values(b'{"id": 1}')
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert tuple_of(first) == tuple_of(second)


def test_tuples_of_different_kinds_and_borders_are_different() -> None:
    tuples: list[dict[str, Value]] = [
        {"a": "1"}, {"a": msgspec.Raw(b"1")}, {"a": msgspec.Raw(b"1.0")},
        {"a": True}, {"a": "true"}, {"a": "x", "b": "yz"}, {"a": "xy", "b": "z"},
    ]  # fmt: skip
    assert len({tuple_of(one) for one in tuples}) == len(tuples)


def test_a_position_is_read_as_it_was_written() -> None:
    place = Place(run=a_run(0), object=2, row=7)
    pages: list[JsonValue] = [None, 3, {"offset": 1}]
    for page in pages:
        assert place_of(place.position(page)) == (place, page)
    assert place_of(None) == (None, None)
    with pytest.raises(Terminal, match="not a position"):
        place_of({"run": 1})
