"""Who counts as late, what is told with whom, and what a check says of itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest

from lambdas.core.errors import ObjectMissing, StuckRun, SweepIncomplete, WarehouseError
from lambdas.core.incidents.message import as_mail
from lambdas.core.names import MONITOR
from tests.datasets import a_dataset
from tests.unit.freshness.test_check import (
    MINUTES_5,
    PROMISE,
    House,
    fresh,
    quiet_upstream,
)
from tests.watched import HOUR, NOW, FakeTable

QUIET_FROM_TEN = {"calendar": {"timezone": "UTC", "quiet": ["10:00-23:00"]}}


def family(
    tables: dict[str, FakeTable | WarehouseError], *, parent: Mapping[str, object]
) -> House:
    """`shops`, and what is made from it; only `shops` has another promise."""
    house = House(tables)
    source = {
        "client": {"base_url": "http://127.0.0.1:1/"},
        "endpoint": {"path": "x", "incremental": {"cursor_path": "at"}},
        "parent": {"dataset": "shops", "fields": {"shop": "id"}},
    }
    house.datasets = [
        a_dataset(
            name=name,
            schedule={"cron": "0 0 * * ? *"},
            **(
                {"freshness": {**PROMISE, **parent}}
                if name == "shops"
                else {"freshness": PROMISE, "source": source}
            ),
        )
        for name in tables
    ]
    return house


def inhibited_by(house: House) -> dict[str, str | None]:
    return {
        one.dataset: one.inhibited_by
        for one in house.state.all.values()
        if one.resolved_at is None and one.dataset != MONITOR
    }


# who is late -------------------------------------------------------------------------
def test_what_is_late_and_passes_only_since_nothing_is_due_still_inhibits() -> None:
    house = family(
        {"shops": fresh(7 * HOUR), "orders": fresh(timedelta(minutes=150))},
        parent=QUIET_FROM_TEN,
    )
    house.check()
    assert inhibited_by(house) == {"shops": None}
    house.check(HOUR + MINUTES_5)
    assert inhibited_by(house) == {"shops": None, "orders": "shops"}


def test_what_was_late_and_cannot_be_read_now_still_inhibits() -> None:
    house = family(
        {"shops": fresh(7 * HOUR), "orders": fresh(timedelta(minutes=150))}, parent={}
    )
    house.check()
    house.warehouse.tables["shops"] = ObjectMissing("RAW.SHOPS does not exist")
    house.check(HOUR + MINUTES_5)
    assert inhibited_by(house) == {"shops": None, "orders": "shops"}


def test_what_was_never_late_and_cannot_be_read_inhibits_nobody() -> None:
    house = family(
        {"shops": ObjectMissing("no such table"), "orders": fresh(7 * HOUR)}, parent={}
    )
    house.check()
    assert inhibited_by(house)["orders"] is None


def test_what_has_recovered_inhibits_nobody() -> None:
    house = family({"shops": fresh(7 * HOUR), "orders": fresh(8 * HOUR)}, parent={})
    house.check()
    assert inhibited_by(house)["orders"] == "shops"
    house.age("shops", MINUTES_5)
    house.check(MINUTES_5)
    assert inhibited_by(house) == {"orders": None}


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [(8, 7, "items, orders"), (7, 8, "orders, items"), (4, 7, "orders, items")],
)
def test_those_that_are_late_with_it_are_named_worst_first(
    first: int, second: int, named: str
) -> None:
    house = family(
        {
            "shops": fresh(7 * HOUR),
            "items": fresh(first * HOUR),
            "orders": fresh(second * HOUR),
        },
        parent={},
    )
    house.check()
    assert f"Late with it: {named}" in as_mail(house.sns.batches[0].message)[1]


def test_an_error_is_worse_than_a_warning_however_old() -> None:
    house = family(
        {"shops": fresh(7 * HOUR), "items": fresh(9 * HOUR), "orders": fresh(7 * HOUR)},
        parent={},
    )
    house.datasets[1] = house.datasets[1].model_copy(
        update={"freshness": a_dataset(freshness=SLOW).freshness}
    )
    house.check()
    body = as_mail(house.sns.batches[0].message)[1]
    assert "Late with it: orders, items" in body


SLOW = {
    "loaded_at_field": "at",
    "warn_after": {"count": 3, "period": "hour"},
    "error_after": {"count": 30, "period": "hour"},
}


# what is loaded ----------------------------------------------------------------------
def test_a_load_is_announced_once_with_exactly_this() -> None:
    house = House({"cats": fresh(7 * HOUR)})
    quiet_upstream(house)
    house.check()
    assert house.events.published == [], "what was there before is no news"
    loaded = NOW + MINUTES_5
    house.warehouse.tables["cats"] = FakeTable(NOW, loaded, rows=120)
    house.check(2 * MINUTES_5)
    assert house.events.published == [
        (
            "dataset.loaded",
            {
                "id": f"cats-loaded-{loaded.isoformat()}",
                "dataset": "cats",
                "cause": None,
                "loaded_at": loaded.isoformat(),
                "newest_event_at": NOW.isoformat(),
                "rows": 120,
            },
        )
    ]


def test_a_check_without_a_load_announces_nothing() -> None:
    """Whoever starts a job on it would start it with every check."""
    house = House({"cats": fresh(7 * HOUR)})
    for _ in range(4):
        assert house.check(MINUTES_5).due == 1
    assert house.events.published == []


# what is open ------------------------------------------------------------------------
def test_an_incident_that_the_last_look_does_not_name_is_found_all_the_same() -> None:
    house = House({"cats": fresh(7 * HOUR)})
    house.check()
    told = len(house.told(house.sns))
    watch = house.state.seen["cats"]
    house.state.seen["cats"] = dataclasses.replace(watch, incident_id=None)
    house.check(MINUTES_5)
    assert len(house.state.all) == 1
    assert len(house.told(house.sns)) == told
    assert house.state.seen["cats"].incident_id == watch.incident_id


# what a check says of itself ---------------------------------------------------------
def test_its_figures_count_what_it_tells_of_itself_too() -> None:
    house = House({"cats": fresh(7 * HOUR)})

    def incomplete() -> None:
        stuck = StuckRun(
            dataset="cats", run_id="r", is_broken=True, problem="half", started_at=None
        )
        raise SweepIncomplete("half", stuck=[stuck])

    house.sweep = incomplete
    result = house.check()
    sent = [*house.sns.batches, *house.slack.batches, *house.bus.batches]
    assert result.notices == result.delivered == sum(len(one.notices) for one in sent)
    assert result.delivered > 5
    assert (result.waiting, result.swept, result.wake_ups) == (0, False, 1)


def test_what_could_not_be_delivered_is_counted_as_waiting(
    faults: Callable[[], list[str]],
) -> None:
    house = House({"cats": fresh(7 * HOUR)})
    house.slack.fault = RuntimeError("no answer")
    result = house.check()
    assert result.notices == result.delivered + result.waiting
    assert result.waiting >= 2
    assert faults() == ["channel slack failed; retrying with the next check"]
    house.slack.fault = None
    later = house.check(timedelta(minutes=1))
    assert later.delivered >= result.waiting
    assert later.waiting == 0
