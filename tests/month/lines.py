"""A channel of the month: when it took what, and when it takes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from lambdas.core.errors import ChannelDown
from lambdas.core.incidents.channels import CHANNELS
from lambdas.core.incidents.groups import NoticeBatch
from lambdas.core.incidents.incident import Recipient
from lambdas.core.incidents.notice import Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A notice that the channel took."""

    at: datetime
    notice: Notice


_BEFORE = datetime.min.replace(tzinfo=UTC)


@dataclass
class Line:
    """Takes what it is given, but not while it is down."""

    name: str
    now: datetime = _BEFORE
    down: tuple[datetime, datetime] | None = None
    taken: list[Taken] = field(default_factory=list)
    batches: int = 0

    def __post_init__(self) -> None:
        self.audiences: frozenset[Recipient] = CHANNELS[self.name].audiences

    def deliver(self, batch: NoticeBatch) -> None:
        if self.down is not None and self.down[0] <= self.now < self.down[1]:
            raise ChannelDown("503")
        self.batches += 1
        self.taken += [Taken(at=self.now, notice=one) for one in batch.notices]
