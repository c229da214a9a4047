"""What failed lands again without what is refused, however often it dies."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from lambdas.core.errors import LandingError
from lambdas.core.facts import LoadRecord
from lambdas.core.landing import marked_key, new_run_id, raw_key, run_key
from lambdas.core.quarantine import quarantined_from_line
from lambdas.core.reconciling import Failed, StoredObject
from lambdas.core.relanding import Relanding
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

    def relanding(self) -> Relanding:
        return Relanding(landing=self.landing, stored=self.stored, tries_as_it_is=2)

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
