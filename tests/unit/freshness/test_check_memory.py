"""What a check reads, and what it keeps for the next one."""

from __future__ import annotations

import dataclasses
import logging
from datetime import timedelta
from typing import Any

import pytest

from lambdas.core.errors import RunErrorKind
from lambdas.core.events import OutgoingEvent, RowsLoadedEvent
from lambdas.core.incidents.human import Change, changed_by_hand
from lambdas.core.silences.silence import Silence
from tests.unit.freshness.test_check import (
    MINUTES_5,
    PROMISE,
    House,
    failed_pull,
    fresh,
    quiet_upstream,
)
from tests.watched import HOUR


def test_of_a_dataset_that_is_well_no_incident_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = House({"cats": fresh(), "dogs": fresh()})
    read: list[str] = []
    monkeypatch.setattr(
        house.state, "open_incident", lambda name, **_: read.append(name)
    )
    house.check()
    house.age("cats", timedelta())
    house.age("dogs", timedelta())
    house.check(3 * HOUR)
    assert read == []


def test_of_an_open_incident_no_earlier_one_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = House({"cats": fresh(7 * HOUR)})
    house.check()
    read: list[str] = []
    monkeypatch.setattr(house.state, "incident", read.append)
    house.check(MINUTES_5)
    assert read == []


def test_whoever_reads_what_is_silenced_reads_until_when_by_whom_and_why() -> None:
    house = House({"cats": fresh(7 * HOUR)})
    house.state.silences = [
        Silence(
            silence_id="s",
            by="ann",
            why="we move house",
            starts_at=house.now - HOUR,
            until=house.now + HOUR,
            ends_at=house.now + HOUR,
            dataset="cats",
        )
    ]
    house.check()
    (incident,) = house.state.all.values()
    assert incident.evidence[-1] == (
        "silenced until 2026-11-23 10:00 UTC by ann: we move house (dataset cats)"
    )
    assert [one for one in house.told(house.sns) if one[0] == "cats"] == []


def test_a_change_of_an_incident_is_one_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "catflap.freshness.check")
    house = House({"cats": fresh(7 * HOUR)})
    quiet_upstream(house)
    house.check()
    (incident,) = house.state.all.values()
    said = [one.getMessage() for one in caplog.records if one.levelno == logging.INFO]
    assert said == [f"{incident.incident_id}: {incident.headline} ({incident.cause})"]


def test_a_watch_names_its_open_incident_and_the_last_that_is_over() -> None:
    house = House({"cats": fresh(7 * HOUR)})
    house.check()
    (incident,) = house.state.all.values()
    watch = house.state.seen["cats"]
    assert (watch.incident_id, watch.ended_incident) == (incident.incident_id, None)
    house.sources.pipe_state = "PAUSED"
    house.check(MINUTES_5)
    watch = house.state.seen["cats"]
    assert (watch.incident_id, watch.ended_incident) == (incident.incident_id, None)
    house.age("cats", timedelta())
    house.check(MINUTES_5)
    watch = house.state.seen["cats"]
    assert (watch.incident_id, watch.ended_incident, watch.ended_at) == (
        None, incident.incident_id, house.now,
    )  # fmt: skip


def test_a_watch_names_what_a_person_closed() -> None:
    house = House({"cats": fresh(7 * HOUR)})
    house.check()
    before = house.state.open_incident("cats")
    assert before is not None
    closed = changed_by_hand(before, Change(by="ann", resolve=True), now=house.now)
    assert closed.incident is not None
    house.state.record(before, closed.incident, notices=(), watch=None)
    house.age("cats", timedelta())
    house.check(MINUTES_5)
    watch = house.state.seen["cats"]
    assert (watch.incident_id, watch.ended_incident, watch.ended_at) == (
        None, before.incident_id, house.now,
    )  # fmt: skip


def test_what_was_not_read_stays_as_it_was() -> None:
    house = House({"cats": fresh()})
    house.check()
    before = house.state.seen["cats"]
    failed_pull(house, "cats", RunErrorKind.AUTH)
    assert house.check(MINUTES_5).statements == 0
    (risk,) = house.state.all.values()
    assert house.state.seen["cats"] == dataclasses.replace(
        before, cause=risk.cause, at_risk=True, incident_id=risk.incident_id
    )


