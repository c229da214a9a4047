"""What an answer of the source says, and what it does not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.core.cursor.order import CursorOrder
from lambdas.core.diagnosis.signals import Upstream
from lambdas.core.errors import (
    OverBudget,
    RunErrorKind,
    Terminal,
    Transient,
    UpstreamError,
)
from lambdas.core.freshness.probe import (
    EventTime,
    declared_answer,
    derived_answer,
    event_time,
    failed_probe,
    instant,
)
from tests.datasets import a_dataset, incremental

T0 = datetime(2026, 11, 23, 8, tzinfo=UTC)
AT = EventTime(path="at", order=CursorOrder(), is_cursor=True)


def rows(*hours: float) -> list[bytes]:
    return [
        json.dumps({"at": (T0 + timedelta(hours=h)).isoformat()}).encode()
        for h in hours
    ]


def derived(
    *pages: tuple[list[bytes], bool],
    cursor: str | None = T0.isoformat(),
    newest_first: bool = False,
) -> Upstream:
    return derived_answer(pages, when=AT, cursor=cursor, newest_first=newest_first)


def test_the_newest_of_all_that_follows_the_cursor_is_the_sources_newest() -> None:
    found = derived((rows(0, 2), True), (rows(1), False))
    assert found == Upstream(
        probe="ok", newest_event_at=T0 + timedelta(hours=2), empty=False
    )


def test_nothing_but_the_row_at_the_cursor_means_nothing_newer() -> None:
    assert derived((rows(0), False)).newest_event_at == T0
    assert derived(([], False)).newest_event_at == T0


def test_more_pages_without_a_newer_row_say_nothing() -> None:
    assert derived((rows(0), True), (rows(0), True)).probe == "not_probed"
    assert derived((rows(0, 1), True), (rows(2), True)).newest_event_at == (
        T0 + timedelta(hours=2)
    )


def test_at_most_two_pages_are_read() -> None:
    def pages() -> object:
        yield rows(1), True
        yield rows(2), True
        raise AssertionError("a third page was read")

    assert derived_answer(
        pages(),  # type: ignore[arg-type]  # a generator that tells on its reader
        when=AT,
        cursor=T0.isoformat(),
        newest_first=False,
    ).newest_event_at == T0 + timedelta(hours=2)


def test_one_page_is_enough_where_the_newest_come_first() -> None:
    found = derived((rows(5, 4), True), (rows(9), True), newest_first=True)
    assert found.newest_event_at == T0 + timedelta(hours=5)


def test_a_source_that_never_had_a_row_is_empty() -> None:
    assert derived(([], False), cursor=None) == Upstream(probe="ok", empty=True)


def test_rows_without_a_usable_time_say_nothing() -> None:
    assert derived(([b'{"at": "soon"}', b'{"id": 1}'], False)).probe == "not_probed"


def test_an_empty_answer_says_nothing_where_the_cursor_is_no_event_time() -> None:
    when = EventTime(path="at", order=CursorOrder(), is_cursor=False)
    found = derived_answer([([], False)], when=when, cursor=7, newest_first=False)
    assert found.probe == "not_probed"


@pytest.mark.parametrize(
    ("body", "path", "expected"),
    [
        (
            {"rows": [{"at": T0.isoformat()}]},
            "rows[0].at",
            Upstream(probe="ok", newest_event_at=T0, empty=False),
        ),
        ({"rows": []}, "rows[0].at", Upstream(probe="ok", empty=True)),
        ({"max": None}, "max", Upstream(probe="ok")),
        ({"error": "sorry"}, "rows[0].at", Upstream(probe="error_body")),
        ({"rows": [{"at": "soon"}]}, "rows[0].at", Upstream(probe="error_body")),
        ({"rows": "no"}, "rows[0].at", Upstream(probe="error_body")),
        (
            {"at": 1_700_000_000},
            "at",
            Upstream(
                probe="ok",
                newest_event_at=datetime.fromtimestamp(1_700_000_000, UTC),
                empty=False,
            ),
        ),
    ],
)
def test_a_declared_probe(body: object, path: str, expected: Upstream) -> None:
    assert declared_answer(json.dumps(body).encode(), path, CursorOrder()) == expected


def test_an_answer_that_is_no_json_is_an_error_in_place_of_data() -> None:
    assert declared_answer(b"<html>", "rows[0].at", CursorOrder()).probe == "error_body"


@pytest.mark.parametrize(
    ("error", "probe"),
    [
        (Terminal("x", kind=RunErrorKind.AUTH), "denied"),
        (Transient("x", kind=RunErrorKind.THROTTLED), "throttled"),
        (Transient("x", kind=RunErrorKind.TIMEOUT), "unreachable"),
        (Transient("x", kind=RunErrorKind.HTTP), "unreachable"),
        (Terminal("x", kind=RunErrorKind.HTTP), "failed"),
        (Terminal("x", kind=RunErrorKind.RESPONSE), "error_body"),
        (Terminal("x", kind=RunErrorKind.SCHEMA), "error_body"),
        (Terminal("x", kind=RunErrorKind.INTERNAL), "failed"),
        (OverBudget("x", kind=RunErrorKind.THROTTLED), "not_probed"),
    ],
)
def test_an_error_is_said_in_the_signals_words(
    error: UpstreamError, probe: str
) -> None:
    assert failed_probe(error) == Upstream(probe=probe)


def test_numbers_are_seconds_or_milliseconds() -> None:
    assert instant(1_700_000_000) == instant(1_700_000_000_000)
    odd: object
    for odd in (True, None, [], float("nan"), float("inf"), 10**30, "soon"):
        assert instant(odd) is None


def test_rows_are_compared_by_the_event_time_or_by_the_cursor() -> None:
    assert event_time(a_dataset()) == AT
    same = a_dataset(freshness={"loaded_at_field": "$.at"})
    assert event_time(same) == AT
    other = event_time(a_dataset(freshness={"loaded_at_field": "seen"}))
    assert other == EventTime(path="seen", order=CursorOrder(), is_cursor=False)
    zone = a_dataset(source=incremental(timezone="Europe/Berlin"))
    found = event_time(zone)
    assert found is not None
    assert found.order.timezone == "Europe/Berlin"
    endpoint = {
        "client": {"base_url": "http://127.0.0.1:1/"},
        "endpoint": {"path": "x"},
    }
    assert event_time(a_dataset(source=endpoint)) is None
