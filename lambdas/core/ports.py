"""What the decisions need from outside, as Protocols named for what they give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The time, and a way to let it pass."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back: for measuring."""


class Secrets(Protocol):
    """Values that must not stand in YAML, code, templates, logs or state."""

    def value(self, reference: str) -> str:
        """What `secret:NAME#KEY` stands for; a text without that prefix is itself.

        Raises UpstreamError(kind=auth) naming the reference, never its value.
        """


class RateBudget(Protocol):
    """The requests that an API may be sent, for all who send them."""

    def wait(self, *, within_s: float) -> None:
        """Return when a request may be sent; OverBudget if none may within so long."""

    def hold_back(self, seconds: float) -> None:
        """The API has asked for silence: nobody sends before it is over."""


class Events(Protocol):
    """The bus of the environment."""

    def publish(self, detail_type: str, detail: Mapping[str, object]) -> None:
        """Send an event, at least once; `detail` holds an `id` to deduplicate on."""


class Warehouse(Protocol):
    """Snowflake, as far as statements go."""

    def query(
        self,
        statement: str,
        parameters: Sequence[object] = (),
        *,
        serves: Sequence[str] = (),
    ) -> list[tuple[object, ...]]:
        """Run one statement and fetch its rows; `serves` are the datasets that it is
        about, for who asks later what it cost.

        Raises WarehouseUnreachable, ObjectMissing, AccessRefused or WarehouseError.
        """
