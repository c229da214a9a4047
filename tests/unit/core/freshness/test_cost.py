from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lambdas.core.freshness.cost import Estimate, estimate
from tests.datasets import a_dataset

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
EVERY = timedelta(minutes=5)


def daily(hour: int) -> object:
    return {"cron": f"0 {hour} * * ? *"}


PROMISE = {
    "loaded_at_field": "at",
    "warn_after": {"count": 26, "period": "hour"},
    "error_after": {"count": 30, "period": "hour"},
}


def test_a_hundred_daily_datasets_wake_the_warehouse_once_for_each_deadline() -> None:
    datasets = {
        f"d{number}": a_dataset(
            name=f"d{number}", schedule=daily(number % 24), freshness=PROMISE
        )
        for number in range(100)
    }
    found = estimate(datasets, start=MONDAY, days=7, check_every=EVERY)
    assert found.wake_ups_a_day <= 24
    assert found.wake_ups_a_day > 10
    assert found.checks_a_day == 288
    assert abs(found.pulls_a_day - 100) < 1


def test_one_deadline_for_all_is_one_wake_up_and_one_statement() -> None:
    datasets = {
        f"d{number}": a_dataset(name=f"d{number}", schedule=daily(6), freshness=PROMISE)
        for number in range(600)
    }
    found = estimate(datasets, start=MONDAY, days=7, check_every=EVERY)
    assert 0.8 <= found.wake_ups_a_day <= 1
    assert found.statements_a_day == 2 * found.wake_ups_a_day


def test_what_promises_nothing_costs_nothing() -> None:
    found = estimate({"cats": a_dataset()}, start=MONDAY, days=7, check_every=EVERY)
    assert (found.wake_ups_a_day, found.statements_a_day) == (0, 0)


def test_a_deadline_is_looked_at_when_it_comes() -> None:
    promise = {
        "loaded_at_field": "at",
        "deadline_cron": "0 7 * * *",
        "lower_bound_delta": {"count": 1, "period": "day"},
    }
    datasets = {"cats": a_dataset(schedule=daily(5), freshness=promise)}
    found = estimate(datasets, start=MONDAY, days=7, check_every=EVERY)
    assert 0.8 <= found.wake_ups_a_day <= 1


def dynamic(lag: str, **changes: object) -> Estimate:
    table = {"materialized": "dynamic_table", "target_lag": lag}
    return estimate(
        {"cats": a_dataset(table=table, **changes)},
        start=MONDAY,
        days=7,
        check_every=EVERY,
    )


def test_a_dynamic_table_wakes_the_warehouse_once_for_each_pull_or_lag() -> None:
    hourly = {"cron": "0 * * * ? *"}
    found = dynamic("15 minutes", schedule=hourly)
    assert 23 < found.refreshes_a_day <= 24
    assert found.wake_ups_a_day == found.statements_a_day == found.refreshes_a_day
    found = dynamic("6 hours", schedule=hourly)
    assert 3.5 < found.refreshes_a_day <= 4
    assert dynamic("downstream", schedule=hourly).refreshes_a_day == 0


def test_a_refresh_beside_a_check_wakes_the_warehouse_once() -> None:
    promise = {
        "loaded_at_field": "at",
        "deadline_cron": "0 7 * * *",
        "lower_bound_delta": {"count": 1, "period": "day"},
    }
    found = dynamic("1 hour", schedule=daily(6), freshness=promise)
    assert found.statements_a_day > found.wake_ups_a_day
    assert found.wake_ups_a_day <= 1.2