@pytest.mark.parametrize(
    ("age", "hours", "ended_by"),
    [
        (7, 72, "not_promised"),
        (5, 72, "not_promised"),
        (2, 72, "recovered"),
        (2, 3, "recovered"),
    ],
)
def test_data_of_which_less_is_promised_have_not_recovered(
    age: int, hours: int, ended_by: str
) -> None:
    """Whatever flows: they are as old as the promise before did not allow."""
    house = House({"cats": fresh(7 * HOUR)})
    house.check()
    house.age("cats", age * HOUR)
    promised(house, hours=hours)
    house.check()
    (over,) = house.state.all.values()
    assert over.ended_by == ended_by
    kinds = {kind for _, kind, _ in house.told(house.bus)}
    assert kinds == {"opened", "resolved"}
    last = house.bus.batches[-1].first.event
    assert last == f"dataset.{'recovered' if ended_by == 'recovered' else 'closed'}"


def promised(house: House, **change: Any) -> None:
    """From now on something else is."""
    hours = {"count": change.pop("hours"), "period": "hour"}
    house.freshness = {
        "loaded_at_field": "at", "warn_after": hours, "error_after": hours, **change,
    }  # fmt: skip
    house.datasets = [house._dataset("cats")]


def test_the_promise_before_is_the_one_by_which_it_was_late_last() -> None:
    house = House({"cats": fresh(30 * HOUR)})
    house.check()
    promised(house, hours=24)
    house.check()
    house.age("cats", 7 * HOUR)  # late by the first of the three
    house.check()
    (over,) = house.state.all.values()
    assert over.ended_by == "recovered"


def test_what_less_is_promised_of_while_nothing_is_due_has_not_recovered() -> None:
    house = House({"cats": fresh(7 * HOUR)})
    house.check()
    quiet = {"timezone": "UTC", "quiet": ["08:30-23:00"]}
    promised(house, hours=3, calendar=quiet)
    house.check()
    (incident,) = house.state.all.values()
    assert incident.resolved_at is None
    promised(house, hours=72)
    house.check()
    (over,) = house.state.all.values()
    assert over.ended_by == "not_promised"
    mails = [batch.message.headline for batch in house.sns.batches]
    assert mails[-1] == "cats is no longer late: its promise was loosened"


def test_so_many_refused_events_are_published_by_one_check() -> None:
    house = House({"cats": fresh()})
    for number in range(501):
        event = RowsLoadedEvent(
            id=f"{number:03d}",
            dataset="cats",
            loaded_at=house.now.isoformat(),
            newest_event_at=None,
            rows=1,
        )
        house.state.keep_events(
            [OutgoingEvent(detail_type=event.detail_type, detail=event.detail())]
        )
    house.check()
    assert len(house.events.published) == 500
    assert list(house.state.events) == ["500"]
    house.check(MINUTES_5)
    assert house.state.events == {}


def test_what_is_paused_shares_no_wake_up() -> None:
    house = House({"cats": fresh(timedelta(minutes=90)), "dogs": fresh(2 * HOUR)})
    house.check()
    house.datasets[0] = house.datasets[0].model_copy(
        update={
            "schedule": house.datasets[0].schedule.model_copy(
                update={"paused": "the source is moving"}
            )
        }
    )
    for _ in range(11):
        house.check(MINUTES_5)
    assert house.check(timedelta(minutes=6)).due == 1


def test_a_page_is_brought_back_to_mind_as_often_as_is_declared() -> None:
    house = House(
        {"cats": fresh(7 * HOUR)},
        freshness={**PROMISE, "repeat_every": {"count": 2, "period": "hour"}},
    )
    for _ in range(7):
        house.check(HOUR)
    reminders = [one for one in house.told(house.sns) if one[1] == "reminder"]
    assert reminders == [("cats", "reminder", "engineers")] * 3


def test_what_comes_back_is_the_incident_that_was_over() -> None:
    house = House({"cats": fresh(7 * HOUR)})
    house.check()
    house.age("cats", timedelta())
    house.check(MINUTES_5)
    house.check(MINUTES_5)
    (over,) = house.state.all.values()
    assert over.resolved_at is not None
    house.age("cats", 7 * HOUR)
    house.freshness = {**PROMISE, "error_after": {"count": 5, "period": "hour"}}
    house.datasets = [house._dataset("cats")]
    house.check(MINUTES_5)
    (again,) = house.state.all.values()
    assert (again.incident_id, again.resolved_at) == (over.incident_id, None)
