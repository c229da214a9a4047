"""The process around a function: its environment, its catalogue, its clock.

The only module that reads `os.environ`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TypeVar

from lambdas.core.dataset import Catalogue, catalogue_from_json
from lambdas.core.errors import BadInput
from lambdas.core.settings import FunctionSettings

Settings = TypeVar("Settings", bound=FunctionSettings)


def settings(kind: type[Settings]) -> Settings:
    """The function's settings; BadInput names each variable that is missing."""
    return kind.from_environment(os.environ)


def variables() -> Mapping[str, str]:
    """All variables, for what a person's shell hands to the command line."""
    return os.environ


@cache
def catalogue() -> Catalogue:
    """The datasets this function was deployed with.

    `catalogue.json` stands beside the `lambdas` package in the bundle;
    `CATFLAP_CATALOGUE` names another file. Raises BadInput if it is not there.
    """
    beside = Path(__file__).resolve().parents[2] / "catalogue.json"
    path = Path(os.environ.get("CATFLAP_CATALOGUE", beside))
    try:
        return catalogue_from_json(path.read_bytes())
    except FileNotFoundError:
        raise BadInput(
            f"no catalogue at {path.name}: the bundle must carry one beside `lambdas/`"
        ) from None


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
