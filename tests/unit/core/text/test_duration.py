from __future__ import annotations

import pytest

from lambdas.core.text.duration import lasting


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (12.34, "12.3 s"),
        (-20, "20 s"),
        (60, "1 min"),
        (90, "1 min 30 s"),
        (3 * 3_600 + 600, "3 h 10 min"),
        (86_400 + 60, "1 day 1 min"),
        (2 * 86_400 + 3 * 3_600 + 60, "2 days 3 h"),
    ],
)
def test_a_span_is_told_by_its_two_greatest_units(seconds: float, said: str) -> None:
    assert lasting(seconds) == said
