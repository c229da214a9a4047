"""The rules of a quality check that types cannot say (ODCS)."""

from __future__ import annotations

from collections.abc import Iterator

from lambdas.core.dataset import Dataset, QualityCheck
from lambdas.core.rules.findings import Finding, Location

COMPARISONS = (
    "mustBe", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo",
    "mustBeLessThan", "mustBeLessOrEqualTo", "mustBeBetween",
)  # fmt: skip
NEEDS_COLUMN = ("nullValues", "duplicateValues", "invalidValues")


def quality_findings(dataset: Dataset) -> Iterator[Finding]:
    """What is wrong with the checks of a dataset beyond their types."""
    for index, check in enumerate(dataset.quality):
        yield from _check_findings(("quality", index), check)


def _check_findings(at: Location, check: QualityCheck) -> Iterator[Finding]:
    here: tuple[Location, ...] = (at,)
    if (check.metric is None) == (check.query is None):
        came = "there is neither" if check.metric is None else "there are both"
        yield Finding(
            key=at,
            sentence=f"needs exactly one of `metric` and `query`, {came}; accepted: "
            "`metric: rowCount`, or `query:` with SQL that gives one number",
            because=here,
        )
    written = [
        name
        for name, field in QualityCheck.model_fields.items()
        if field.alias in COMPARISONS and getattr(check, name) is not None
    ]
    # how many values may be invalid goes without saying: none
    at_least = 0 if check.metric == "invalidValues" else 1
    if not at_least <= len(written) <= 1:
        names = [str(QualityCheck.model_fields[name].alias) for name in written]
        came = f"there are {', '.join(names)}" if names else "there is none"
        yield Finding(
            key=at,
            sentence=f"needs exactly one comparison, {came}; "
            f"accepted: {', '.join(COMPARISONS)}",
            because=here,
        )
    if check.must_be_between and check.must_be_between[0] > check.must_be_between[1]:
        yield Finding(
            key=(*at, "mustBeBetween"),
            sentence="the first number is greater than the second; accepted: "
            "[least, greatest]",
        )
    if check.metric in NEEDS_COLUMN and check.column is None:
        yield Finding(
            key=(*at, "column"),
            sentence=f"is missing, {check.metric} needs it; accepted: a column",
            because=((*at, "metric"),),
        )
    if check.column is not None and check.metric not in NEEDS_COLUMN:
        yield Finding(
            key=(*at, "column"),
            sentence=f"{check.metric or 'a query'} has no column; accepted with "
            f"{', '.join(NEEDS_COLUMN)} only",
            because=((*at, "metric"),),
        )
    if (check.metric == "invalidValues") != (check.valid_values is not None):
        sentence = (
            "is missing, invalidValues needs it; accepted: a list of values"
            if check.valid_values is None
            else "is not used here; accepted with invalidValues only"
        )
        yield Finding(
            key=(*at, "validValues"), sentence=sentence, because=((*at, "metric"),)
        )
