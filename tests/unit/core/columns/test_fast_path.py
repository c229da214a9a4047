from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.columns.fast_path import FastPath
from lambdas.core.columns.types import fits

Kind = Literal["boolean", "integer", "number"]
NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,45})(\.[0-9]{1,5})?([eE][+-]?[0-9]{1,3})?",
                        fullmatch=True)  # fmt: skip


def uniform(*names: str, kind: Kind | None = None, only: bool = True) -> FastPath:
    takes = fits(kind) if kind else None
    typed = [(name, (), str(kind), takes) for name in names if takes]
    return FastPath(names=names, only=only, typed=typed)


@given(
    st.sampled_from(["boolean", "integer", "number"]),
    NUMBERS | st.sampled_from(["true", "null", '"x"', '"1"', "[1]", "{}", "1e999"]),
)
def test_a_yes_is_never_wrong(kind: Kind, value: str) -> None:
    takes = fits(kind)
    assert takes is not None
    if uniform("a", kind=kind).holds([b'{"a":%b}' % value.encode()]):
        assert takes(value.encode())


@pytest.mark.parametrize("digits", [19, 20, 38, 39, 40, 4299])
def test_an_integer_of_more_digits_than_a_cast_takes_is_no_yes(digits: int) -> None:
    takes, value = fits("integer"), b"9" * digits
    assert takes is not None
    assert takes(value) is (digits <= 38)
    assert not uniform("a", kind="integer").holds([b'{"a":%b}' % value])
    assert not uniform("a", kind="integer").holds([b'{"a":-%b}' % value])
    assert uniform("a", kind="integer").holds([b'{"a":%b}' % value[:18]])


def test_a_plain_page_is_told_at_once_and_another_name_is_noticed() -> None:
    page = [b'{"a":%d,"b":null}' % number for number in range(10)]
    assert uniform("a", "b", kind="integer").holds(page)
    assert uniform("a", "b").holds([b'{"b":[1]}'])
    assert not uniform("a", "b").holds([*page, b'{"c":1}'])
    assert uniform("a", "b", only=False).holds([*page, b'{"c":1}'])
    assert not uniform("a", kind="integer").holds([*page, b'{"a":"x"}'])


@pytest.mark.parametrize("name", ['quo"te', "back\\slash", "line\nbreak", "", "née"])
def test_a_name_that_cannot_be_told_at_once_is_no_yes(name: str) -> None:
    looking = uniform(name)
    assert not looking.holds([b'{"other":1}'])


def test_values_below_and_two_columns_of_one_value_are_looked_at() -> None:
    number, instant = fits("number"), fits("timestamp")
    assert number is not None
    assert instant is not None
    looking = FastPath(
        names=["a", "b"],
        only=True,
        typed=[
            ("a", ("x", 0), "number", number),
            ("b", (), "number", number),
            ("b", (), "timestamp", instant),
        ],
    )
    assert looking.holds([b'{"a":{"x":[1]},"b":1357016400}', b'{"a":null}', b"{}"])
    assert not looking.holds([b'{"a":{"x":["?"]}}'])
    assert not looking.holds([b'{"b":7}'])
