from __future__ import annotations

from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.columns.types import fits
from lambdas.core.dataset import ColumnType

TAKEN: list[tuple[ColumnType, str]] = [
    ("number", '1 -1.5 1e3 12345678901234567890123 "12" " 12.5 " "1e3" null'),
    ("integer", '1 -1 1.0 1e3 "12" "12.0" null ' + "9" * 38),
    ("boolean", 'true false 1 0 "yes" "OFF" "t" null'),
    ("timestamp", '"2013-01-01T05:00:00Z" "2013-01-01_05:00:00.5+01:00" null'),
    ("timestamp", '1357016400 1357016400000 "1357016400"'),
    ("timestamp", '"2013-01-01T05:00:00.123456789-0500"'),
    ("timestamp_ntz", '"2013-01-01T05:00:00" "2013-01-01" "2013-01-01T05:00:00Z" null'),
    ("date", '"2013-01-01" "2013-01-01T05:00:00" null'),
    ("time", '"05:00" "05:00:59.25" null'),
    ("binary", '"AAEC" "" null'),
    ("string", '1 true "a" null [1] {"a":1}'),
    ("variant", '1 true "a" null [1] {"a":1}'),
]  # fmt: skip
REFUSED: list[tuple[ColumnType, str]] = [
    ("number", '"abc" "" true [1] {"a":1} "1,5" "0x10" 1e999'),
    ("integer", '1.5 "1.5" "abc" true 1e99 ' + "9" * 39),
    ("boolean", '2 "maybe" 1.5 "" [] {}'),
    ("timestamp", '"2013-01-01T05:00:00" "2013-13-01T05:00:00Z" "soon" true 12 {}'),
    ("timestamp_ntz", '"soon" true {} "2013-02-30"'),
    ("date", '"soon" "2013-02-30" true []'),
    ("time", '"25:00" "soon" true 1.5'),
    ("binary", '"???" 1.5 {}'),
]


def values(text: str) -> list[bytes]:
    return [one.replace("_", " ").encode() for one in text.split()]


@pytest.mark.parametrize(
    ("column_type", "value", "taken"),
    [
        (kind, value, taken)
        for cases, taken in ((TAKEN, True), (REFUSED, False))
        for kind, text in cases
        for value in (
            [b'" 12.5 "', *values(text.replace('" 12.5 "', ""))]
            if '" 12.5 "' in text
            else values(text)
        )
    ],
)
def test_a_value_is_of_a_type_if_its_cast_would_take_it(
    column_type: ColumnType, value: bytes, *, taken: bool
) -> None:
    takes = fits(column_type)
    assert (takes is None or takes(value)) is taken


def test_a_time_without_an_offset_needs_a_declared_zone() -> None:
    naive = b'"2013-01-01T05:00:00"'
    without, within = fits("timestamp"), fits("timestamp", "Europe/Berlin")
    assert without is not None
    assert within is not None
    assert not without(naive)
    assert within(naive)


@given(st.sampled_from(get_args(ColumnType)))
def test_null_is_of_every_type(column_type: ColumnType) -> None:
    takes = fits(column_type)
    assert takes is None or takes(b"null")


@given(
    st.sampled_from(get_args(ColumnType)),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
        | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3),
    ),
)  # fmt: skip
def test_every_value_gets_an_answer(column_type: ColumnType, value: object) -> None:
    takes = fits(column_type)
    if takes is not None:
        assert takes(msgspec.json.encode(value)) in (True, False)
