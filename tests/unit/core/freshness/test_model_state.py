"""A model is as new as its oldest input, and late with it or by its own promise."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from lambdas.core.dataset import Catalogue, Freshness, Period, SqlModel
from lambdas.core.freshness.model_state import InputState, model_state
from tests.datasets import a_dataset
from tests.watched import NOW

HOURS_2 = NOW - timedelta(hours=2)
HOURS_9 = NOW - timedelta(hours=9)


Named = tuple[str, InputState]


def of(name: str, state: str = "pass", newest_at: datetime | None = HOURS_2) -> Named:
    return name, InputState(state=state, newest_at=newest_at)


def state_of(*inputs: Named, error_after: int | None = None) -> tuple[str, object]:
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
    found = model_state(catalogue, models["top"], dict(inputs), NOW)
    return found.state, found.newest_at


CATS, DOGS = of("cats"), of("dogs", newest_at=HOURS_9)


@pytest.mark.parametrize(
    ("inputs", "error_after", "expected"),
    [
        ((CATS, DOGS), None, ("pass", HOURS_9)),
        ((CATS, DOGS), 10, ("pass", HOURS_9)),
        ((CATS, DOGS), 8, ("error", HOURS_9)),
        ((CATS,), None, ("unknown", None)),
        ((of("cats", "warn"), DOGS), None, ("warn", HOURS_9)),
        ((CATS, of("dogs", "error")), None, ("error", HOURS_2)),
        ((CATS, of("dogs", newest_at=None)), 8, ("unknown", None)),
        ((CATS, DOGS, of("birds", "error")), None, ("pass", HOURS_9)),
    ],
)
def test_a_model_is_as_its_inputs_are(
    inputs: tuple[Named, ...], error_after: int | None, expected: tuple[str, object]
) -> None:
    assert state_of(*inputs, error_after=error_after) == expected
