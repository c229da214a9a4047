"""How often the warehouse is woken: by the real check, and as it is estimated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lambdas.core.dataset import Dataset
from lambdas.core.diagnosis.signals import Table
from lambdas.core.freshness.cost import SLEEPS_AFTER, USUAL_RUN, estimate
from lambdas.core.reports.estimate import DAYS
from tests.datasets import a_dataset
from tests.unit.freshness.test_check import MINUTES_5, House
from tests.watched import FakeTable

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
DAILY = 24
PROMISE = {
    "loaded_at_field": "at",
    "warn_after": {"count": 26, "period": "hour"},
    "error_after": {"count": 30, "period": "hour"},
}


def test_a_week_of_daily_datasets_wakes_it_as_often_as_estimated() -> None:
    """All are on time; half of the hours of a day have two deadlines, so that a wake-up
    too many in any other shows.
    """
    hours = {f"d{number:03d}": number % 12 * 2 for number in range(DAILY)}
    house = House({name: FakeTable(MONDAY) for name in hours}, freshness=PROMISE)
    house.datasets = [
        a_dataset(name=name, freshness=PROMISE, schedule={"cron": f"0 {hour} * * ? *"})
        for name, hour in hours.items()
    ]
    wake_ups: list[datetime] = []
    now = MONDAY
    last: datetime | None = None
    while now < MONDAY + timedelta(days=DAYS):
        for name, hour in hours.items():
            tick = now.replace(hour=hour, minute=0)
            if tick > now - USUAL_RUN:
                tick -= timedelta(days=1)
            house.warehouse.tables[name] = FakeTable(tick, tick + USUAL_RUN)
        house.now = now
        if house.check().statements:
            if last is None or now - last >= SLEEPS_AFTER:
                wake_ups.append(now)
            last = now
        now += MINUTES_5
    assert house.told(house.sns) == []

    told = estimate(
        {item.name: item for item in house.datasets},
        start=MONDAY,
        days=DAYS,
        check_every=MINUTES_5,
    )
    # The first look of all is at what nobody has seen before.
    assert told.wake_ups_a_day * DAYS == len(wake_ups) - 1
    by_day = [
        sum(at.date() == (MONDAY + timedelta(days=day)).date() for at in wake_ups)
        for day in range(DAYS)
    ]
    assert max(by_day) <= len(set(hours.values())) + (wake_ups[0] == MONDAY)
    assert max(by_day) <= 24
    assert min(by_day[2:]) == 12


HOURLY = {
    "loaded_at_field": "at",
    "warn_after": {"count": 3, "period": "hour"},
    "error_after": {"count": 6, "period": "hour"},
}


def hourly(count: int, **more: object) -> dict[str, Dataset]:
    """Pulled at every minute of the hour."""
    return {
        f"d{number}": a_dataset(
            name=f"d{number}",
            schedule={"cron": f"{number % 60} * * * ? *"},
            freshness={**HOURLY, **more},
        )
        for number in range(count)
    }


def test_hourly_datasets_share_their_wake_ups() -> None:
    told = estimate(hourly(60), start=MONDAY, days=1, check_every=MINUTES_5)
    assert told.wake_ups_a_day <= 12


@pytest.mark.parametrize("tolerance", [0, 15])
def test_who_shares_wake_ups_is_told_late_as_if_alone(tolerance: int) -> None:
    """But for the tolerance. Each hour brings rows, until d3's stop at noon."""
    more = {"tolerance": {"count": tolerance, "period": "minute"}} if tolerance else {}
    names = [f"d{number}" for number in range(6)]
    house = House(
        {name: FakeTable(MONDAY) for name in names}, freshness={**HOURLY, **more}
    )
    stops = MONDAY + timedelta(hours=12)
    told_at: datetime | None = None
    now = MONDAY
    while told_at is None and now < MONDAY + timedelta(days=1):
        for number, name in enumerate(names):
            newest = now.replace(minute=0) + timedelta(minutes=9 * number)
            newest -= timedelta(hours=1) if newest > now else timedelta()
            newest = min(newest, stops) if name == "d3" else newest
            house.warehouse.tables[name] = FakeTable(newest, newest)
        house.now = now
        house.check()
        told_at = now if house.told(house.sns) else None
        now += MINUTES_5
    assert {name for name, *_ in house.told(house.sns)} == {"d3"}
    assert told_at is not None
    late_at = stops + timedelta(hours=3)
    assert timedelta(minutes=tolerance) <= told_at - late_at
    assert told_at - late_at <= timedelta(minutes=tolerance) + MINUTES_5


