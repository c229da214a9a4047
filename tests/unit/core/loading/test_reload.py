"""What failed lands again without what is refused, however often it dies."""

from __future__ import annotations

import dataclasses
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.errors import LandingError
from lambdas.core.landing.names import (
    amendment_key,
    marked_key,
    new_run_id,
    raw_key,
    run_key,
)
from lambdas.core.landing.quarantine import quarantined_from_line
from lambdas.core.loading.objects import LoadRecord
from lambdas.core.loading.reload import Reloader
from lambdas.core.loading.status import Failed, StoredObject
from tests.memory import Faults, Killed, MemoryLanding

NOW = datetime(2013, 1, 1, 5, tzinfo=UTC)
RUN = new_run_id(NOW, b"abcdef")
KEY = raw_key("cats", 7, RUN, 1)
ROWS = [json.dumps({"id": number}).encode() for number in range(10)]


class Stored:
    """The memory landing zone, for reading."""

    def __init__(self, landing: MemoryLanding) -> None:
        self.landing = landing

    def below(self, prefix: str) -> list[StoredObject]:
        return [
            StoredObject(key=key, size=len(body), modified_at=NOW)
            for key, body in sorted(self.landing.objects.items())
            if key.startswith(prefix)
        ]

    def lines(self, key: str) -> Iterator[bytes]:
        yield from gzip.decompress(self.landing.objects[key]).splitlines()


class House:
    def __init__(self, rows: list[bytes], faults: Faults | None = None) -> None:
        self.landing = MemoryLanding(faults)
        # without the time, by which two that hold the same would differ
        body = gzip.compress(b"\n".join(rows) + b"\n", mtime=0)
        self.landing.objects[KEY] = body
        self.landing.objects[run_key("cats", RUN)] = json.dumps(
            {"dataset": "cats", "run_id": RUN, "rows": len(rows), "objects": []}
        ).encode()
        self.stored = Stored(self.landing)

    def relanding(self) -> Reloader:
        return Reloader(landing=self.landing, stored=self.stored, tries_as_it_is=2)

    def rows(self, key: str) -> list[bytes]:
        return list(self.stored.lines(key))

    def aside(self) -> list[tuple[int | None, str]]:
        return [
            (item.row, item.reason)
            for found in self.stored.below("quarantine/")
            for item in map(quarantined_from_line, self.stored.lines(found.key))
        ]


def failed(attempt: int = 0, line: int | None = None) -> Failed:
    return Failed(
        source=StoredObject(key=KEY, size=1, modified_at=NOW),
        attempt=attempt,
        record=LoadRecord(
            file=KEY,
            status="Load failed",
            rows_loaded=0,
            rows_parsed=10,
            first_error='something about "Jane"',
            loaded_at=NOW,
            first_error_line=line,
        ),
    )


def with_bad(*places: int) -> list[bytes]:
    rows = list(ROWS)
    for place in places:
        rows[place] = b'{"id":1,"id":2}'
    return rows


def test_known_bad_rows_are_set_aside_at_once_and_the_rest_lands() -> None:
    house = House(with_bad(2, 7))
    done = house.relanding().land_again(failed(line=3))
    assert (done.key, done.rows, done.refused) == (marked_key(KEY, "r1"), 8, 2)
    assert house.rows(marked_key(KEY, "r1")) == [
        row for place, row in enumerate(ROWS) if place not in {2, 7}
    ]
    assert [row for row, _ in house.aside()] == [3, 8]


def test_a_row_that_only_snowflake_refuses_is_set_aside_by_its_line() -> None:
    house = House(list(ROWS))
    relanding = house.relanding()
    relanding.land_again(failed(line=4))
    # of the second attempt's file line 4 is what was line 5
    done = relanding.land_again(failed(attempt=1, line=4))
    assert [row for row, _ in house.aside()] == [4, 5]
    assert (done.key, done.rows, done.refused) == (marked_key(KEY, "r2"), 8, 2)
    assert all("Jane" not in reason for _, reason in house.aside())


def test_a_file_in_which_nothing_is_wrong_lands_as_it_is_but_not_for_ever() -> None:
    house = House(list(ROWS))
    relanding = house.relanding()
    assert relanding.land_again(failed()).rows == 10
    assert relanding.land_again(failed(attempt=1)).rows == 10
    with pytest.raises(LandingError, match="no row of it is known"):
        relanding.land_again(failed(attempt=2))


def test_a_file_of_nothing_but_refused_rows_lands_no_object() -> None:
    house = House([b'{"a":1,"a":2}'] * 3)
    done = house.relanding().land_again(failed())
    assert (done.key, done.rows, done.refused) == (None, 0, 3)


