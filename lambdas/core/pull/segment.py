"""A pull that is too long for one run is landed in segments, one run each.

Where a segment ends, the next one begins: at the paginator's position if it has one,
else at the cursor if the rows come in its order, else it cannot end there. With a
position the cursor stays until the last segment has landed, because a later page may
hold rows below what was reached; so the window, and with it the meaning of the
position, is the same for all segments.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from lambdas.core.dataset import Api, Dataset
from lambdas.core.errors import BadInput, RunErrorKind, Terminal
from lambdas.core.pull.run import CursorPosition, Resume
from lambdas.core.text.count import counted

MAX_HOPS = 200
"""Continuations that follow from one tick: more than a day of runs of 11 minutes. The
next tick goes on where they ended, so that a pull without end is seen to be one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """When a segment has to end, looked at after each page. None means: no bound.

    `deadline_s` is a moment of `clock.monotonic()`, `size` compressed bytes.
    """

    deadline_s: float | None = None
    rows: int | None = None
    size: int | None = None

    def is_spent(self, *, now_s: float, rows: int, size: int) -> bool:
        """Whether what was read so far is enough for one run."""
        return (
            (self.deadline_s is not None and now_s >= self.deadline_s)
            or (self.rows is not None and rows >= self.rows)
            or (self.size is not None and size >= self.size)
        )


UNBOUNDED = Budget()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Where a segment ended: a position as JSON, or None where the cursor tells."""

    position: str | None


def shape_of(dataset: Dataset) -> str:
    """A hash of all that gives a position its meaning: what is asked, and of whom."""
    endpoint, client = dataset.source.endpoint, dataset.source.client
    asked = endpoint.model_dump_json(by_alias=True) if endpoint is not None else ""
    whom = client.base_url if isinstance(client, Api) else str(client)
    paged = client.paginator.model_dump_json() if isinstance(client, Api) else ""
    texts = [asked, str(whom), paged]
    if dataset.source.parent is not None:
        texts.append(dataset.source.parent.model_dump_json())
    text = "\n".join(texts)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def goes_on(dataset: Dataset, resume: Resume | None) -> bool:
    """Whether a pull that is half-way can go on: its position is the endpoint's."""
    return resume is not None and (
        resume.position is None or resume.shape == shape_of(dataset)
    )


def resumable(dataset: Dataset, resume: Resume | None) -> Resume | None:
    """Where the dataset's pull goes on; None if it begins anew.

    If the endpoint was changed meanwhile, the position means nothing any more. To begin
    anew lands the segments' rows again, which is fine where rows are merged or
    replaced. Raises BadInput where they are appended.
    """
    if resume is None or goes_on(dataset, resume):
        return resume
    if begins_anew_at(dataset, resume, CursorPosition()) is not None:
        return None
    raise BadInput(
        f"{dataset.name}: a long pull is not finished "
        f"({counted(resume.segments, 'segment')} landed) and its endpoint has changed "
        "since; starting over would append its rows twice. Change the endpoint back "
        "until the pull has ended, or set "
        "`write_disposition: merge`"
    )


def begins_anew_at(
    dataset: Dataset, resume: Resume, cursor: CursorPosition
) -> CursorPosition | None:
    """From where a pull whose position is of no use can begin anew without doubling a
    row: from the cursor where rows are merged or replaced, from what was reached where
    they come in the cursor's order, from nowhere (None) otherwise.
    """
    if dataset.write_disposition != "append":
        return cursor
    incremental = dataset.source.cursor
    if (
        incremental is not None
        and incremental.row_order == "asc"
        and incremental.range_start == "closed"
        and resume.shape == shape_of(dataset)
    ):
        return resume.reached
    return None


def may_be_stale(dataset: Dataset, error: Terminal) -> bool:
    """Whether an answer to a stored position may mean that it has expired. A place
    among a parent's rows does not, and its source looks after the page itself.
    """
    return dataset.source.parent is None and has_expired(error)


def has_expired(error: Terminal) -> bool:
    """Whether an answer may say that a page is not to be had any more."""
    return error.kind in {RunErrorKind.HTTP, RunErrorKind.RESPONSE}
