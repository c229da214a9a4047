"""A pull's end, for work as for waits.

Every wait and request knows the deadline. What is left is work: a generator that goes
in circles, an answer that takes long to read. An alarm ends it, so that the run fails
in good order and says why, before the function is killed.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType

from lambdas.core.errors import RunErrorKind, Transient
from lambdas.core.ports import Clock
from lambdas.core.pull.ports import Page, PageSource
from lambdas.core.pull.run import CursorPosition

AGAIN_S = 0.5
LONGEST_S = 86_400.0
"""An alarm further away is none: a person ends a command."""


class UntilDeadline:
    """A source whose pages, and what is done with them, end at a moment of
    `clock.monotonic()` (a PageSource).
    """

    def __init__(self, source: PageSource, *, clock: Clock, deadline_s: float) -> None:
        self.source = source
        self._clock = clock
        self._deadline_s = deadline_s

    def pages(self) -> Iterator[Page]:
        """The pages, in order. Raises Transient(kind=timeout), here or in whoever
        works on a page, once the time is over; and what the source raises.
        """
        with alarm_after(self._deadline_s - self._clock.monotonic()):
            yield from self.source.pages()

    @property
    def requests(self) -> int:
        """HTTP requests answered or refused so far, retries included."""
        return self.source.requests

    @property
    def retries(self) -> int:
        """How many of those were second or later tries."""
        return self.source.retries

    @property
    def reached(self) -> CursorPosition | None:
        """Where the cursor stands, if the source keeps it itself."""
        return self.source.reached


@contextmanager
def alarm_after(seconds: float) -> Iterator[None]:
    """Raise Transient within, after so many seconds of real time. Only the main thread
    hears an alarm; a function's handler runs there.
    """
    if seconds > LONGEST_S or current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, _raise)
    # again and again: a person's code may catch whatever is raised in it
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _raise(_number: int, _frame: FrameType | None) -> None:
    raise Transient(
        "the time given to this pull is over, and its pages are still being read; "
        "ask for smaller pages, or for less",
        kind=RunErrorKind.TIMEOUT,
    )
