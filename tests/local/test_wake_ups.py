"""Three days of a hundred hourly datasets: how often the warehouse wakes."""

from __future__ import annotations

import pytest

from local.scenarios.wake_ups import measure

pytestmark = pytest.mark.long


def test_a_hundred_hourly_datasets_wake_the_warehouse_as_often_as_estimated() -> None:
    found = measure(datasets=100, days=3)
    assert found.told == 0
    assert found.view <= 30
    assert found.view == pytest.approx(found.estimated, rel=0.1)
    assert found.statements == pytest.approx(found.statements_estimated, rel=0.1)
    # a minute each, and what a statement takes
    assert found.credits * 60 == pytest.approx(found.view * found.days, rel=0.2)
