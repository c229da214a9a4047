"""What the bus is told of a dataset's columns.

`dataset.columns_observed` whenever the columns of a dataset that declares none are
others than before: whoever made something of them makes it anew.
`dataset.columns_changed` for each column that is new, missing or of another type. Both
at least once, with the same `id`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel, ConfigDict, ValidationError

from lambdas.core.columns.observed import ObservedType, mark_of
from lambdas.core.errors import BadInput
from lambdas.core.events import BusEvent, ColumnChangedEvent, ColumnsSeenEvent
from lambdas.core.pull.run import Manifest, Run

COLUMNS_OBSERVED = ColumnsSeenEvent.detail_type


def column_events(run: Run, manifest: Manifest) -> Iterator[BusEvent]:
    """The events of a run that has become visible."""
    of_run = f"{run.dataset}/{run.run_id}"
    started_at = run.started_at.isoformat()
    after = manifest.observed_after
    if after is not None and manifest.relation_changes:
        yield ColumnsSeenEvent(
            id=f"{of_run}/columns",
            dataset=run.dataset,
            run_id=run.run_id,
            columns=dict(after.columns),
            started_at=started_at,
        )
    for drift in manifest.drift:
        yield ColumnChangedEvent(
            id=f"{of_run}/{drift.change}/{mark_of(drift.column)}",
            dataset=run.dataset,
            run_id=run.run_id,
            change=drift.change,
            column=drift.column,
            expected=drift.expected,
            found=drift.found,
            started_at=started_at,
        )


class ColumnsObserved(BaseModel):
    """The detail of `dataset.columns_observed`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    dataset: str
    columns: dict[str, ObservedType]


def columns_observed_from(event: Mapping[str, object]) -> ColumnsObserved:
    """Read the event as the bus delivers it. Raises BadInput."""
    try:
        return ColumnsObserved.model_validate(event.get("detail"))
    except ValidationError as error:
        faults = ", ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            for fault in error.errors(include_input=False)
        )
        raise BadInput(f"not an event {COLUMNS_OBSERVED}: {faults}") from None
