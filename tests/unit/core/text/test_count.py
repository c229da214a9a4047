"""A number and what it counts."""

from __future__ import annotations

import pytest

from lambdas.core.text.count import counted


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [
        (0, "row", "0 rows"),
        (1, "row", "1 row"),
        (1_234_567, "row", "1,234,567 rows"),
        (1, "try", "1 try"),
        (3, "try", "3 tries"),
        (2, "day", "2 days"),
        (1.5, "day", "1.5 days"),
    ],
)
def test_one_is_one_and_more_are_more(number: float, noun: str, said: str) -> None:
    assert counted(number, noun) == said
