"""SQL read as text: an apostrophe in a comment begins no literal."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from local.snowflake.text import closing, with_clock

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
VALUE = f"'{NOW.isoformat()}'::TIMESTAMP_TZ"


@pytest.mark.parametrize(
    "before",
    ["", "-- a flight's crew\n", "/* it's\n*/ ", "'o''hare', ", '"o\'hare", '],
)
def test_the_clock_is_found_behind_comments_and_literals(before: str) -> None:
    text = f"{before}CURRENT_TIMESTAMP()"
    assert with_clock(text, NOW) == before + VALUE


@pytest.mark.parametrize(
    "within", ["'GETDATE()'", "-- GETDATE() isn't it\n", "/* GETDATE() */"]
)
def test_the_clock_in_a_comment_or_a_literal_is_left(within: str) -> None:
    assert with_clock(within, NOW) == within


def test_a_parenthesis_in_a_comment_closes_nothing() -> None:
    text = "(a -- it's :)\n, '(' /* ) */ - 1 / 2) b"
    assert text[: closing(text, 0) + 1] == text.removesuffix(" b")
