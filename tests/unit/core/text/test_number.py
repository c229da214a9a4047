"""Numbers in texts that anybody may have written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.text.number import whole_number


@given(st.integers(-(10**100) + 1, 10**100 - 1))
def test_a_whole_number_is_read(number: int) -> None:
    assert whole_number(str(number)) == number


@pytest.mark.parametrize(
    "text", ["", "-", "--5", "+5", " 5", "5 ", "5.0", "1e3", "²", "٣", "9" * 101, "1_0"]
)
def test_all_else_is_none(text: str) -> None:
    assert whole_number(text) is None
