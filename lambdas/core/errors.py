"""Every error catflap raises on purpose.

::

    CatflapError                 says what was expected, what came, what to do
    ├── BadInput                 YAML, arguments or a file that a person wrote
    ├── UpstreamError            the API; `kind` is the run's error kind
    │   ├── Transient            worth another try within this run
    │   │   └── OverBudget       our own rate_limit leaves no request
    │   └── Terminal             trying again now changes nothing
    ├── LandingError             the landing zone refused, or an upload is gone
    │   ├── UploadGone           a recorded upload no longer exists
    │   ├── RunBroken            no further try completes a recorded run
    │   └── SweepIncomplete      recorded runs are left that could not be completed
    ├── StateConflict            somebody else moved the state first (fencing)
    ├── WarehouseError           Snowflake
    │   ├── WarehouseUnreachable could not look: never the same as "late"
    │   │   └── StatementCancelled  one statement took too long, or was aborted
    │   ├── ObjectMissing        the table, view or pipe is not there
    │   ├── AccessRefused        it may be there, but this role may not see it
    │   └── OutOfTime            part of the work is done; the next try goes on
    └── DeliveryError            a notice could not be delivered
        ├── PartlyDelivered      others of its batch were
        └── ChannelDown          nor can any other by that channel, for now

Nobody decides by the text of a message, and no message holds a secret.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class RunErrorKind(StrEnum):
    """Why a run failed, in the words of a run record and of the diagnosis."""

    AUTH = "auth"
    THROTTLED = "throttled"
    TIMEOUT = "timeout"
    HTTP = "http"
    SCHEMA = "schema"
    RESPONSE = "response"
    INTERNAL = "internal"


MAX_TEXT = 2_000
"""Characters of what is told of an API: it stands in an item of DynamoDB, in an event
and in Slack."""

CUT = "…"
"""What a text that was cut ends with, wherever it is cut: so a secret is found of which
only the beginning is left."""


def printable(text: str) -> str:
    """`text` on one printable line of at most `MAX_TEXT` characters."""
    if len(text) > MAX_TEXT:
        text = text[: MAX_TEXT - 1] + CUT
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else "�" for one in " ".join(text.split()))


class CatflapError(Exception):
    """The root of the tree. `str()` of it is a sentence for a person."""


class BadInput(CatflapError):
    """What a person wrote is not valid."""


class UpstreamError(CatflapError):
    """The API did not give what was asked for.

    `kind` goes into the run record. `retry_after_s` is what the API itself asked
    for, in seconds, if it did.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: RunErrorKind,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(printable(message))
        self.kind = kind
        self.retry_after_s = retry_after_s


class Transient(UpstreamError):
    """Another try within this run may succeed."""


class OverBudget(Transient):
    """Our own rate_limit leaves no request in time; the API was not asked."""


class Terminal(UpstreamError):
    """Another try within this run cannot succeed."""


class LandingError(CatflapError):
    """The landing zone refused an object."""


class UploadGone(LandingError):
    """A recorded upload exists neither as an upload nor as an object."""


class RunBroken(LandingError):
    """A recorded run that no further try completes: a person has to decide."""


class SweepIncomplete(LandingError):
    """Recorded runs that a sweep could not complete; all others are."""

    def __init__(self, message: str, *, stuck: Sequence[StuckRun]) -> None:
        super().__init__(message)
        self.stuck = tuple(stuck)


class StateConflict(CatflapError):
    """A conditional write of the state was refused: somebody else was first."""


class WarehouseError(CatflapError):
    """Snowflake refused a statement."""


class WarehouseUnreachable(WarehouseError):
    """No answer from Snowflake: nothing is known about what was asked."""


class StatementCancelled(WarehouseUnreachable):
    """Snowflake aborted a statement, or its time was over; others may be answered."""


class ObjectMissing(WarehouseError):
    """A table, view, stage or pipe does not exist."""


class AccessRefused(WarehouseError):
    """The role may not read or see the object."""


class OutOfTime(WarehouseError):
    """The function's time did not suffice; the next invocation goes on from here."""


class DeliveryError(CatflapError):
    """A channel did not accept a notice."""


class PartlyDelivered(DeliveryError):
    """A channel took some notices of a batch, and not those whose ids are `left`."""

    def __init__(self, message: str, *, left: Collection[str]) -> None:
        super().__init__(message)
        self.left = left


class ChannelDown(DeliveryError):
    """The channel takes nothing for now: trying the next notice is no use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckRun:
    """A recorded run that could not be completed. `is_broken`: nor will it ever be."""

    dataset: str
    run_id: str
    is_broken: bool
    problem: str
    started_at: datetime | None = None
    """Its true start, where its id does not tell it: a slice's run."""

    @property
    def name(self) -> str:
        """What tells it from every other."""
        return f"run {self.run_id} of {self.dataset}"

    @property
    def sentence(self) -> str:
        """What is the matter with it, by name."""
        return f"{self.name} cannot be completed: {self.problem}"
