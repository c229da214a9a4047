"""What the monitor remembers of each dataset, and whom it looks at this time.

Checks are driven by deadlines: a dataset that was well is left alone until it can be
late. So most ticks ask the warehouse nothing, and it stays asleep.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from lambdas.core.dataset import Dataset
from lambdas.core.freshness.attainment import AttainmentState

RIDES_BEFORE = timedelta(hours=1)
"""So long before its deadline a dataset is looked at with others."""
RESTS = timedelta(minutes=30)
"""So long after a look it is not: while something is late, others are asked about at
every check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """The monitor's own record of one dataset, after its last look at it.

    `promise` is a hash of what it was judged by. `newest_at` is the table's newest
    time by its clock, which is also what was evaluated. `first_load_over` stays true
    once rows were seen, or once the time for the first ones was over. `tally` is how
    late it has been. `at_risk`: it is on time, and has an incident all the same, which
    is looked after without its table. `ended_incident` is the newest that is over,
    since `ended_at`. `read_at` is when its table itself was read last. `resumed_at` is
    when it was first seen after a pause, until its first rows since then are due.
    `change_mark` is the table's, asked after all that `newest_at` is from; it rises
    with each change, and None is not known. `late_by` is the `freshness` in JSON by
    which it was late last, while its incident is open.
    """

    dataset: str
    checked_at: datetime
    promise: str
    state: str
    cause: str | None
    next_look_at: datetime | None
    newest_at: datetime | None
    newest_loaded_at: datetime | None
    row_count: int | None
    incident_id: str | None = None
    first_seen_at: datetime | None = None
    first_load_over: bool = True
    tally: AttainmentState | None = None
    is_promised: bool = True
    at_risk: bool = False
    ended_incident: str | None = None
    ended_at: datetime | None = None
    is_paused: bool = False
    resumed_at: datetime | None = None
    read_at: datetime | None = None
    change_mark: int | None = None
    late_by: str | None = None

    @property
    def seen_since(self) -> datetime:
        """When the monitor first saw the dataset, as far as it remembers."""
        return self.first_seen_at or self.checked_at


def promise_hash(dataset: Dataset) -> str:
    """Changes with the promise, and when it is paused: then old verdicts end."""
    text = dataset.freshness.model_dump_json() + (dataset.schedule.paused or "")
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def tolerance_of(dataset: Dataset) -> timedelta:
    """How much later its lateness may be told."""
    period = dataset.freshness.tolerance
    return timedelta() if period is None else period.duration


def is_due(
    watch: Watch | None,
    *,
    promise: str,
    now: datetime,
    has_undelivered: bool = False,
    tolerance: timedelta = timedelta(),
) -> bool:
    """Whether the dataset is to be looked at, though the warehouse be woken for it.

    Its deadline may pass by `tolerance`, in which another's may come. Whatever was not
    well is looked at every time, and so is what people were not yet
    told of: what they will be told should be true.
    """
    if watch is None or watch.promise != promise or has_undelivered:
        return True
    is_ill = watch.state != "pass" or watch.cause is not None or watch.incident_id
    if is_ill and not watch.at_risk:
        return True
    return watch.next_look_at is not None and watch.next_look_at + tolerance <= now


def rides_along(watch: Watch | None, *, now: datetime) -> bool:
    """Whether the dataset is looked at with others that are due: its own deadline comes
    soon. Then the next one lies further away, and wakes nobody a few minutes later.
    """
    if watch is None or watch.next_look_at is None:
        return False
    is_soon = watch.next_look_at <= now + RIDES_BEFORE
    return is_soon and watch.checked_at <= now - RESTS
