"""What is usual of a weekday, where mean and deviation are blind."""

from __future__ import annotations

import pytest

from lambdas.core.quality.band import usual_band

ABOUT_900 = [880.0, 910, 905, 890, 915, 900, 895, 920]


@pytest.mark.parametrize(
    ("before", "today", "is_usual"),
    [
        (ABOUT_900, 0, False),
        ([*ABOUT_900[:7], 0], 0, False),
        ([*ABOUT_900[:7], 0], 450, False),
        ([1_000] * 8, 1_001, True),
        ([900 * 1.03**week for week in range(8)], 900 * 1.03**8, True),
        ([0, 1, 3, 2, 0, 1, 3, 2], 4, True),
        ([*ABOUT_900[:6], 0, 0], 0, False),
    ],
)
def test_an_outage_is_seen_and_a_quiet_row_more_is_not(
    before: list[float], today: float, *, is_usual: bool
) -> None:
    band = usual_band(before)

    assert not band.is_learning
    assert (band.least <= today <= band.most) is is_usual


def test_there_is_no_verdict_before_four_values() -> None:
    assert usual_band([1, 2, 3]).is_learning
    assert not usual_band([1, 2, 3, 4]).is_learning
