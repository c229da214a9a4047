from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from lambdas.adapters.sources.ahead import AHEAD_BYTES, one_ahead
from lambdas.adapters.sources.open import ApiSources
from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.pull.ports import Page
from lambdas.core.pull.window import Window
from tests.api_pull import PlannedClock, PlannedSecrets
from tests.api_server import Answer, Asked, answer_json, serving
from tests.datasets import a_dataset

SOON_S = 60


def page(number: int, *, last: bool = False, size: int = 2) -> Page:
    return Page(
        records=[b"x" * size],
        number=number,
        url="http://127.0.0.1/",
        next_position=None if last else number,
    )


class Fetching:
    """A source of pages that notes what was begun, and whether it was closed."""

    def __init__(self, count: int, *, size: int = 2, fails_at: int = 0) -> None:
        self.begun: list[int] = []
        self.asked_for_second = threading.Event()
        self.closed = threading.Event()
        self._count, self._size, self._fails_at = count, size, fails_at

    def pages(self) -> Iterator[Page]:
        try:
            for number in range(1, self._count + 1):
                self.begun.append(number)
                if number == 2:
                    self.asked_for_second.set()
                if number == self._fails_at:
                    raise Terminal("page 3 is broken", kind=RunErrorKind.RESPONSE)
                yield page(number, last=number == self._count, size=self._size)
        finally:
            self.closed.set()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
def test_all_pages_come_in_order(count: int) -> None:
    source = Fetching(count)
    assert [one.number for one in one_ahead(source.pages())] == source.begun
    assert len(source.begun) == count
    assert source.closed.wait(SOON_S)


def test_the_next_page_is_fetched_while_the_last_is_worked_on() -> None:
    source = Fetching(3)
    reading = one_ahead(source.pages())
    assert next(reading).number == 1
    assert source.asked_for_second.wait(SOON_S)
    assert [one.number for one in reading] == [2, 3]


def test_after_a_long_page_nothing_is_fetched_ahead() -> None:
    source = Fetching(3, size=AHEAD_BYTES + 1)
    reading = one_ahead(source.pages())
    next(reading)
    assert not source.asked_for_second.wait(0.05)
    assert next(reading).number == 2


def test_an_error_comes_after_the_pages_before_it() -> None:
    source = Fetching(5, fails_at=3)
    reading = one_ahead(source.pages())
    assert [next(reading).number, next(reading).number] == [1, 2]
    with pytest.raises(Terminal, match="page 3 is broken"):
        next(reading)
    assert source.closed.wait(SOON_S)


def test_one_who_stops_leaves_no_thread_and_at_most_one_page_too_many() -> None:
    source = Fetching(100)
    reading = one_ahead(source.pages())
    next(reading)
    next(reading)
    reading.close()  # type: ignore[attr-defined]  # a generator, as every PageSource's
    assert source.closed.wait(SOON_S)
    assert source.begun in ([1, 2], [1, 2, 3])
    for thread in threading.enumerate():
        if thread.name == "reading-ahead":
            thread.join(SOON_S)
            assert not thread.is_alive()


def test_a_single_page_needs_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(**_: object) -> None:
        raise AssertionError("a thread was made")

    monkeypatch.setattr("lambdas.adapters.sources.ahead.Thread", refused)
    assert len(list(one_ahead(Fetching(1).pages()))) == 1


class ThreePages:
    """An API of three pages that tells when its second is asked for."""

    def __init__(self) -> None:
        self.asked_for_second = threading.Event()

    def __call__(self, asked: Asked) -> Answer:
        number = int(asked.query.get("page", 1))
        if number == 2:
            self.asked_for_second.set()
        row = {"id": number, "at": f"2026-11-0{number}T00:00:00Z"}
        following = f"/cats?page={number + 1}" if number < 3 else None
        return answer_json({"data": [row], "next": following})


@pytest.mark.parametrize(
    ("client", "incremental", "is_ahead"),
    [
        ({}, {}, True),
        ({}, {"row_order": "desc"}, False),
        ({}, {"row_order": "asc"}, False),
        ({"rate_limit": {"requests": 1000}}, {}, False),
    ],
)
def test_no_request_is_made_early_that_may_be_for_nothing(
    client: dict[str, object], incremental: dict[str, object], *, is_ahead: bool
) -> None:
    app = ThreePages()
    with serving(app) as server:
        dataset = a_dataset(
            source={
                "client": {"base_url": server.url, **client},
                "endpoint": {
                    "path": "cats",
                    "incremental": {"cursor_path": "at", **incremental},
                },
            }
        )
        source = ApiSources(
            secrets=PlannedSecrets(), clock=PlannedClock(), deadline_s=900
        )(dataset, Window())
        pages = source.pages()
        assert next(pages).number == 1
        wait_s = SOON_S if is_ahead else 0.1
        assert app.asked_for_second.wait(wait_s) is is_ahead
        assert [one.number for one in pages] == [2, 3]
        assert source.requests == 3
