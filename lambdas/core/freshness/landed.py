"""How new a table is, told from what landed and what its pipe reports: nobody wakes a
warehouse for it.

It is enough to say "on time", and never to say "late". It tells only where the cursor
is what the promise is about, where the newest run landed all that it pulled as one
file and its cursor moved, and where the pipe runs, has nothing pending and took that
file last. A second witness has to agree: the table has changed since it was looked at
last. Once in `READ_EVERY` the table itself is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lambdas.core.dataset import Dataset
from lambdas.core.diagnosis.signals import Table
from lambdas.core.freshness.probe import event_time, instant
from lambdas.core.freshness.watch import Watch, promise_hash
from lambdas.core.landing.names import file_name
from lambdas.core.loading.status import PipeNow
from lambdas.core.pull.run import Run, RunStatus

READ_EVERY = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed:
    """A table that was not read, and its mark, which was asked last."""

    table: Table
    change_mark: int | None


def is_about_cursor(dataset: Dataset) -> bool:
    """Whether the cursor is what the promise is about."""
    event = event_time(dataset)
    is_declared = dataset.freshness.loaded_at_field is not None
    return event is not None and event.is_cursor and is_declared


def may_tell(dataset: Dataset, watch: Watch | None, *, now: datetime) -> bool:
    """Whether it may be told so of a dataset: one that was well when its table was read
    last, not long ago, and whose promise is the same.
    """
    if watch is None or watch.read_at is None or watch.promise != promise_hash(dataset):
        return False
    is_well = watch.state == "pass" and watch.cause is None and not watch.incident_id
    return (
        is_well
        and is_about_cursor(dataset)
        and watch.first_load_over
        and now - watch.read_at < READ_EVERY
    )


def table_of(
    dataset: Dataset,
    watch: Watch,
    runs: Sequence[Run],
    pipe: PipeNow,
    *,
    now: datetime,
) -> Table | None:
    """What the table holds at least, by its newest runs, the newest first; None: it
    cannot be told.
    """
    event = event_time(dataset)
    newest = next((run for run in runs if run.newest_key is not None), None)
    if event is None or newest is None or newest.status is not RunStatus.LANDED:
        return None
    # Of several files one may be refused, and the cursor may be of that one.
    is_one_file = newest.objects == 1 and newest.cursor_after != newest.cursor_before
    is_idle = pipe.is_running and not pipe.pending
    is_taken = pipe.last_ingested == file_name(newest.newest_key or "")
    if newest.quarantined or not (is_one_file and is_idle and is_taken):
        return None
    at = instant(newest.cursor_after, event.order)
    if at is None or at > now:
        return None
    loaded_at = [watch.newest_loaded_at]
    if watch.newest_at is None or at > watch.newest_at:
        # Of a load that was seen before, the pipe's time is a little later than the
        # rows' own: it would look like another load.
        loaded_at.append(pipe.last_ingested_at)
    return Table(
        read="ok",
        newest_event_at=at,
        newest_loaded_at=max(filter(None, loaded_at), default=None),
        row_count=watch.row_count or 0,
    )


def is_confirmed(watch: Watch, table: Table, mark: int | None) -> bool:
    """Whether the table has changed since the last look, where it is said to hold what
    is newer than what was seen then.

    Only a mark that rose says so: one that fell is of a table made anew. What else
    changed the table raises it, too, so that it confirms, and never tells by itself.
    """
    seen, told = watch.newest_at, table.newest_event_at
    if seen is not None and told is not None and told <= seen:
        return True
    before = watch.change_mark
    return before is not None and mark is not None and mark > before
