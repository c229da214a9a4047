"""Rows that Snowflake refuses, found by reading them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.loading.refusal import why_refused, without_values
from local.snowflake.json_rows import RULES, refusal, refusal_of_bytes

REFUSED = [
    (b'{"a":1,"a":2}', "twice"),
    (b'{"a":{"b":1,"b":2}}', "twice"),
    (b'{"a":"\\u0000"}', "NUL"),
    (b'{"a":"\\ud83d"}', "surrogate"),
    (b'{"a":"\\ude00\\ud83d"}', "surrogate"),
    (b'{"a":1e400}', "DOUBLE"),
    (b'{"a":' + b"9" * 400 + b"}", "DOUBLE"),
    (b'{"a":NaN}', "not JSON"),
    (b'{"a":1,}', "not JSON"),
    (b'{"a":', "not JSON"),
    (b'{"a":"\xff"}', "UTF-8"),
]


@pytest.mark.parametrize(("line", "reason"), REFUSED)
def test_a_row_that_is_refused_says_why(line: bytes, reason: str) -> None:
    assert reason in str(why_refused(line))
    # the embedded Snowflake, which reads by other means, agrees
    assert refusal_of_bytes(line) is not None


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":"\\\\ud83d and \\\\u0000"}',
        b'{"a":"\\ud83d\\ude00"}',
        b'{"n":12345678901234567890123,"m":-1.5e300}',
        b'{"a":{"b":1},"c":{"b":1}}',
        '{"a":"größer"}'.encode(),
    ],
)
def test_a_row_that_looks_odd_and_is_fine_is_taken(line: bytes) -> None:
    assert why_refused(line) is None
    assert refusal_of_bytes(line) is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_what_we_take_the_embedded_snowflake_takes_and_the_other_way_round(
    value: object,
) -> None:
    line = json.dumps({"v": value}).encode("utf-8", "surrogatepass")
    assert (why_refused(line) is None) == (refusal_of_bytes(line) is None)


@pytest.mark.parametrize(
    "rule", [one for one in RULES if one.sample], ids=lambda r: r.name
)
def test_each_rule_of_the_embedded_snowflake_has_a_row_that_only_it_refuses(
    rule: object,
) -> None:
    sample = rule.sample  # type: ignore[attr-defined]  # a RowRule
    assert refusal(sample) is not None
    others = [one for one in RULES if one is not rule]
    assert all(one.check(sample) is None for one in others)


def test_a_reason_quotes_no_value() -> None:
    said = "Error parsing JSON: unknown keyword \"Jane\", near 'Doe' and `4711`, pos 3"
    told = without_values(said)
    assert not any(secret in told for secret in ("Jane", "Doe", "4711"))
    assert "pos 3" in told
