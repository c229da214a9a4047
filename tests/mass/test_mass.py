from __future__ import annotations

import logging

import pytest

from tests.mass.__main__ import as_markdown, broken
from tests.mass.outage import live


@pytest.mark.parametrize(
    ("datasets", "late"),
    [(300, 90), pytest.param(10_000, 3_000, marks=pytest.mark.long)],
)
def test_a_mass_outage_pages_at_once_and_loses_nothing(
    datasets: int, late: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, logger="catflap")
    figures = live(datasets=datasets, late=late)
    assert broken(figures, late=late) == []
    assert figures.refused > late / 5
    told = as_markdown(figures, datasets=datasets, late=late)
    assert f"{late - 1:,} incidents are open" in told
