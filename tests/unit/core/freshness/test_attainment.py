"""Minutes out of a promise, told by times."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from lambdas.core.dataset import Dataset
from lambdas.core.freshness.attainment import (
    LATES,
    AttainmentState,
    Late,
    Observation,
    attained_after,
    attainment,
    due_share,
    ranked_causes,
    usual,
)
from lambdas.core.freshness.promise import policy_at
from lambdas.core.incidents.context import with_late
from lambdas.core.incidents.incident import Incident
from tests.datasets import a_dataset

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
AGES = {
    "loaded_at_field": "at",
    "warn_after": {"count": 3, "period": "hour"},
    "error_after": {"count": 6, "period": "hour"},
}
NIGHTLY = {**AGES, "calendar": {"quiet": ["00:00-05:00"]}}
DEADLINE = {
    "loaded_at_field": "at",
    "deadline_cron": "0 7 * * *",
    "lower_bound_delta": {"count": 1, "period": "day"},
}


def state_of(dataset: Dataset, newest: datetime, now: datetime) -> str:
    """The state by the promise in force, as a check would find it."""
    policy = policy_at(dataset, now=now, newest=newest, skew_s=0, load_grace_s=0)
    if policy.expected_by is not None and policy.expected_since is not None:
        return "error" if newest < policy.expected_since else "pass"
    if policy.in_quiet_time:
        return "pass"
    age = (now - newest).total_seconds()
    if policy.error_after_s is not None and age > policy.error_after_s:
        return "error"
    late = policy.warn_after_s is not None and age > policy.warn_after_s
    return "warn" if late else "pass"


class World:
    """A table whose newest rows come at given times, and looks at it."""

    def __init__(self, freshness: Mapping[str, object], loads: list[datetime]) -> None:
        self.dataset = a_dataset(freshness=freshness)
        self.loads = loads
        self.tally: AttainmentState | None = None
        self.newest: datetime | None = None
        self.over: dict[str, float] = {}

    def newest_at(self, now: datetime) -> datetime:
        return max(load for load in self.loads if load <= now)

    def check(self, now: datetime) -> None:
        newest = self.newest_at(now)
        self.tally = attained_after(
            self.tally,
            self.dataset,
            Observation(
                now=now,
                is_late=state_of(self.dataset, newest, now) != "pass",
                newest=newest,
                newest_before=self.newest,
                moved_at=newest,
            ),
        )
        self.newest = newest
        self.over |= {day.day: day.out_s for day in self.tally.over}

    def minutes(self) -> tuple[float, float]:
        assert self.tally is not None
        days = [*self.tally.days, self.tally.today]
        return (
            sum(day.warn_s for day in days) / 60,
            sum(day.error_s for day in days) / 60,
        )

    def truth(self, start: datetime, end: datetime) -> tuple[int, int]:
        """Minutes to be warned of and in error, by looking at each minute."""
        counts = {"warn": 0, "error": 0}
        at = start
        while at < end:
            middle = at + MINUTE / 2
            state = state_of(self.dataset, self.newest_at(middle), middle)
            if state != "pass":
                counts[state] += 1
            at += MINUTE
        return counts["warn"], counts["error"]


def test_an_outage_counts_from_threshold_to_load_however_often_looked_at() -> None:
    outage = [MONDAY + 8 * HOUR, MONDAY + 15 * HOUR + 20 * MINUTE]
    for looks in ((0, 12, 16), (0, 11.2, 11.5, 12, 14.1, 15, 15.5), (0, 14.5, 17)):
        world = World(AGES, [MONDAY, *outage])
        world.loads[1:1] = [MONDAY + n * HOUR for n in range(8)]
        for hours in (8.0, *looks[1:]):
            world.check(MONDAY + hours * HOUR)
        assert world.minutes() == (180, 80)


def test_a_check_that_runs_twice_changes_nothing() -> None:
    world = World(AGES, [MONDAY])
    for hours in (1, 5, 5, 7, 7, 7):
        world.check(MONDAY + hours * HOUR)
    assert world.minutes() == (180, 60)


def test_quiet_time_does_not_count() -> None:
    world = World(NIGHTLY, [MONDAY + 20 * HOUR, MONDAY + 32 * HOUR])
    for hours in (21, 23.5, 24.5, 29.5, 32.1):
        world.check(MONDAY + hours * HOUR)
    # 23:00 to midnight, and 05:00 to 08:00; in error after 6 hours of due time
    assert world.minutes() == (180, 60)
    assert state_of(world.dataset, world.loads[0], MONDAY + 26 * HOUR) == "pass"


def test_a_missed_deadline_counts_until_the_data_came() -> None:
    world = World(DEADLINE, [MONDAY - 26 * HOUR, MONDAY + 9 * HOUR])
    for hours in (0, 7.1, 9.5, 20):
        world.check(MONDAY + hours * HOUR)
    assert world.minutes() == (0, 120)


def test_lateness_that_nobody_saw_is_not_made_up() -> None:
    world = World(AGES, [MONDAY, MONDAY + 10 * HOUR])
    world.check(MONDAY + HOUR)
    world.check(MONDAY + 11 * HOUR)
    assert world.minutes() == (0, 0)


def test_lateness_before_the_first_look_is_nobodys() -> None:
    world = World(AGES, [MONDAY])
    world.check(MONDAY + 100 * HOUR)
    assert world.minutes() == (0, 0)
    world.check(MONDAY + 101 * HOUR)
    assert world.minutes() == (0, 60)


@pytest.mark.parametrize("freshness", [AGES, NIGHTLY, DEADLINE])
@pytest.mark.parametrize("seed", range(2))
def test_whoever_looks_often_counts_what_each_minute_says(
    freshness: Mapping[str, object], seed: int
) -> None:
    random = Random(seed)
    at, loads = MONDAY - 2 * HOUR, []
    while at < MONDAY + 100 * HOUR:
        loads.append(at)
        at += random.choice([20, 60, 60, 240, 500, 1700]) * MINUTE
    world = World(freshness, loads)
    now = MONDAY
    while now < MONDAY + 96 * HOUR:
        world.check(now)
        if random.random() < 0.1:
            world.check(now)
        now += random.choice([1, 1, 2, 5]) * MINUTE
    world.check(MONDAY + 96 * HOUR)
    warned, failed = world.minutes()
    true_warned, true_failed = world.truth(MONDAY, MONDAY + 96 * HOUR)
    # what begins and ends between two looks is told to nobody
    outages = len(loads)
    assert abs(warned - true_warned) <= 5 * outages / 2
    assert abs(failed - true_failed) <= 5 * outages / 2
    assert warned + failed > 60 or true_warned + true_failed < 90


def test_a_day_that_is_over_is_told_once_with_its_ages() -> None:
    world = World(AGES, [MONDAY])
    for hours in (1, 5, 20, 25, 26):
        world.check(MONDAY + hours * HOUR)
        assert world.tally is not None
        names = [day.day for day in world.tally.over]
        assert names == (["2026-11-23"] if hours == 25 else [])
    assert world.over == {"2026-11-23": 21 * 3600}
    assert world.tally is not None
    assert world.tally.today.day == "2026-11-24"
    assert world.tally.days[0].ages == ()


def test_days_without_a_look_are_counted_too_if_no_data_came() -> None:
    world = World(AGES, [MONDAY])
    world.check(MONDAY + HOUR)
    world.check(MONDAY + 73 * HOUR)
    assert world.over == {
        "2026-11-23": 21 * 3600, "2026-11-24": 86_400, "2026-11-25": 86_400,
    }  # fmt: skip


def test_a_tally_stays_small_however_bad_a_dataset_is() -> None:
    world = World(AGES, [MONDAY])
    for hours in range(1, 24 * 90, 1):
        world.check(MONDAY + hours * HOUR)
    assert world.tally is not None
    assert len(world.tally.days) <= 36
    assert len(world.tally.today.ages) <= 24
    for number in range(40):
        world.tally = with_late(world.tally, an_incident(number))
    assert len(world.tally.lates) == LATES


def an_incident(number: int, **changes: object) -> Incident:
    fields: dict[str, object] = {
        "incident_id": f"cats-{number}",
        "dataset": "cats",
        "version": 3,
        "opened_at": MONDAY,
        "changed_at": MONDAY,
        "state": "error",
        "cause": "upstream_quiet",
        "stage": "upstream",
        "page": False,
        "headline": "late",
        "evidence": (),
        "next_step": "",
        "also": (),
        "eta": None,
        "late_since": MONDAY,
        "resolved_at": MONDAY + HOUR,
    }
    return Incident(**(fields | changes))  # type: ignore[arg-type]  # fields by name


def test_an_incident_that_was_never_late_or_is_known_is_not_counted() -> None:
    world = World(AGES, [MONDAY])
    world.check(MONDAY)
    assert world.tally is not None
    once = with_late(world.tally, an_incident(1))
    assert with_late(once, an_incident(1)) == once
    assert with_late(once, an_incident(2, late_since=None)) == once
    assert with_late(once, an_incident(3, resolved_at=None)) == once
    assert [late.seconds for late in once.lates] == [3600]


def test_the_usual_is_the_median_and_the_cause_that_leads() -> None:
    def late(hours: float, cause: str, ago: float = 1) -> Late:
        return Late(
            incident_id=f"{hours}",
            at=MONDAY - ago * 24 * HOUR,
            seconds=hours * 3600,
            cause=cause,
        )

    found = usual(
        [late(1, "a"), late(2, "b"), late(9, "b"), late(50, "a", ago=31)], now=MONDAY
    )
    assert found is not None
    assert (found.times, found.seconds, found.cause) == (3, 7200, "b")
    tied = usual([late(1, "a"), late(2, "b")], now=MONDAY)
    assert tied is not None
    assert tied.cause is None
    assert usual([late(50, "a", ago=31)], now=MONDAY) is None
    assert ranked_causes(["b", "a", "b", None, "c"]) == [("b", 2), ("a", 1), ("c", 1)]


def test_attainment_is_of_due_time_and_the_budget_of_errors() -> None:
    world = World(NIGHTLY, [MONDAY])
    share = due_share(world.dataset.freshness.calendar)
    assert share == pytest.approx(19 / 24)
    world.check(MONDAY + HOUR)
    assert world.tally is not None
    tally = dataclasses.replace(
        world.tally,
        since=MONDAY - 60 * 24 * HOUR,
        days=(dataclasses.replace(world.tally.today, day="2026-11-20", error_s=3600),),
    )
    month = attainment(tally, days=30, now=MONDAY)
    assert month is not None
    assert month.share == pytest.approx(1 - 1 / (30 * 19))
    assert month.left == pytest.approx(1 - 1 / (0.01 * 30 * 19))
    assert attainment(world.tally, days=30, now=MONDAY) is None
