"""A bound on the command line becomes a value as the dataset's cursor has it."""

from __future__ import annotations

import pytest

from lambdas.core.cursor.bound import cursor_bound
from lambdas.core.dataset import Incremental
from lambdas.core.errors import BadInput


def a_cursor(initial: object, zone: str | None = None) -> Incremental:
    return Incremental.model_validate(
        {"cursor_path": "at", "initial_value": initial, "timezone": zone}
    )


@pytest.mark.parametrize(
    ("initial", "zone", "text", "value"),
    [
        ("2013-01-01T00:00:00Z", None, "2013-01-02T00:00:00Z", "2013-01-02T00:00:00Z"),
        ("2013-01-01T00:00:00Z", None, "2013-01-02", "2013-01-02T00:00:00Z"),
        ("2013-01-01T00:00:00", "UTC", "2013-01-02", "2013-01-02T00:00:00"),
        ("2013-01-01", None, "2013-01-02T05:00:00Z", "2013-01-02"),
        ("2013-01-01", None, "2013-01-02", "2013-01-02"),
        (3, None, "42", 42),
        (3, None, "-1", -1),
        (3.5, None, "4.25", 4.25),
        (None, None, "42", 42),
        (None, None, "2013-01-02T00:00:00Z", "2013-01-02T00:00:00Z"),
        ("99", None, "100", "100"),
        (1704067200, None, "2024-01-02T00:00:00Z", 1704153600),
        (1704067200000, None, "2024-01-02T00:00:00Z", 1704153600000),
        (1704067200, "Europe/Paris", "2024-01-02T01:00:00", 1704153600),
        (1704067200, None, "1704153600", 1704153600),
    ],
)
def test_a_bound_is_written_like_the_cursor(
    initial: object, zone: str | None, text: str, value: object
) -> None:
    found = cursor_bound("--until", text, a_cursor(initial, zone))
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("initial", "text"),
    [
        ("2013-01-01T00:00:00Z", "2013-01-02T00:00:00"),
        ("2013-01-01T00:00:00Z", "soon"),
        ("2013-01-01T00:00:00Z", "2013-13-45"),
        (3, "2013-01-02T00:00:00Z"),
        (3, "1e5"),
        (None, "soon"),
    ],
)
def test_a_bound_that_cannot_be_compared_is_bad_input(
    initial: object, text: str
) -> None:
    with pytest.raises(BadInput, match="--until"):
        cursor_bound("--until", text, a_cursor(initial))
