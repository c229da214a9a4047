"""Whatever fails in a check, the rest is done, and what failed is said."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from lambdas.core.diagnosis.signals import Table
from lambdas.core.errors import StateConflict, SweepIncomplete
from lambdas.core.incidents.incident import Incident
from lambdas.core.loading.repair import Problem, Repair, Repaired
from lambdas.freshness.quality import QualityChecks
from lambdas.freshness.repair_notices import RepairNotices
from lambdas.freshness.self_check import SelfCheck
from tests.unit.freshness.test_check import MINUTES_5, House, fresh, quiet_upstream
from tests.watched import HOUR, NOW

REPAIRED = Repaired(
    dataset="dogs",
    run_id="r",
    repair=Repair.REFRESHED,
    at=NOW,
    files=("raw/dogs/x",),
)


def refuse(*_: object, **__: object) -> None:
    raise RuntimeError("the table is throttled")


def conflict(*_: object, **__: object) -> None:
    raise StateConflict("somebody else was first")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        one.getMessage() for one in caplog.records if one.levelno == logging.WARNING
    ]


def paused(house: House, *, since: str = "the source is moving") -> None:
    house.datasets = [
        one.model_copy(
            update={"schedule": one.schedule.model_copy(update={"paused": since})}
        )
        for one in house.datasets
    ]


def seen(house: House) -> Table:
    return Table(
        read="ok", newest_event_at=house.now, newest_loaded_at=house.now, row_count=1
    )


@pytest.mark.parametrize(
    ("part", "work", "said"),
    [
        (
            RepairNotices,
            "tell",
            "could not send messages about loads; the next check will",
        ),
        (
            QualityChecks,
            "check",
            "quality checks could not run; the next check tries again",
        ),
        (SelfCheck, "check", "could not save the incident of the monitoring"),
    ],
)
def test_a_part_that_fails_hinders_no_other(
    part: type,
    work: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    faults: Callable[[], list[str]],
) -> None:
    house = House({"cats": fresh(7 * HOUR)})
    monkeypatch.setattr(part, work, refuse)
    result = house.check()
    assert faults() == [said]
    assert result.delivered == result.notices > 0
    assert house.state.at == house.now
    assert len(house.pages()) == 1


def test_what_landed_and_cannot_be_looked_at_is_read(
    monkeypatch: pytest.MonkeyPatch, faults: Callable[[], list[str]]
) -> None:
    house = House({"cats": fresh(7 * HOUR)})
    monkeypatch.setattr(house, "tables", refuse)
    assert house.check().suspects == 1
    assert faults() == ["could not read what landed; reading the tables instead"]


def test_what_landed_lately_wakes_no_warehouse() -> None:
    house = House({"cats": fresh()})
    assert house.check().wake_ups == 1
    house.now += 3 * HOUR
    house.landed = {"cats": seen(house)}
    result = house.check()
    assert (result.due, result.statements, result.wake_ups) == (1, 0, 0)
    assert result.suspects == 0
    assert house.state.seen["cats"].newest_loaded_at == house.now
    assert house.check(MINUTES_5).due == 0


def test_what_landed_lets_nobody_ride_along() -> None:
    house = House({"cats": fresh(timedelta(minutes=90)), "dogs": fresh(2 * HOUR)})
    house.check()
    for _ in range(11):
        house.check(MINUTES_5)
    house.landed = {"cats": seen(house), "dogs": seen(house)}
    result = house.check(timedelta(minutes=6))
    assert (result.due, result.statements) == (1, 0)


def test_a_table_whose_loads_have_a_problem_is_read_whatever_landed() -> None:
    house = House({"cats": fresh()})
    house.check()
    house.now += 3 * HOUR
    house.landed = {"cats": seen(house)}
    house.state.problems = [
        Problem(
            code="pipe_stopped",
            dataset="cats",
            sentence="the pipe of cats is paused",
            next_step="`catflap replay cats` resumes it",
            since=NOW,
        )
    ]
    assert house.check().statements > 0


def test_somebody_who_was_first_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    house = House({"cats": fresh(7 * HOUR)})
    monkeypatch.setattr(SelfCheck, "check", conflict)
    monkeypatch.setattr(house.state, "record", conflict)
    result = house.check()
    assert (result.conflicts, result.failed) == (1, 0)
    assert warnings(caplog) == ["somebody else was first"] * 2


def test_what_waits_for_the_next_check_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House({"cats": fresh(), "dogs": fresh(), "mice": fresh()})
    house.check()
    caplog.clear()

    def left() -> None:
        raise SweepIncomplete("2 runs are left", stuck=())

    house.sweep = left
    house.events.is_refusing = True
    for name in ("cats", "dogs", "mice"):
        house.age(name, timedelta())
    times = iter([True, False])
    house.has_time = lambda: next(times)
    house.check(3 * HOUR)
    sweep, load, time = warnings(caplog)
    assert sweep == "2 runs are left; the next check tries again"
    assert load.endswith("; the next check publishes it")
    assert time == "out of time; 2 datasets wait for the next check"
    caplog.clear()
    house.has_time = lambda: True
    house.sweep = lambda: None
    house.check(MINUTES_5)
    assert warnings(caplog)[0].endswith("; retrying with the next check")
    house.events.is_refusing = False
    house.check(MINUTES_5)
    assert {detail["dataset"] for _, detail in house.events.published} == {
        "cats", "dogs", "mice",
    }  # fmt: skip
    assert house.state.events == {}


def test_what_was_found_about_loads_is_told_in_the_same_check() -> None:
    house = House({"cats": fresh()})
    house.state.repaired = {REPAIRED.repair_id: REPAIRED}
    result = house.check()
    assert house.state.repaired == {}
    told = [one for one in house.told(house.sns) if one[0] == "dogs"]
    assert len(told) == 1
    assert result.delivered == result.notices == 2


def test_an_incident_that_stays_as_it_is_is_not_written_again() -> None:
    house = House({"cats": fresh(7 * HOUR)})
    quiet_upstream(house)
    house.check()
    (before,) = house.state.all.values()
    house.faults.names.clear()
    house.check(MINUTES_5)
    assert "record" not in house.faults.names
    assert "remember" in house.faults.names
    assert list(house.state.all.values()) == [before]


# who is paused, and who is gone ------------------------------------------------------
def test_a_dataset_that_was_paused_from_the_first_is_not_looked_at() -> None:
    house = House({"cats": fresh(7 * HOUR)})
    paused(house)
    result = house.check()
    assert (result.due, result.failed, house.state.seen) == (0, 0, {})


@pytest.mark.parametrize("age", [HOUR, 7 * HOUR], ids=["well", "late"])
def test_what_is_remembered_of_a_paused_dataset_says_that_nothing_is_wrong(
    age: timedelta,
) -> None:
    house = House({"cats": fresh(age)})
    house.check()
    before = house.state.seen["cats"]
    paused(house)
    house.check(MINUTES_5)
    assert house.state.seen["cats"] == dataclasses.replace(
        before, promise="", incident_id=None, at_risk=False, cause=None, state="pass",
        is_paused=True,
    )  # fmt: skip
    house.faults.names.clear()
    house.check(MINUTES_5)
    assert house.faults.names.count("remember") <= 1


@pytest.mark.parametrize("is_paused", [True, False], ids=["paused", "removed"])
@pytest.mark.parametrize("is_conflict", [True, False])
def test_an_end_that_cannot_be_written_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    faults: Callable[[], list[str]],
    *,
    is_paused: bool,
    is_conflict: bool,
) -> None:
    house = House({"cats": fresh(7 * HOUR), "dogs": fresh()})
    house.check()
    if is_paused:
        paused(house)
    else:
        house.datasets = house.datasets[1:]
    with monkeypatch.context() as patched:
        patched.setattr(house.state, "record", conflict if is_conflict else refuse)
        result = house.check(MINUTES_5)
    assert "cats" in house.state.seen
    assert house.state.open_incident("cats") is not None
    assert result.failed == (0 if is_conflict else 1)
    assert ("somebody else was first" in warnings(caplog)) is is_conflict
    work = "end" if is_paused else "close"
    assert [one for one in faults() if "cats" in one] == (
        [] if is_conflict else [f"could not {work} the incident of cats"]
    )
    house.check(MINUTES_5)
    assert house.state.open_incident("cats") is None
    assert ("cats" in house.state.seen) is is_paused


def test_a_dataset_that_was_well_is_forgotten_in_silence() -> None:
    house = House({"cats": fresh(), "dogs": fresh()})
    house.check()
    house.datasets = house.datasets[1:]
    house.check(MINUTES_5)
    assert list(house.state.seen) == ["dogs"]
    assert house.told(house.sns) == []


@pytest.mark.parametrize("is_broken", [True, False])
def test_incidents_that_cannot_be_read_at_once_are_read_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
    faults: Callable[[], list[str]],
    *,
    is_broken: bool,
) -> None:
    house = House({"cats": fresh(7 * HOUR), "dogs": fresh()})
    house.check()
    told = house.told(house.sns)

    def unread(names: Sequence[str]) -> dict[str, Incident | None]:
        assert [*names] == ["cats"]
        if is_broken:
            raise RuntimeError("throttled")
        return {}

    monkeypatch.setattr(house.state, "open_incidents", unread)
    house.check(MINUTES_5)
    assert house.told(house.sns) == told
    house.age("cats", timedelta())
    house.check(MINUTES_5)
    assert house.state.open_incident("cats") is None
    expected = ["could not read incidents together; reading them one by one"] * 2
    assert faults() == (expected if is_broken else [])
