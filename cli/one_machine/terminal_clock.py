"""The wall clock of a person who watches a pull."""

from __future__ import annotations

import sys

from lambdas.adapters.environment import SystemClock
from lambdas.core.text.duration import lasting

NOTICED_S = 2.0
"""A shorter wait needs no explanation."""


class TerminalClock(SystemClock):
    """Says on a terminal what it waits for: silence looks like a broken command."""

    def sleep(self, seconds: float) -> None:
        """Wait for the API, or for its budget."""
        if seconds >= NOTICED_S and sys.stderr.isatty():
            print(
                f"waiting {lasting(round(seconds))} before the API is asked again",
                file=sys.stderr,
            )
        super().sleep(seconds)
