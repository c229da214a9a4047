from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lambdas.core.dataset import SqlModel
from lambdas.core.reports.estimate import (
    A_CHECK,
    A_PAGE,
    A_PULL,
    A_REPAIR,
    ALARMS,
    Assumptions,
    MonthlyCost,
    monthly_cost,
)
from lambdas.core.reports.prices import PRICES, READ
from tests.datasets import a_dataset

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
PROMISE = {
    "loaded_at_field": "at",
    "warn_after": {"count": 3, "period": "hour"},
    "error_after": {"count": 6, "period": "hour"},
}


def reckoned(count: int = 1, **changes: object) -> MonthlyCost:
    assumed = changes.pop("assumed", Assumptions())
    assert isinstance(assumed, Assumptions)
    model = changes.pop("model", None)
    models = {model.name: model} if isinstance(model, SqlModel) else {}
    return monthly_cost(
        {
            f"d{number}": a_dataset(
                name=f"d{number}",
                owner={"team": ("left", "right")[number % 2]},
                **{"freshness": PROMISE, **changes},
            )
            for number in range(count)
        },
        start=MONDAY,
        check_every=timedelta(minutes=5),
        assumed=assumed,
        models=models,
    )


def quantities(found: MonthlyCost) -> dict[str, float]:
    return {line.item: line.quantity for line in found.lines}


def test_one_hourly_dataset_costs_what_the_docs_reckon_by_hand() -> None:
    found = quantities(reckoned())
    pulls, checks, pages = 730, 8760, 2920
    by_hand = {
        "lambda_gb_seconds": pulls * 5 * 1769 / 1024
        + checks * 1.5 * 0.5
        + pages * 1.01 * 0.5,
        "sqs_fifo": pulls * 4 + 2 * 15 * 60 * 24 * 365 / 12,
        "s3_puts": pulls * 5 + pages,
        "scheduler": pulls + 2 * checks + pages,
        "sns": pulls * 2,
        "alarms": ALARMS,
        "kms_keys": 1,
    }
    for item, count in by_hand.items():
        assert found[item] == pytest.approx(count, rel=0.1), item
    assert 243 <= found["wake_ups"] <= 365
    assert found["dynamodb_writes"] == pytest.approx(22_000, rel=0.1)


def test_datasets_and_teams_add_up_to_the_whole() -> None:
    found = reckoned(5)
    assert sum(found.datasets.values()) == pytest.approx(found.usd)
    assert sum(found.teams.values()) == pytest.approx(found.usd)
    assert set(found.teams) == {"left", "right"}
    assert sum(line.usd for line in found.lines) == pytest.approx(found.usd)


def test_a_second_dataset_shares_the_wake_ups() -> None:
    one, two = quantities(reckoned(1)), quantities(reckoned(2))
    assert two["wake_ups"] == one["wake_ups"]


def test_a_dearer_credit_makes_what_is_billed_in_credits_dearer_and_nothing_else() -> (
    None
):
    dear = {
        line.item: line.usd
        for line in reckoned(assumed=Assumptions(credit_price=6.0)).lines
    }
    for line in reckoned().lines:
        factor = 2 if PRICES[line.item].is_credits else 1
        assert dear[line.item] == pytest.approx(line.usd * factor)


def test_quality_checks_wake_the_warehouse_once_an_hour_at_most() -> None:
    rules = [{"metric": "rowCount", "mustBeGreaterThan": 0}]
    minutely = {"rate": "1 minute"}
    plain = quantities(reckoned(2, schedule=minutely))["wake_ups"]
    checked = quantities(reckoned(2, schedule=minutely, quality=rules))["wake_ups"]
    assert checked - plain == pytest.approx(24 * 365 / 12)


def test_a_dynamic_table_of_a_model_is_refreshed_when_its_inputs_bring_rows() -> None:
    model = SqlModel(
        name="top",
        sql="select 1 from {{ ref('d0') }} join {{ ref('d1') }}",
        materialized="dynamic_table",
        target_lag="10 minutes",
    )
    plain = reckoned(2, schedule={"cron": "0 0 * * ? *"}, freshness={})
    made = reckoned(2, schedule={"cron": "0 0 * * ? *"}, freshness={}, model=model)
    assert made.frequencies.refreshes_a_day == pytest.approx(1, rel=0.2)
    more = quantities(made)["wake_ups"] - quantities(plain).get("wake_ups", 0)
    assert more == pytest.approx(365 / 12, rel=0.2)


def test_functions_in_a_vpc_pay_for_a_gateway_and_what_passes_it() -> None:
    inside = quantities(reckoned(assumed=Assumptions(in_vpc=True, mb_a_pull=10)))
    assert inside["nat_hours"] == 730
    assert inside["nat_gb"] == pytest.approx(730 * 10 / 1024)
    assert "nat_hours" not in quantities(reckoned())


def test_a_project_of_nothing_costs_what_stands_there() -> None:
    found = reckoned(0)
    assert found.datasets == {}
    assert 4 < found.usd < 7


def test_every_item_has_a_price_with_its_source() -> None:
    named = {*A_PULL, *A_CHECK, *A_REPAIR, *A_PAGE}
    assert named <= set(PRICES)
    assert all(price.source and price.unit for price in PRICES.values())
    assert READ.year == 2026