@pytest.mark.long
@pytest.mark.parametrize("tolerance", [None, 15])
def test_a_thousand_hourly_datasets_wake_the_warehouse_thirty_times_a_day_at_most(
    tolerance: int | None,
) -> None:
    more = {"tolerance": {"count": tolerance, "period": "minute"}} if tolerance else {}
    for hours in (2, 3):
        ages = {"warn_after": {"count": hours, "period": "hour"}, **more}
        told = estimate(
            hourly(1_003, **ages), start=MONDAY, days=1, check_every=MINUTES_5
        )
        assert told.wake_ups_a_day <= 30


@pytest.mark.long
def test_a_thousand_hourly_datasets_are_told_late_as_if_each_were_alone() -> None:
    """A day on which all are on time wakes the warehouse 30 times at most, by the real
    check; then twelve stop, each at its own time, and are told a quarter of an hour
    later at most than one that is looked at every five minutes.
    """
    tolerance = {"count": 15, "period": "minute"}
    datasets = hourly(1_003, tolerance=tolerance)
    house = House({name: FakeTable(MONDAY) for name in datasets}, freshness=HOURLY)
    house.datasets = list(datasets.values())
    day_over = MONDAY + timedelta(days=1)
    stops = {
        f"d{83 * number}": day_over + timedelta(minutes=23 * number)
        for number in range(12)
    }
    newest: dict[str, datetime] = {}
    told: dict[str, datetime] = {}
    wake_ups, now = 0, MONDAY
    while now < day_over + timedelta(hours=9):
        for number, name in enumerate(datasets):
            at = now.replace(minute=number % 60)
            at -= timedelta(hours=1) if at > now - USUAL_RUN else timedelta()
            if at <= stops.get(name, at):
                newest[name] = at
            house.warehouse.tables[name] = FakeTable(newest[name], newest[name])
        house.now = now
        asked = house.check().statements
        wake_ups += bool(asked) and MONDAY < now < day_over
        for name, *_ in house.told(house.sns):
            told.setdefault(name, now)
        now += MINUTES_5
    assert 0 < wake_ups <= 30
    assert told.keys() == stops.keys()
    for name, told_at in told.items():
        alone = newest[name] + timedelta(hours=3)
        assert timedelta() <= told_at - alone <= timedelta(minutes=15) + MINUTES_5


def landed(house: House, *, but: str | None = None) -> None:
    """Each hour brings rows at once, and what landed tells so; `but` one stops."""
    for name in house.warehouse.tables:
        newest = house.now.replace(minute=0) - (
            timedelta(hours=9) if name == but else timedelta()
        )
        house.warehouse.tables[name] = FakeTable(newest, newest)
    house.landed = {
        name: Table(
            read="ok",
            newest_event_at=table.newest,
            newest_loaded_at=table.loaded,
            row_count=1,
        )
        for name, table in house.warehouse.tables.items()
        if isinstance(table, FakeTable)
    }


def test_what_landed_tells_that_all_is_on_time_and_a_table_is_read_once_a_day() -> None:
    house = House(
        {name: FakeTable(MONDAY) for name in ("d0", "d1", "d2")}, freshness=HOURLY
    )
    woken = []
    house.now = MONDAY
    while house.now < MONDAY + timedelta(days=3):
        landed(house)
        if house.check().statements:
            woken.append(house.now)
        house.now += MINUTES_5
    assert house.told(house.sns) == []
    assert len(woken) <= 4  # the first look, and one a day


def test_what_landed_tells_nothing_of_what_is_late_its_table_is_read() -> None:
    house = House({name: FakeTable(MONDAY) for name in ("d0", "d1")}, freshness=HOURLY)
    house.now = MONDAY
    landed(house)
    house.check()
    while house.now < MONDAY + timedelta(hours=4):
        house.now += MINUTES_5
        landed(house, but="d1")
        is_read = house.check().statements > 0
    assert is_read
    assert {name for name, *_ in house.told(house.sns)} == {"d1"}
