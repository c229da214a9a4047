from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lambdas.core.freshness.on_time import promise_faults
from lambdas.core.incidents.groups import batches_of
from tests.aws import a_state_table
from tests.month.__main__ import main
from tests.month.simulation import simulate
from tests.month.world import datasets
from tests.state_table import TableInMemory


def test_a_few_days_tell_each_once_and_nothing_else() -> None:
    outcome = simulate(1, TableInMemory(), days=3)
    assert outcome.violations == []
    assert outcome.counts["incidents"] > 5


def test_what_is_sent_again_is_what_died_before_its_mark() -> None:
    outcome = simulate(2, TableInMemory(), days=3, kills=0.1)
    assert outcome.violations == []
    assert outcome.counts["checks killed"] > 5
    for name in ("sns", "slack", "pagerduty"):
        assert outcome.counts[f"batches by {name}"] > 0


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_month_tells_each_once_and_nothing_else(seed: int) -> None:
    outcome = simulate(seed, TableInMemory(), days=30, kills=0.02)
    assert outcome.violations == []
    ended = {key for key, count in outcome.counts.items() if count}
    assert {"ended: recovered", "ended: closed", "ended: false_alarm"} <= ended
    assert {"overdue", "reminder", "daily", "flapping", "reopened"} <= ended


@pytest.mark.long
@pytest.mark.usefixtures("aws")
def test_the_table_in_memory_tells_what_moto_tells() -> None:
    table = a_state_table(region="us-east-1")
    by_moto = simulate(5, table, days=1, traced=True)
    in_memory = simulate(5, TableInMemory(), days=1, traced=True)
    assert by_moto.trace == in_memory.trace


@pytest.mark.parametrize(
    ("broken", "by", "noticed"),
    [
        ("incident.end_told", lambda _before: (), "hear no end"),
        ("incident._is_snoozed", lambda _before, _now: False, "snoozed until"),
        ("notice._to_models", lambda *_: iter(()), "does not know that board is late"),
        ("notice._AFTER_THE_NEWS", frozenset({"promised"}), "hear no end"),
    ],
)
def test_a_check_that_is_broken_on_purpose_is_noticed(
    broken: str, by: object, noticed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"lambdas.core.incidents.{broken}", by)
    outcome = simulate(1, TableInMemory(), days=3)
    assert any(noticed in one for one in outcome.violations), outcome.violations


def test_a_story_told_backwards_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "lambdas.freshness.outbox.batches_of",
        lambda waiting: tuple(reversed(batches_of(waiting))),
    )
    outcome = simulate(1, TableInMemory(), days=3)
    assert any("after later" in one for one in outcome.violations)


def test_every_promise_of_the_month_can_be_kept() -> None:
    now = datetime(2026, 10, 17, tzinfo=UTC)
    assert {one.name: promise_faults(one, now=now) for one in datasets()} == {
        one.name: [] for one in datasets()
    }


def test_the_messages_of_each_incident_are_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--seed", "1", "--days", "0.5"]) == 0
    assert "incidents × messages of each: " in capsys.readouterr().out
