"""What holds for every test of a check."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest


@pytest.fixture(autouse=True)
def faults(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    """What was logged as an error, once. A check goes on whatever fails in it: a test
    that means a fault asks for it, and in every other there is none.
    """

    def told() -> list[str]:
        logged = caplog.get_records("call")
        found = [one.getMessage() for one in logged if one.levelno >= logging.ERROR]
        caplog.clear()
        return found

    yield told
    assert told() == []
