"""Answers asked for before it is their turn: pages that can be counted, side by side.

Where an answer tells how many pages there are, the requests of the next few are known.
Each is sent by a thread of its own, and its answer waits here. Whoever reads the pages
goes on one by one, decides each request as ever, and finds the answer under way: a
guess that was wrong costs a request, and never a row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Thread
from typing import TypeAlias

from lambdas.core.ports import HttpRequest, HttpResponse

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
        """The answer to `request`, asked for now if it was not before. Raises what the
        fetching raised.
        """
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
