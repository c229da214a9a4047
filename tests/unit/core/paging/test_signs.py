"""What an answer says of the pages around it, sign by sign."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from lambdas.core.http.message import HttpRequest
from lambdas.core.paging.signs import (
    NOTHING_BEFORE,
    PagesBefore,
    Sign,
    Signs,
    vanished,
)
from lambdas.core.records.documents import Document
from lambdas.core.records.envelope import Envelope

NONE: Mapping[str, str] = {}
BEFORE = PagesBefore(pages=1, rows=2)


def answer(
    envelope: Mapping[str, object],
    *,
    rows: int = 2,
    headers: Mapping[str, str] = NONE,
    params: Mapping[str, str] = NONE,
    body: dict[str, object] | None = None,
    before: PagesBefore = NOTHING_BEFORE,
    url: str = "http://127.0.0.1/cats",
    noun: str = "",
) -> Signs:
    """Of an answer whose records are called `rows`."""
    document = {**envelope, "rows": [{"id": number} for number in range(rows)]}
    return Signs(
        envelope=Envelope(Document(json.dumps(document).encode()), "rows"),
        headers=headers,
        status=200,
        rows=rows,
        before=before,
        request=HttpRequest(
            method="GET", url=url, params=dict(params), headers={}, json=body
        ),
        noun=noun,
    )


def where(sign: Sign | None) -> str | None:
    return None if sign is None else sign.where


# what a person reads -----------------------------------------------------------------
@pytest.mark.parametrize(
    ("sign", "said"),
    [
        (Sign("total", 25), "`total` is 25"),
        (Sign("has_more", value=True), "`has_more` is true"),
        (Sign("last", value=False), "`last` is false"),
        (Sign("cursor", "abc"), "`cursor` is `abc`"),
        (Sign("next", "http://127.0.0.1/2"), "`next` holds a link"),
        (Sign("next_url", "cats?page=2"), "`next_url` holds a link"),
        (Sign("x-total", 25, is_header=True), "the header `x-total` is 25"),
        (Sign("x-next", "abc", is_header=True), "the header `x-next` is `abc`"),
        (
            Sign("next-page", "/cats?page=2", is_header=True),
            "the header `next-page` holds a link",
        ),
        (
            Sign("link", "http://127.0.0.1/2", is_header=True),
            'the Link header has a rel="next"',
        ),
        (Sign("link", "http://127.0.0.1/2"), "`link` holds a link"),
    ],
)
def test_a_sign_is_told_with_its_place_and_what_it_says(sign: Sign, said: str) -> None:
    assert sign.sentence == said


# flags -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("envelope", "more", "end"),
    [
        ({"has_more": True}, "has_more", None),
        ({"has_more": False}, None, "has_more"),
        ({"isLast": True}, None, "isLast"),
        ({"isLast": False}, "isLast", None),
        ({"has_more": "TRUE"}, "has_more", None),
        ({"has_more": "false"}, None, "has_more"),
        ({"has_more": "maybe"}, None, None),
        ({"has_more": 1}, "has_more", None),
        ({"has_more": 0}, None, "has_more"),
        ({"has_more": 2}, None, None),
        ({"is_last": 1}, None, "is_last"),
        ({"more": 1}, "more", None),
        ({"end": 1}, None, "end"),
        ({"last": 1}, None, None),  # the number of a page
        ({"has_more": 1.0}, None, None),
        ({"has_more": None}, None, None),
        ({"no_more": True}, None, "no_more"),
        ({"truncated": True}, "truncated", None),
        ({"truncated": False}, None, None),
        ({"LastEvaluatedKey": "x"}, "LastEvaluatedKey", None),
        ({"LastEvaluatedKey": ""}, None, None),
        ({"parts": [{"has_more": True}]}, "parts[0].has_more", None),
        ({"parts": [{"has_more": False}]}, None, None),  # one does not end the whole
        ({"has_more": True, "done": True}, "has_more", None),
    ],
    ids=str,
)
def test_a_flag_says_more_or_the_end(
    envelope: dict[str, object], more: str | None, end: str | None
) -> None:
    found = answer(envelope)
    assert (where(found.more), where(found.end)) == (more, end)


@pytest.mark.parametrize(
    ("name", "value", "more", "end"),
    [
        ("x-has-more", "true", True, False),
        ("x-has-more", "False", False, True),
        ("x-has-more", "1", False, False),
        ("is-last", "true", False, True),
        ("is-last", "FALSE", True, False),
        ("x-cats", "true", False, False),
    ],
)
def test_a_flag_may_stand_in_a_header(
    name: str, value: str, *, more: bool, end: bool
) -> None:
    found = answer({}, headers={name: value})
    assert (found.more is not None, found.end is not None) == (more, end)
    for sign in (found.more, found.end):
        assert sign in (None, Sign(name, value.lower(), is_header=True))


def test_the_first_flag_is_the_one_that_is_told() -> None:
    both = answer({"has_more": True, "more": True}, headers={"x-has-more": "true"})
    assert where(both.more) == "has_more"
    both = answer({"done": True, "isLast": True}, headers={"is-last": "true"})
    assert where(both.end) == "done"


# links -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"link": '<http://127.0.0.1/2>; rel="next"'}, ("link", "http://127.0.0.1/2")),
        ({"link": '<http://127.0.0.1/1>; rel="prev"'}, None),
        ({"next-page": " /cats?page=2 "}, ("next-page", "/cats?page=2")),
        ({"next-page": "2"}, None),
        ({"page": "/cats?page=2"}, None),
    ],
    ids=str,
)
def test_a_link_may_stand_in_a_header(
    headers: dict[str, str], found: tuple[str, str] | None
) -> None:
    sign = answer({}, headers=headers).header_link
    assert sign == (None if found is None else Sign(*found, is_header=True))


@pytest.mark.parametrize(
    ("envelope", "link"),
    [
        ({"next": "/2"}, "next"),
        ({"next": " /2"}, "next"),
        ({"next": ""}, None),
        ({"next": 2}, None),
        ({"next": "abc"}, None),
        ({"next": {"href": "cats?page=2"}}, "next.href"),
        ({"more_url": "cats?page=2"}, "more_url"),
        ({"more": "/2"}, None),
        ({"previous": {"next": "/2"}}, None),
        ({"__next": "Cats?$skip=2"}, "__next"),
        ({"next": "Cats?$skip=2"}, None),
        ({"next": "/2", "links": {"next": "http://127.0.0.1/2"}}, "links.next"),
    ],
    ids=str,
)
def test_a_link_in_the_body_stands_under_a_next(
    envelope: dict[str, object], link: str | None
) -> None:
    assert where(answer(envelope).link) == link


# tokens ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("envelope", "tokens"),
    [
        ({"cursor": "abc"}, ["cursor"]),
        ({"cursor": "none"}, []),
        ({"cursor": "0"}, []),
        ({"cursor": "-1"}, []),
        ({"cursor": True}, []),
        ({"cursor": 5}, ["cursor"]),
        ({"after": 5}, []),
        ({"cursor": {"after": 5}}, ["cursor.after"]),
        ({"cursor": {"after": 0}}, []),
        ({"next_page": 2}, ["next_page"]),
        ({"next_page": -1}, []),
        ({"offset": "20"}, []),
        ({"offset": "a20"}, ["offset"]),
        ({"next_sync_token": "abc"}, []),
        ({"cursor": "abc", "next_cursor": "def"}, ["next_cursor", "cursor"]),
        ({"next_page": 2, "next_token": "abc"}, ["next_token", "next_page"]),
        ({"cursor": "abc", "has_more": False}, []),
        ({"cursor": "abc", "next": None}, []),
        ({"cursor": "abc", "next": None, "has_more": True}, ["cursor"]),
        ({"cursor": "abc", "next": None, "next_token": "x"}, ["next_token"]),
    ],
    ids=str,
)
def test_a_token_is_what_could_be_sent_back(
    envelope: dict[str, object], tokens: list[str]
) -> None:
    found = answer(envelope)
    assert [one.where for one in found.tokens] == tokens
    of_next = [one for one in tokens if one.startswith("next")]
    assert where(found.next_token) == (of_next[0] if of_next else None)


def test_what_we_sent_ourselves_is_no_token() -> None:
    cursor = {"cursor": "abc"}
    assert answer(cursor, params={"at": "abc"}).tokens == ()
    assert answer(cursor, body={"at": "abc"}).tokens == ()
    assert answer(cursor, url="http://127.0.0.1/cats?at=abc").tokens == ()
    assert answer({"next_page": 2}, body={"page": 2}).tokens == ()
    assert answer(cursor, params={"abc": "at"}, body={"abc": 1}).tokens != ()


@pytest.mark.parametrize(
    ("envelope", "is_over"),
    [
        ({"cursors": {"after": "x", "before": "y"}}, True),
        ({"before": "y", "cursors": {"after": "x"}}, True),  # one step further out
        ({"page": {"cursors": {"after": "x"}, "prev": "y"}}, True),
        ({"prev": "y", "page": {"cursors": {"after": "x"}}}, False),
        ({"other": {"before": "y"}, "cursors": {"after": "x"}}, False),
        ({"cursor": {"after": "x", "before": "y"}}, False),
    ],
    ids=str,
)
def test_only_what_stands_around_a_token_tells_that_it_leads_nowhere(
    envelope: dict[str, object], *, is_over: bool
) -> None:
    found = {one.where.rpartition(".")[2] for one in answer(envelope).tokens}
    assert ("after" not in found) is is_over


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"x-next-page": " 2 "}, "2"),
        ({"x-next-page": "NONE"}, None),
        ({"x-cursor": "abc"}, "abc"),
        ({"x-cat": "abc"}, None),
    ],
    ids=str,
)
def test_a_token_may_stand_in_a_header(
    headers: dict[str, str], found: str | None
) -> None:
    sign = answer({}, headers=headers).header_token
    assert (None if sign is None else sign.value) == found


# numbers -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "number"),
    [
        (25, 25), (25.0, 25), (25.5, None), (-1, None), (True, None), ("25", 25),
        (" 25 ", 25), ("1,234", 1234), ("12,34", None), ("-1", None), ("2.5", None),
        ("0" * 37 + "25", 25), ("0" * 38 + "25", None),
    ],
)  # fmt: skip
def test_a_total_is_a_whole_number_in_one_of_its_forms(
    value: object, number: int | None
) -> None:
    found = answer({"total": value})
    assert [one for one in (24, 25, 1234) if found.has_total(one)] == (
        [] if number is None else [number]
    )


@pytest.mark.parametrize(
    ("envelope", "params", "total"),
    [
        ({"total": 9, "num_results": 2}, {}, "total"),
        ({"num_results": 2, "total": 9}, {}, "total"),
        ({"total": 9, "total_filtered": 4}, {}, "total_filtered"),
        ({"total": {"value": 9}}, {}, "total.value"),
        ({"totalCats": 9}, {}, "totalCats"),
        ({"totalDogs": 9}, {}, None),
        ({"catPages": 9}, {}, None),
        ({"count": 9}, {}, "count"),
        ({"count": 9}, {"limit": "9"}, None),
        ({"count": 9}, {"count": "9"}, None),
        ({"count": 9}, {"limit": "8"}, "count"),
        ({"count": 9}, {"cats": "9"}, "count"),
        ({"hits": 9}, {"limit": "9"}, "hits"),
        ({"count": 9, "offset": 0}, {}, None),
        ({"count": 9, "offset": 0, "limit": 2}, {}, "count"),
        ({"total": 9, "count": 20}, {}, "total"),
        ({"total": 2}, {}, None),
        ({"total": 3}, {}, "total"),
        ({"a": {"total": 2}, "b": {"total": 3}}, {}, "b.total"),
        ({"total": 9, "has_more": False}, {}, None),
        ({"pages": 2}, {}, "pages"),
        ({"pages": 1}, {}, None),
        ({"pages": 3, "page": 2}, {}, "pages"),
        ({"pages": 3, "page": 3}, {}, None),
        ({"pages": 3, "page": 4}, {}, None),
        ({"last": 3}, {}, None),  # the number of a page, or when it was
        ({"last": 3, "page": 1}, {}, "last"),
        ({"last_page": 3}, {}, "last_page"),
        ({"total": 9, "pages": 2, "page": 2}, {}, None),
    ],
    ids=str,
)
def test_a_number_says_that_there_is_more(
    envelope: dict[str, object], params: dict[str, str], total: str | None
) -> None:
    assert where(answer(envelope, params=params).above(2)) == total


@pytest.mark.parametrize(
    ("name", "url", "noun", "is_total"),
    [
        ("totalCats", "http://127.0.0.1/v1/cats", "", True),
        ("totalCats", "http://127.0.0.1/v1/cats/", "", True),
        ("totalCats", "http://127.0.0.1/v1/cats.json", "", True),
        ("totalCat", "http://127.0.0.1/v1/cats", "", True),
        ("totalCats", "http://127.0.0.1/v1/cat", "", True),
        ("totalCats", "http://127.0.0.1/cats/dogs", "", False),
        ("totalCats", "http://127.0.0.1/dogs", "cats", True),
        ("totalCats", "http://127.0.0.1/dogs", "cat", True),
        ("totalWildCats", "http://127.0.0.1/dogs", "wild_cats", True),
    ],
)
def test_a_total_may_bear_the_name_of_what_it_counts(
    name: str, url: str, noun: str, *, is_total: bool
) -> None:
    found = answer({name: 9}, url=url, noun=noun).above(2)
    assert where(found) == (name if is_total else None)


def test_a_number_says_nothing_where_it_is_not_known_how_much_was_read() -> None:
    assert answer({"total": 9}).above(None) is None
    assert where(answer({"total": 9}).above(2, but="total")) is None
    assert where(answer({"total": 9}).above(2, but="count")) == "total"


@pytest.mark.parametrize(
    ("relation", "total", "is_more"),
    [("gte", 2, True), ("eq", 2, False), ("gte", 3, True), ("gte", 1, False)],
)
def test_at_least_so_many_is_more_once_they_were_read(
    relation: str, total: int, *, is_more: bool
) -> None:
    found = answer({"total": {"value": total, "relation": relation}})
    assert (found.above(2) is not None) is is_more
    (one,) = found.counted
    assert one.total is not None
    assert found.is_lower_bound(one.total) is (relation == "gte" and total == 2)
    assert not found.is_lower_bound(Sign("cats", 2))


def test_pages_count_from_0_where_the_numbers_say_so() -> None:
    """Page 2 of 3 is the third, if the rows before it and its own are all."""
    page = {"page": 2, "pages": 3, "limit": 2, "total": 5}
    assert answer(page, rows=1, before=BEFORE).above(3) is None
    for change in (
        {"total": 6}, {"page": 1}, {"limit": 1}, {"pages": 4}, {"limit": None},
    ):  # fmt: skip
        changed = answer({**page, **change}, rows=1, before=BEFORE)
        assert changed.above(3) is not None, change
    first = {"page": 0, "pages": 1, "limit": 2, "total": 5}
    assert answer(first, rows=2).above(2) is not None


@pytest.mark.parametrize(
    ("envelope", "params", "is_more"),
    [
        ({"total": 9, "offset": 7}, {}, False),
        ({"total": 10, "offset": 7}, {}, True),
        ({"total": 9}, {"offset": "7"}, False),
        ({"total": 9}, {"offset": "x"}, True),
        ({"total": 9}, {"cats": "7"}, True),
        ({"total": 3, "offset": 1}, {}, True),  # counted from 1
        ({"total": 4, "offset": 2}, {}, False),
        ({"total": 9, "previous": "/1"}, {}, False),
        ({"total": 9, "previous": ""}, {}, True),
        ({"total": 9, "previous": 1}, {}, True),
    ],
    ids=str,
)
def test_a_pull_that_begins_later_has_not_to_read_what_stands_before(
    envelope: dict[str, object], params: dict[str, str], *, is_more: bool
) -> None:
    assert (answer(envelope, params=params).above(2) is not None) is is_more


def test_what_stands_before_is_asked_of_the_first_answer_alone() -> None:
    later = answer({"total": 9, "offset": 7, "previous": "/1"}, before=BEFORE)
    assert where(later.above(4)) == "total"
    links = {"link": '<http://127.0.0.1/1>; rel="prev"'}
    assert answer({"total": 9}, headers=links).above(2) is None
    assert answer({"total": 9}, headers=links, before=BEFORE).above(4) is not None
    assert answer({"pages": 3}, before=PagesBefore(pages=2, rows=4)).above(6) is None


def test_a_total_that_grew_meanwhile_asks_for_no_more_than_it_did() -> None:
    before = PagesBefore(pages=1, rows=2, totals={"total": 4})
    assert answer({"total": 5}, before=before).above(4) is None
    assert answer({"total": 5}, before=before).above(3) is not None
    assert dict(answer({"total": 5}, before=before).paths().totals) == {"total": 4}
    assert dict(answer({"total": 3}, before=before).paths().totals) == {"total": 3}
    assert dict(answer({}, before=before).paths().totals) == {"total": 4}


@pytest.mark.parametrize(
    ("headers", "where_more"),
    [
        ({"x-total": "9"}, "x-total"),
        ({"x-wp-total": "9"}, "x-wp-total"),
        ({"x-cats-total": "9"}, "x-cats-total"),
        ({"x-total-pages": "2"}, "x-total-pages"),
        ({"x-total-pages-of-cats": "9"}, None),
        ({"x-count": "9"}, "x-count"),
        ({"x-count": "20", "x-total": "9"}, "x-total"),
        ({"x-total": "many", "x-total-count": "9"}, "x-total-count"),
        ({"x-total": "9", "x-total-count": "2"}, "x-total"),
        ({"x-page": "2", "x-total-pages": "2"}, None),
        ({"x-pagination": '{"TotalCount": 9}'}, "x-pagination"),
        ({"x-paging": ' {"TotalCount": 9}'}, "x-paging"),
        ({"x-pagination": '{"TotalCount": "x", "Cats": 9}'}, None),
        ({"x-pagination": '{"TotalCount": [9]}'}, None),
        ({"x-pagination": "{TotalCount"}, None),
        ({"x-pagination": "[9]"}, None),
        ({"x-cats": '{"TotalCount": 9}'}, None),
    ],
    ids=str,
)
def test_a_number_may_stand_in_a_header(
    headers: dict[str, str], where_more: str | None
) -> None:
    found = answer({}, headers=headers).above(2)
    assert where(found) == where_more
    assert found is None or found.is_header


@pytest.mark.parametrize(
    "of",
    [
        "item", "items", "result", "results", "record", "records", "row", "rows",
        "count", "pages", "entries", "objects",
    ],
)  # fmt: skip
def test_what_is_left_is_told_of_one_of_these(of: str) -> None:
    assert where(answer({f"remaining_{of}": 3}).remaining) == f"remaining_{of}"


@pytest.mark.parametrize("name", ["total", "totals", "found", "matched"])
def test_as_many_as_all_is_told_by_one_of_these(name: str) -> None:
    read = PagesBefore(pages=2, rows=4)
    assert answer({name: 4}, rows=0, before=read).has_read_total


@pytest.mark.parametrize(
    ("envelope", "found"),
    [
        ({"remainingItemCount": 3}, "remainingItemCount"),
        ({"remainingItemCount": 0}, None),
        ({"remaining": 3}, None),  # requests, maybe
        ({"remaining_rows": "3"}, "remaining_rows"),
    ],
    ids=str,
)
def test_what_is_left_is_more(envelope: dict[str, object], found: str | None) -> None:
    assert where(answer(envelope).remaining) == found


# all of them -------------------------------------------------------------------------
def test_the_clearest_sign_is_told() -> None:
    envelope: dict[str, object] = {}
    headers: dict[str, str] = {}
    told = []
    for name, value in (
        ("cursor", "abc"), ("total", 9), ("x-cursor", "abc"), ("next_token", "abc"),
        ("next", "/2"), ("next-page", "/2"), ("remaining_rows", 3), ("has_more", True),
    ):  # fmt: skip
        if "-" in name:
            headers[name] = str(value)
        else:
            envelope[name] = value
        told.append(where(answer(envelope, headers=headers).of_more(2, bare=True)))
    assert told == [
        "cursor", "total", "x-cursor", "next_token", "next", "next-page",
        "remaining_rows", "has_more",
    ]  # fmt: skip
    envelope["has_more"] = False
    assert answer(envelope, headers=headers).of_more(2, bare=True) is None
    assert answer({"cursor": "abc"}).of_more(2, bare=False) is None


@pytest.mark.parametrize(
    ("envelope", "headers", "is_all"),
    [
        ({}, {}, False),
        ({"has_more": False}, {}, True),
        ({"next": None}, {}, True),
        ({}, {"link": '<http://127.0.0.1/1>; rel="prev"'}, True),
        ({"total": 2}, {}, True),
        ({"total": 3}, {}, False),
        ({"total": 2, "limit": 2}, {}, False),
        ({"total": 2, "limit": 3}, {}, True),
        ({"pages": 1}, {}, True),
        ({"pages": 2}, {}, False),
    ],
    ids=str,
)
def test_an_answer_may_say_that_it_is_all(
    envelope: dict[str, object], headers: dict[str, str], *, is_all: bool
) -> None:
    assert answer(envelope, headers=headers).says_all is is_all


@pytest.mark.parametrize(
    ("envelope", "rows", "before", "is_all"),
    [
        ({"total": 4}, 0, PagesBefore(pages=2, rows=4), True),
        ({"total": 5}, 0, PagesBefore(pages=2, rows=4), False),
        ({"total": 3}, 0, PagesBefore(pages=2, rows=4), True),
        ({"total": 0}, 0, PagesBefore(pages=2, rows=4), False),
        ({"total": 0}, 0, PagesBefore(pages=1, rows=0), True),
        ({"total": 4}, 1, PagesBefore(pages=2, rows=4), False),
        ({"total": 4}, 0, PagesBefore(pages=2, rows=None), False),
        ({"total": 4}, 0, PagesBefore(rows=4), False),
        ({"count": 4}, 0, PagesBefore(pages=2, rows=4), False),  # maybe of the page
        (
            {"total": {"value": 4, "relation": "gte"}},
            0, PagesBefore(pages=2, rows=4), False,
        ),
    ],
)  # fmt: skip
def test_a_page_without_rows_after_as_many_as_the_total_is_the_end(
    envelope: dict[str, object], rows: int, before: PagesBefore, *, is_all: bool
) -> None:
    assert answer(envelope, rows=rows, before=before).has_read_total is is_all


def test_an_offset_tells_that_it_is_not_the_first_page() -> None:
    assert answer({"offset": 1}).has_moved
    assert not answer({"offset": 0}).has_moved
    assert not answer({}).has_moved


def test_what_told_of_more_and_is_gone_is_noticed() -> None:
    first = answer({"total": 9, "page": {"next": "/2"}, "took": 3}).paths()
    assert vanished(first, answer({"total": 9, "page": {"next": "/3"}})) is None
    assert vanished(first, answer({"page": {"next": "/3"}, "took": 3})) == "total"
    # a link may be left out at the end, while its neighbours are there
    assert vanished(first, answer({"total": 9, "took": 3})) is None
    assert vanished(first, answer({"total": 9})) == "page.next"
    # of several the first by name
    assert vanished(answer({"total": 9, "pages": 3}).paths(), answer({})) == "pages"
