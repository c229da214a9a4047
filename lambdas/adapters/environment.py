"""The process around a function: its environment, its clock.

The only module that reads `os.environ`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeVar

from lambdas.core.settings import FunctionSettings

Settings = TypeVar("Settings", bound=FunctionSettings)


def settings(kind: type[Settings]) -> Settings:
    """The function's settings; BadInput names each variable that is missing."""
    return kind.from_environment(os.environ)


def variables() -> Mapping[str, str]:
    """All variables, for what a person's shell hands to the command line."""
    return os.environ


class SystemClock:
    """The wall clock."""

    def now(self) -> datetime:
        """The current time in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()
