"""Which dynamic tables stopped, and which only wait for those."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lambdas.core.dataset import Catalogue, SqlModel
from lambdas.core.incidents.verdicts.dynamic_tables import (
    DynamicTableNow,
    dynamic_tables_of,
    stopped_tables,
)
from lambdas.core.loading.repair import Problem
from tests.datasets import a_dataset

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


def model(name: str, above: str, lag: str | None = "1 hour") -> SqlModel:
    return SqlModel(
        name=name,
        sql=f"select * from {{{{ ref('{above}') }}}}",
        materialized="view" if lag is None else "dynamic_table",
        target_lag=lag,
    )


CATALOGUE = Catalogue(
    datasets={"cats": a_dataset()},
    models={
        "a": model("a", "cats"),
        "between": model("between", "a", lag=None),
        "b": model("b", "between", lag="2 hours"),
        "c": model("c", "b", lag="downstream"),
        "other": model("other", "cats"),
    },
)


def now(hours: float = 0, *, is_suspended: bool = False) -> DynamicTableNow:
    at = NOW - timedelta(hours=hours)
    return DynamicTableNow(is_suspended=is_suspended, data_at=at)


def stopped(**seen: DynamicTableNow) -> list[Problem]:
    return stopped_tables(CATALOGUE, seen, database="CATFLAP", now=NOW)


def test_those_are_dynamic_tables_that_say_so() -> None:
    assert [*dynamic_tables_of(CATALOGUE)] == ["a", "b", "c", "other"]


def test_what_is_refreshed_in_time_is_no_problem() -> None:
    assert stopped(a=now(2.2), b=now(4.2), c=now(90), other=now()) == []
    # one that was just made, or that SHOW does not list, is not judged
    assert stopped(a=DynamicTableNow(is_suspended=False, data_at=None)) == []


def test_the_root_is_named_once_with_all_that_wait_for_it() -> None:
    suspended = now(9, is_suspended=True)
    (problem,) = stopped(a=suspended, b=suspended, c=suspended, other=now())
    assert problem.dataset == "a"
    assert problem.sentence == (
        "the dynamic table is suspended, by hand or after five failed refreshes; "
        "b, c with it"
    )
    assert "NAME => 'CATFLAP.ANALYTICS.A'" in problem.next_step
    assert "`ALTER DYNAMIC TABLE CATFLAP.ANALYTICS.A RESUME`" in problem.next_step


def test_one_whose_refreshes_fail_is_seen_by_its_age() -> None:
    behind, alone = stopped(a=now(2.3), b=now(6), other=now(2.3))
    assert (behind.dataset, alone.dataset) == ("a", "other")
    assert "last refreshed 2 h 18 min ago, and its lag is 1 hour" in alone.sentence
    assert behind.sentence.endswith("; b with it")
