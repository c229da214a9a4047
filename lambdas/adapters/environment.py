"""The process around a function: its environment, its catalogue, its clock.

The only module that reads `os.environ`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TypeVar

from lambdas.adapters.catalogue import PublishedCatalogue
from lambdas.adapters.clients import client
from lambdas.core.dataset import Catalogue
from lambdas.core.settings import CatalogueSettings, FunctionSettings

Settings = TypeVar("Settings", bound=FunctionSettings)


def settings(kind: type[Settings]) -> Settings:
    """The function's settings; BadInput names each variable that is missing."""
    return kind.from_environment(os.environ)


def variables() -> Mapping[str, str]:
    """All variables, for what a person's shell hands to the command line."""
    return os.environ


@cache
def published() -> PublishedCatalogue:
    """Where the datasets stand; what was read of them lives with the process."""
    known = settings(CatalogueSettings)
    return PublishedCatalogue(
        s3=client("s3"), bucket=known.landing_bucket, key=known.catalogue_key
    )


def catalogue() -> Catalogue:
    """The datasets as the newest deploy has them; asked for once an invocation, so
    that all of it is of one version. Raises LandingError.
    """
    return published().read()


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
