"""A model is as new as its oldest input, and late with it or by its own promise."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lambdas.core.dataset import Catalogue, Freshness, Period, SqlModel
from lambdas.core.freshness.model_state import model_state
from lambdas.core.freshness.watch import Watch
from tests.datasets import a_dataset
from tests.watched import NOW

HOURS_2 = NOW - timedelta(hours=2)
HOURS_9 = NOW - timedelta(hours=9)


def a_watch(name: str, state: str = "pass", newest_at: object = HOURS_2) -> Watch:
    return Watch(
        dataset=name,
        checked_at=NOW,
        promise="",
        state=state,
        cause=None,
        next_look_at=None,
        newest_at=newest_at,  # type: ignore[arg-type]  # a time, or none
        newest_loaded_at=None,
        row_count=1,
    )


def state_of(*watches: Watch, error_after: int | None = None) -> tuple[str, object]:
    promise = Freshness()
    if error_after is not None:
        promise = Freshness(error_after=Period(count=error_after, period="hour"))
    models = {
        "mid": SqlModel(name="mid", sql="select 1 from {{ ref('cats') }}"),
        "top": SqlModel(
            name="top",
            sql="select 1 from {{ ref('mid') }} join {{ ref('dogs') }}",
            freshness=promise,
        ),
    }
    datasets = {name: a_dataset(name=name) for name in ("cats", "dogs", "birds")}
    catalogue = Catalogue(datasets=datasets, models=models)
    known = {watch.dataset: watch for watch in watches}
    found = model_state(catalogue, models["top"], known, NOW)
    return found.state, found.newest_at


CATS, DOGS = a_watch("cats"), a_watch("dogs", newest_at=HOURS_9)


@pytest.mark.parametrize(
    ("watches", "error_after", "expected"),
    [
        ((CATS, DOGS), None, ("pass", HOURS_9)),
        ((CATS, DOGS), 10, ("pass", HOURS_9)),
        ((CATS, DOGS), 8, ("error", HOURS_9)),
        ((CATS,), None, ("unknown", None)),
        ((a_watch("cats", "warn"), DOGS), None, ("warn", HOURS_9)),
        ((CATS, a_watch("dogs", "error")), None, ("error", HOURS_2)),
        ((CATS, a_watch("dogs", newest_at=None)), 8, ("unknown", None)),
        ((CATS, DOGS, a_watch("birds", "error")), None, ("pass", HOURS_9)),
    ],
)
def test_a_model_is_as_its_inputs_are(
    watches: tuple[Watch, ...], error_after: int | None, expected: tuple[str, object]
) -> None:
    assert state_of(*watches, error_after=error_after) == expected
