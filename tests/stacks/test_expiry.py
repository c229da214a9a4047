"""How long landed objects are kept."""

from __future__ import annotations

import pytest

from lambdas.core.dataset import Catalogue
from lambdas.core.errors import BadInput
from stacks.constructs.expiry import expiry_rules
from tests.stacks.catalogues import catalogue_of


def days_by_prefix(catalogue: Catalogue) -> dict[str | None, float | None]:
    return {
        rule.prefix: rule.expiration.to_days() if rule.expiration else None
        for rule in expiry_rules(catalogue)
    }


def test_datasets_with_the_usual_retention_share_one_rule() -> None:
    assert days_by_prefix(catalogue_of(["cats", "dogs"])) == {
        "raw/": 400,
        "runs/": 400,
        "quarantine/": 90,
        "archive/": 400,
        "manifests/": 90,
    }


def test_a_dataset_that_wants_less_has_rules_of_its_own() -> None:
    usual = catalogue_of(["cats"])
    short = catalogue_of(["dogs"], beside={"retention": {"raw": "30 days"}})
    rules = days_by_prefix(Catalogue(datasets={**usual.datasets, **short.datasets}))
    assert rules["raw/"] == 400
    assert rules["raw/dogs/"] == 30
    assert rules["runs/dogs/"] == 30
    assert rules["archive/dogs/"] == 30
    assert "raw/cats/" not in rules


def test_a_dataset_that_wants_more_lengthens_the_rule_for_all_but_the_others() -> None:
    usual = catalogue_of(["cats"])
    long = catalogue_of(["dogs"], beside={"retention": {"raw": "900 days"}})
    rules = days_by_prefix(Catalogue(datasets={**usual.datasets, **long.datasets}))
    assert rules["raw/"] == 900
    assert rules["raw/cats/"] == 400


def test_more_rules_than_a_bucket_takes_are_refused() -> None:
    many = catalogue_of(
        [f"cat_{number}" for number in range(500)],
        beside={"retention": {"raw": "30 days"}},
    )
    one = catalogue_of(["dogs"])
    with pytest.raises(BadInput, match="a bucket takes 900"):
        expiry_rules(Catalogue(datasets={**many.datasets, **one.datasets}))
