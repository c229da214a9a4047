"""Work counted rather than timed: calls, and what those read that read a whole text."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

_READ_ALL = frozenset({
    "count", "find", "index", "replace", "translate", "split", "splitlines", "join",
    "decode", "encode", "strip", "remove", "insert", "__contains__",
})  # fmt: skip


def work_of(act: Callable[[], object]) -> int:
    """Calls of functions, and the lengths of texts and lists that methods of theirs
    read whole: a loop that reads all once for each part counts as the square it is.
    """
    total = 0

    def see(_frame: FrameType, event: str, called: object) -> None:
        nonlocal total
        if event == "call":
            total += 1
        elif event == "c_call":
            total += 1
            owner = getattr(called, "__self__", None)
            if (
                isinstance(owner, bytes | str | list)
                and getattr(called, "__name__", "") in _READ_ALL
            ):
                total += len(owner)

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        act()
    finally:
        sys.setprofile(before)
    return total
