"""What a run asks for, and what the state says after it: decisions, no effects."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta

import msgspec
from pydantic import JsonValue

from lambdas.core.cursor.order import CursorValue
from lambdas.core.dataset import Dataset
from lambdas.core.errors import BadInput, RunErrorKind, Terminal
from lambdas.core.paging.position import bare
from lambdas.core.pull.cursor import EveryRow, NewRows
from lambdas.core.pull.run import CursorPosition, DatasetState, Resume, Run
from lambdas.core.pull.segment import Cut, resumable, shape_of
from lambdas.core.pull.window import Window, plan_window
from lambdas.core.text.count import counted

SKEW = timedelta(minutes=5)
"""How far the clocks of sources are ahead of ours without being wrong."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run asks for from a `position` of the cursor on, and how it tells new
    rows. `now` is when it was asked for, whatever its run id says; `is_live` unless it
    pulls a past window; `resumed` is the long pull that it goes on with.
    """

    window: Window
    position: CursorPosition
    rows: NewRows | EveryRow
    now: datetime
    is_live: bool = True
    resumed: Resume | None = None
    bounds: tuple[CursorValue, CursorValue] | None = None
    """Of a backfill's slice."""


def plan_of(
    dataset: Dataset,
    before: DatasetState,
    *,
    start: CursorValue | None,
    end: CursorValue | None,
    now: datetime,
) -> Plan:
    """What a pull asks for: a past window with `start`, else from the cursor on, or on
    with a pull that is half-way. Raises BadInput if that cannot be.
    """
    if before.lane is not None and start is not None and end is not None:
        resume = resumable(dataset, before.resume)
        return in_lane(dataset, before.cursor, (start, end), resume, now=now)
    if start is not None:
        return planned(dataset, CursorPosition(), start=start, end=end, now=now)
    if before.resume is not None and end is not None:
        raise BadInput(
            f"{dataset.name}: a long pull is not finished "
            f"({counted(before.resume.segments, 'segment')} landed); let it end before "
            "a pull with its own end"
        )
    resume = resumable(dataset, before.resume)
    plan = planned(dataset, before.cursor, end=end, resume=resume, now=now)
    return dataclasses.replace(plan, resumed=resume)


def planned(
    dataset: Dataset,
    position: CursorPosition,
    *,
    start: CursorValue | None = None,
    end: CursorValue | None = None,
    resume: Resume | None = None,
    now: datetime,
) -> Plan:
    """What is asked for from `position` on; with `resume`, from its page on, and with
    what was reached. Raises BadInput for bounds without a cursor.
    """
    page, reached = None, None
    if resume is not None and resume.position is not None:
        page, reached = msgspec.json.decode(resume.position), resume.reached
    incremental = dataset.source.cursor
    if incremental is None:
        if start is not None or end is not None:
            raise BadInput(
                f"{dataset.name} has no incremental in its source, so it has no "
                "window to pull; it is always pulled whole"
            )
        reached = reached or position
        return Plan(
            window=Window(position=page, since=position, reached=reached),
            position=position,
            rows=EveryRow(position=reached),
            now=now,
        )
    window = plan_window(incremental, position, start=start, end=end)
    window = dataclasses.replace(window, position=page)
    rows = NewRows(
        dataset=dataset,
        position=position,
        window=window,
        reached=reached,
        # A later segment does not ask again for what came behind its page.
        limit=(now if reached is None or resume is None else resume.started_at) + SKEW
        if start is None
        else None,
    )
    is_live = start is None
    return Plan(window=window, position=position, rows=rows, is_live=is_live, now=now)


def in_lane(
    dataset: Dataset,
    position: CursorPosition,
    bounds: tuple[CursorValue, CursorValue],
    resume: Resume | None,
    *,
    now: datetime,
) -> Plan:
    """What a slice asks for: its window, or what is left of it from `position` on. The
    lane's own cursor moves as a dataset's does.
    """
    first, end = bounds
    start = first if position.value is None else position.value
    plan = planned(dataset, position, start=start, end=end, resume=resume, now=now)
    return dataclasses.replace(plan, is_live=True, resumed=resume, bounds=bounds)


def planned_anew(dataset: Dataset, plan: Plan, position: CursorPosition) -> Plan:
    """What a pull asks for from `position` on, as if it had not begun before."""
    if plan.bounds is not None:
        return in_lane(dataset, position, plan.bounds, None, now=plan.now)
    return planned(dataset, position, now=plan.now)


def must_have_rows(
    dataset: Dataset, before: DatasetState, plan: Plan, run: Run
) -> None:
    """Raise Terminal if a whole pull of 0 rows would replace one of many: an API that
    fails quietly looks the same as one that has nothing.
    """
    is_whole = dataset.write_disposition == "replace" and plan.resumed is None
    has_had_rows = bool(before.observed.columns)
    if is_whole and has_had_rows and not run.rows and not dataset.allow_empty:
        raise Terminal(
            "the pull found 0 rows, and `write_disposition: replace` would show an "
            "empty table instead of the rows that are there; if the source may be "
            "empty, set `allow_empty: true`",
            kind=RunErrorKind.RESPONSE,
        )


def must_move(plan: Plan, cut: Cut | None) -> None:
    """Raise Terminal if a segment ends where it began: its pages go in circles."""
    if plan.resumed is None or cut is None or cut.position is None:
        return
    ended, began = cut.position, plan.resumed.position
    if began is not None and _place(ended) == _place(began):
        raise Terminal(
            "the pages go in circles: a segment of a long pull ended at the position "
            "where it began; the API does not know the parameter that the paginator "
            "sends, or repeats its link",
            kind=RunErrorKind.RESPONSE,
        )


def _place(position: str) -> JsonValue:
    return bare(msgspec.json.decode(position))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StateAfter:
    """What the state says after a run."""

    cursor: CursorPosition
    resume: Resume | None
    answered_until: datetime | None

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        before: DatasetState,
        run: Run,
        cut: Cut | None,
        plan: Plan,
    ) -> StateAfter:
        """A past window changes nothing; a segment that ended at a position moves the
        cursor only in what is still to come; a pull answers ticks once it has ended.
        """
        resumed = plan.resumed
        if not plan.is_live:
            return cls(
                cursor=before.cursor,
                resume=before.resume,
                answered_until=before.last_success_started_at,
            )
        begun_at = resumed.started_at if resumed else plan.now
        if cut is None:
            cursor = plan.rows.position
            if plan.bounds is not None:
                # Nobody goes on from here: the rows at the edge need not be known.
                cursor = CursorPosition(value=cursor.value)
            return cls(cursor=cursor, resume=None, answered_until=begun_at)
        stays = cut.position is not None
        resume = Resume(
            position=cut.position,
            reached=plan.rows.position if stays else CursorPosition(),
            pull_id=resumed.pull_id if resumed else run.run_id,
            started_at=begun_at,
            segments=resumed.segments + 1 if resumed else 1,
            shape=shape_of(dataset),
        )
        return cls(
            cursor=plan.position if stays else plan.rows.cut_position,
            resume=resume,
            answered_until=before.last_success_started_at,
        )
