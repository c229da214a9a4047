from __future__ import annotations

import json

from pydantic import JsonValue

from lambdas.core.paging.position import bare, restored, stored
from lambdas.core.paging.signs import NOTHING_BEFORE, PagesBefore
from lambdas.core.records.json_path import answer_steps

READ = PagesBefore(
    pages=3,
    rows=30,
    told=frozenset({answer_steps("meta.total"), ("has more", 0)}),
    led=frozenset({answer_steps("links[?rel=='next'].href")}),
    others=frozenset({answer_steps("version")}),
    totals={"meta.total": 1_000},
)


def kept(position: JsonValue, before: PagesBefore) -> JsonValue:
    read: JsonValue = json.loads(json.dumps(stored(position, before)))
    return read


def test_a_place_comes_back_with_what_was_read_before_it() -> None:
    places: list[JsonValue] = ["abc", 7, {"at": 1}, {"within": None, "records": 5}]
    for position in places:
        assert restored(kept(position, READ)) == (position, READ)


def test_nothing_was_read_before_the_first_page() -> None:
    assert restored(None) == (None, NOTHING_BEFORE)
    assert stored(None, READ) is None


def test_of_a_place_alone_it_is_not_known_how_much_was_read() -> None:
    assert restored("abc") == ("abc", PagesBefore(rows=None))


def test_paths_that_are_too_many_to_keep_are_left_out_whole() -> None:
    many = frozenset((f"name{number}",) for number in range(500))
    rows = PagesBefore(pages=1, rows=10, told=many, led=READ.led, others=many)
    memory = kept("abc", rows)
    assert restored(memory) == ("abc", PagesBefore(pages=1, rows=10))
    assert len(json.dumps(memory)) < 100


def test_the_same_place_is_the_same_whatever_was_read_before() -> None:
    def within(before: PagesBefore) -> JsonValue:
        return {"run": "r", "row": 3, "page": stored("abc", before)}

    assert within(READ) != within(NOTHING_BEFORE)
    assert bare(within(READ)) == bare(within(NOTHING_BEFORE))
    assert bare(kept(7, READ)) == 7