def test_doing_it_twice_changes_nothing() -> None:
    house = House(with_bad(2))
    first = house.relanding().land_again(failed())
    before = dict(house.landing.objects)
    assert house.relanding().land_again(failed()) == first
    assert house.landing.objects == before


def test_the_run_says_how_many_rows_it_has_now() -> None:
    house = House(with_bad(2, 7))
    relanding = house.relanding()
    relanding.land_again(failed())
    own = relanding.amend(KEY)
    assert own is not None
    said = json.loads(house.landing.objects[own])
    assert (said["rows"], said["amendment"], said["run_id"]) == (8, 1, RUN)
    assert relanding.amend(KEY) is None
    # what was erased stays erased in what is said later
    assert relanding.amend(KEY, rows_in_table=6) is not None
    assert relanding.amend(KEY, rows_in_table=6) is None
    assert relanding.amend(KEY) is None


def said(house: House, key: str | None) -> dict[str, object]:
    """What an amendment says, but for what the run's own file says too."""
    assert key is not None
    document = json.loads(house.landing.objects[key])
    return {
        name: value
        for name, value in document.items()
        if name not in {"dataset", "run_id"}
    }


def test_each_amendment_counts_what_was_refused_erased_and_replayed() -> None:
    house = House(with_bad(2, 7))
    relanding = house.relanding()
    relanding.land_again(failed())
    relanding.amend(KEY)
    # two of the eight were erased
    assert said(house, relanding.amend(KEY, rows_in_table=6)) == {
        "amendment": 2,
        "rows": 6,
        "rows_refused": 2,
        "rows_erased": 2,
        "objects": [],
    }
    # one of the refused was replayed; its object failed, and was itself reloaded
    replayed = marked_key(KEY, "q1")
    for key in (replayed, marked_key(replayed, "r1")):
        house.landing.objects[key] = gzip.compress(b'{"id":2}\n', mtime=0)
    own = relanding.amend(KEY)
    assert own == amendment_key("cats", RUN, 3)
    assert said(house, own) == {
        "amendment": 3,
        "rows": 7,
        "rows_refused": 2,
        "rows_erased": 2,
        "objects": [{"key": replayed, "rows": 1}],
    }
    assert relanding.amend(KEY) is None


def test_who_is_second_under_a_number_takes_the_next() -> None:
    house = House(with_bad(2, 7))
    house.relanding().land_again(failed())
    put, raced = house.landing.put, list[bool]()

    def put_late(key: str, body: bytes) -> None:
        if key.startswith("runs/") and not raced:
            raced.append(True)
            put(key, json.dumps({"rows": 9, "amendment": 1}).encode())
        put(key, body)

    house.landing.put = put_late  # type: ignore[method-assign]  # somebody else is first
    assert house.relanding().amend(KEY) == amendment_key("cats", RUN, 2)


def test_a_line_that_is_no_text_is_kept_byte_for_byte() -> None:
    house = House([*ROWS, b'{"a":"\xff\xfe"}', b'{"a":"\xff",'])
    house.relanding().land_again(failed())
    still_json, broken = (
        quarantined_from_line(line)
        for found in house.stored.below("quarantine/")
        for line in house.stored.lines(found.key)
    )
    assert (bytes(still_json.record), still_json.text) == (b'{"a":"\xff\xfe"}', None)
    assert broken.text == '{"a":"\\xff",'
    assert (still_json.row, broken.row) == (11, 12)
    assert {still_json.file, broken.file} == {KEY}


def test_snowflakes_own_reason_stands_beside_the_row_without_its_values() -> None:
    house = House(list(ROWS))
    house.relanding().land_again(failed(line=4))
    assert [reason for _, reason in house.aside()] == ["Snowflake: something about …"]
    silent = dataclasses.replace(failed(line=4).record, first_error=None)
    house = House(list(ROWS))
    house.relanding().land_again(dataclasses.replace(failed(), record=silent))
    assert [reason for _, reason in house.aside()] == [
        "Snowflake: Snowflake names no reason"
    ]


def test_a_row_is_counted_with_the_attempt_that_set_it_aside() -> None:
    house = House(list(ROWS))
    relanding = house.relanding()
    relanding.land_again(failed(line=4))
    relanding.land_again(failed(attempt=1, line=4))
    # done again, the first attempt does not see what the second set aside
    done = relanding.land_again(failed(line=4))
    assert (done.rows, done.refused) == (9, 1)
    (reason,) = relanding.refused_of(KEY)
    assert reason.rows == 2


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 7))
def test_a_death_at_any_effect_is_made_good_by_the_next(at: int, after: bool) -> None:  # noqa: FBT001 - a parameter of the test
    whole = House(with_bad(2, 7))
    whole.relanding().land_again(failed())
    whole.relanding().amend(KEY)

    house = House(with_bad(2, 7), Faults(at=at, after=after))
    try:
        house.relanding().land_again(failed())
        house.relanding().amend(KEY)
    except Killed:
        pass
    house.landing.faults = Faults()
    house.relanding().land_again(failed())
    house.relanding().amend(KEY)
    assert house.landing.objects == whole.landing.objects


