"""Pages fetched one ahead: while one is written, the next is on its way.

A pull waits for the API most of the time; what it does in between fits into that wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from enum import Enum
from queue import SimpleQueue
from threading import Thread
from typing import TypeAlias

from lambdas.core.http.message import HttpRequest, HttpResponse
from lambdas.core.pull.ports import Page

AHEAD_BYTES = 2 * 1024 * 1024
"""After a longer page the next is fetched when it is asked for: two pages are in
memory at a time, and two long ones need not fit."""


class _Wish(Enum):
    """What the consumer tells the thread."""

    NEXT = "next"
    NO_MORE = "no more"


def one_ahead(pages: Iterator[Page]) -> Iterator[Page]:
    """`pages`, each next one fetched by a thread while the last is worked on.

    The first page is fetched when it is asked for, and a thread is started only if
    another follows. An error comes where its page would have come. When the consumer
    stops, the thread finishes what it has begun, asks for nothing more and ends; nobody
    waits for it.
    """
    page = next(pages, None)
    if page is None:
        return
    if page.next_position is None:
        yield page
        yield from pages
        return
    wishes: SimpleQueue[_Wish] = SimpleQueue()
    answers: SimpleQueue[Page | BaseException | None] = SimpleQueue()
    # a daemon: a request that hangs does not keep the process from ending
    Thread(
        target=_fetch, args=(pages, wishes, answers), name="reading-ahead", daemon=True
    ).start()
    try:
        while True:
            is_short = sum(map(len, page.records)) <= AHEAD_BYTES
            if is_short:
                wishes.put(_Wish.NEXT)
            yield page
            # no page is held here while the next one is fetched
            del page
            if not is_short:
                wishes.put(_Wish.NEXT)
            answer = answers.get()
            if isinstance(answer, BaseException):
                raise answer
            if answer is None:
                return
            page = answer
            del answer
    finally:
        wishes.put(_Wish.NO_MORE)


def _fetch(
    pages: Iterator[Page],
    wishes: SimpleQueue[_Wish],
    answers: SimpleQueue[Page | BaseException | None],
) -> None:
    """Answer each wish with a page, its error, or None after the last."""
    try:
        while wishes.get() is _Wish.NEXT:
            answers.put(next(pages, None))
    except BaseException as error:  # noqa: BLE001 - raised by the one who waits for it
        answers.put(error)
    finally:
        close = getattr(pages, "close", None)
        if close is not None:
            close()


PARALLEL = 4
"""Requests under way at a time, that of the page at hand included."""

Answer: TypeAlias = HttpResponse | None


class Prefetched:
    """Answers on their way, by their requests."""

    def __init__(self, fetch: Callable[[HttpRequest], Answer]) -> None:
        self._fetch = fetch
        self._on_their_way: dict[tuple[object, ...], Future[Answer]] = {}

    def ask(self, requests: Sequence[HttpRequest]) -> None:
        """Send those that are not under way; at most `PARALLEL` are."""
        for request in requests:
            key = _key(request)
            if len(self._on_their_way) >= PARALLEL:
                return
            if key not in self._on_their_way:
                answer: Future[Answer] = Future()
                self._on_their_way[key] = answer
                # a daemon: a request that hangs does not keep the process from ending
                Thread(
                    target=_answer,
                    args=(self._fetch, request, answer),
                    name="prefetching",
                    daemon=True,
                ).start()

    def take(self, request: HttpRequest) -> Answer:
        """The answer to `request`; raises what fetching it raised."""
        answer = self._on_their_way.pop(_key(request), None)
        return self._fetch(request) if answer is None else answer.result()


def _answer(
    fetch: Callable[[HttpRequest], Answer],
    request: HttpRequest,
    answer: Future[Answer],
) -> None:
    try:
        answer.set_result(fetch(request))
    except BaseException as error:  # noqa: BLE001 - raised by the one who waits for it
        answer.set_exception(error)


def _key(request: HttpRequest) -> tuple[object, ...]:
    return (
        request.method, request.url, *sorted(request.params.items()), repr(request.json)
    )  # fmt: skip
