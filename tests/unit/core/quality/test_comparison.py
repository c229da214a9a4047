"""Each operator at its edge."""

from __future__ import annotations

import json

import pytest

from lambdas.core.dataset import QualityCheck
from lambdas.core.quality.comparison import OPERATORS, comparison_of, titles
from lambdas.core.quality.registry import METRICS


@pytest.mark.parametrize(
    ("operator", "limit", "holds", "fails"),
    [
        ("mustBe", 2, [2], [1.999, 2.001]),
        ("mustNotBe", 2, [1.999, 3], [2]),
        ("mustBeGreaterThan", 2, [2.001], [2]),
        ("mustBeGreaterOrEqualTo", 2, [2, 3], [1.999]),
        ("mustBeLessThan", 2, [1.999], [2]),
        ("mustBeLessOrEqualTo", 2, [2, 0], [2.001]),
        ("mustBeBetween", [1, 2], [1, 1.5, 2], [0.999, 2.001]),
        ("mustNotBeBetween", [1, 2], [0.999, 2.001], [1, 1.5, 2]),
    ],
)
def test_an_operator_holds_up_to_its_edge(
    operator: str, limit: object, holds: list[float], fails: list[float]
) -> None:
    check = QualityCheck.model_validate_json(
        json.dumps({"metric": "rowCount", operator: limit})
    )
    comparison = comparison_of(check)

    assert comparison is not None
    assert comparison.operator == operator
    assert all(map(comparison.holds, holds))
    assert not any(map(comparison.holds, fails))


@pytest.mark.parametrize(
    ("operator", "limit", "values"),
    [
        ("mustBe", 2, {1: 1, 2: 0, 5: 3}),
        ("mustBeGreaterThan", 2, {1: 1, 3: 0}),
        ("mustBeLessOrEqualTo", 2, {1: 0, 3: 1}),
        ("mustBeBetween", [1, 2], {0: 1, 1: 0, 4: 2}),
        ("mustNotBe", 2, {2: 0}),
    ],
)
def test_a_value_is_so_far_from_what_it_must_be(
    operator: str, limit: object, values: dict[float, float]
) -> None:
    check = QualityCheck.model_validate_json(
        json.dumps({"metric": "rowCount", operator: limit})
    )
    comparison = comparison_of(check)

    assert comparison is not None
    assert {value: comparison.excess(value) for value in values} == values


def test_no_value_may_be_invalid_where_nothing_is_said() -> None:
    comparison = comparison_of(QualityCheck(metric="invalidValues"))

    assert comparison is not None
    assert comparison.words == "0"


def test_every_metric_that_may_be_written_is_there() -> None:
    field = QualityCheck.model_json_schema()["properties"]["metric"]

    assert {*field["anyOf"][0]["enum"]} == {*METRICS}
    assert len(OPERATORS) == 8


def test_checks_alike_without_a_name_are_told_apart() -> None:
    many = [
        QualityCheck(metric="rowCount"),
        QualityCheck(metric="rowCount", name="rowCount_2"),
        QualityCheck(metric="rowCount"),
        QualityCheck(query="select 1"),
    ]

    assert titles(many) == ["rowCount", "rowCount_2", "rowCount_3", "query"]