@pytest.mark.parametrize(
    "bad",
    [b'{"a":"\\ud83d"}', b'{"a":', b'{"a":"\xff"}', b'{"a":"\\u0000"}', b'{"a":1,}'],
)
def test_whatever_is_refused_can_be_read_back_from_quarantine(bad: bytes) -> None:
    house = House([*ROWS, bad])
    assert house.relanding().land_again(failed()).refused == 1
    assert [row for row, _ in house.aside()] == [11]


def partly(
    *rows_of_names: int | None, attempt: int | None = None, line: int | None = None
) -> Failed:
    """The names of the object, of which each brought its first rows into the table, or
    None.
    """
    one = failed(len(rows_of_names) - 1 if attempt is None else attempt, line)
    loaded = tuple(
        (number, rows) for number, rows in enumerate(rows_of_names) if rows is not None
    )
    return dataclasses.replace(one, loaded=loaded)


def test_of_a_partial_load_only_what_it_left_out_lands_again() -> None:
    house = House(with_bad(3, 7))
    done = house.relanding().land_again(partly(3))
    assert (done.key, done.rows, done.refused) == (marked_key(KEY, "r1"), 5, 2)
    assert house.rows(marked_key(KEY, "r1")) == [
        row for place, row in enumerate(ROWS) if place not in {0, 1, 2, 3, 7}
    ]
    assert [row for row, _ in house.aside()] == [4, 8]


def test_what_stopped_a_partial_load_is_set_aside_whatever_is_known_against_it() -> (
    None
):
    house = House(list(ROWS))
    relanding = house.relanding()
    relanding.land_again(partly(3))
    # r1 holds rows 5 to 10; it brings two of them and stops at what was row 7
    done = relanding.land_again(partly(3, 2))
    assert [row for row, _ in house.aside()] == [4, 7]
    assert (done.key, done.rows, done.refused) == (marked_key(KEY, "r2"), 3, 2)
    assert house.rows(marked_key(KEY, "r2")) == ROWS[7:]
    # r2 fails as a whole: by its second line, which was row 9
    done = relanding.land_again(partly(3, 2, attempt=2, line=2))
    assert [row for row, _ in house.aside()] == [4, 7, 9]
    assert house.rows(marked_key(KEY, "r3")) == [ROWS[7], ROWS[9]]


def test_a_partial_load_of_which_all_the_rest_is_refused_lands_nothing() -> None:
    house = House(with_bad(8, 9))
    done = house.relanding().land_again(partly(8))
    assert (done.key, done.rows, done.refused) == (None, 0, 2)
    assert house.relanding().land_again(partly(8)) == done


@given(data=st.data())
def test_each_row_is_in_the_table_or_in_quarantine_once_however_loads_end(
    data: st.DataObject,
) -> None:
    rows = data.draw(st.integers(1, 12))
    refused = data.draw(st.sets(st.integers(0, rows - 1)))
    known = data.draw(st.sets(st.sampled_from(sorted(refused or {0})))) & refused
    lines = [
        b'{"n":%d,"n":%d}' % (n, n) if n in known else b'{"n":%d}' % n
        for n in range(rows)
    ]
    house = House(lines)
    relanding, table, loaded = house.relanding(), list[bytes](), dict[int, int]()
    bad = {lines[place] for place in refused}
    for attempt in range(40):
        key = KEY if attempt == 0 else marked_key(KEY, f"r{attempt}")
        if key not in house.landing.objects:
            break
        found = house.rows(key)
        stop = next((at for at, row in enumerate(found) if row in bad), None)
        if stop is None:
            table += found
            break
        if data.draw(st.booleans()):  # the pipe's ON_ERROR is changed now and then
            table += found[:stop]
            loaded[attempt] = stop
        once = dataclasses.replace(
            failed(attempt, stop + 1), loaded=tuple(loaded.items())
        )
        again = relanding.land_again(once)
        assert house.relanding().land_again(once) == again
    aside = [row for row, _ in house.aside()]
    assert Counter(aside) == Counter(place + 1 for place in refused)
    assert sorted(table) == sorted(set(lines) - bad)
