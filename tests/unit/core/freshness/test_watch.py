"""What the monitor remembers of a dataset, and when it looks at it again."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from lambdas.core.dataset import Dataset
from lambdas.core.diagnosis.signals import Deployment, Signals, Table
from lambdas.core.diagnosis.verdict import Verdict, diagnose
from lambdas.core.freshness.assess import (
    Collected,
    Limits,
    all_signals,
    passes_only_for_quiet,
    table_signals,
    watch_after,
)
from lambdas.core.freshness.watch import (
    Watch,
    is_due,
    promise_hash,
    rides_along,
    tolerance_of,
)
from lambdas.core.loading.objects import LoadRecord
from lambdas.core.sql import generation
from tests.datasets import a_dataset
from tests.watched import HOUR, NOW, a_verdict

MINUTE = timedelta(minutes=1)
PROMISE = {
    "loaded_at_field": "at",
    "warn_after": {"count": 3, "period": "hour"},
    "error_after": {"count": 6, "period": "hour"},
}
LIMITS = Limits(skew=5 * MINUTE, load_grace=15 * MINUTE, check_every=5 * MINUTE)
DEPLOYMENT = Deployment(environment="prod", landing_bucket="landed", database="DB")
WELL = Watch(
    dataset="cats",
    checked_at=NOW - HOUR,
    promise="p",
    state="pass",
    cause=None,
    next_look_at=NOW + MINUTE,
    newest_at=None,
    newest_loaded_at=None,
    row_count=None,
)


def cats(**freshness: object) -> Dataset:
    return a_dataset(freshness={**PROMISE, **freshness})


def due(watch: Watch | None, **more: Any) -> bool:
    return is_due(watch, **{"promise": "p", "now": NOW, **more})


# who is looked at --------------------------------------------------------------------
@pytest.mark.parametrize(
    "changes",
    [
        {"state": "warn"}, {"state": "unknown"}, {"cause": "pull_failed"},
        {"incident_id": "cats-1"}, {"promise": "another"},
        {"next_look_at": NOW}, {"next_look_at": NOW - MINUTE},
        {"at_risk": True, "cause": "pull_failed", "next_look_at": NOW},
    ],
)  # fmt: skip
def test_what_was_not_well_or_can_be_late_by_now_is_looked_at(
    changes: dict[str, Any],
) -> None:
    assert due(dataclasses.replace(WELL, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {}, {"next_look_at": None},
        {"at_risk": True, "cause": "pull_failed", "incident_id": "cats-1"},
        {"at_risk": True, "cause": "pull_failed", "next_look_at": None},
    ],
)  # fmt: skip
def test_what_was_well_or_needs_no_table_is_left_alone(changes: dict[str, Any]) -> None:
    assert not due(dataclasses.replace(WELL, **changes))


def test_what_is_new_or_was_told_to_nobody_is_looked_at() -> None:
    assert due(None)
    assert due(WELL, has_undelivered=True)
    soon = dataclasses.replace(WELL, next_look_at=NOW - 10 * MINUTE)
    assert not due(soon, tolerance=11 * MINUTE)
    assert due(soon, tolerance=10 * MINUTE)


@pytest.mark.parametrize(
    ("next_in", "looked_ago", "rides"),
    [
        (HOUR, timedelta(minutes=30), True),
        (HOUR + MINUTE, timedelta(minutes=30), False),
        (HOUR, timedelta(minutes=29), False),
        (-HOUR, HOUR, True),
        (None, HOUR, False),
    ],
)
def test_who_is_due_within_an_hour_rides_along_half_an_hour_after_its_last_look(
    next_in: timedelta | None, looked_ago: timedelta, *, rides: bool
) -> None:
    watch = dataclasses.replace(
        WELL,
        checked_at=NOW - looked_ago,
        next_look_at=None if next_in is None else NOW + next_in,
    )
    assert rides_along(watch, now=NOW) is rides
    assert not rides_along(None, now=NOW)


def test_a_pause_is_another_promise_and_so_is_another_threshold() -> None:
    plain = cats()
    paused = plain.model_copy(
        update={"schedule": plain.schedule.model_copy(update={"paused": "moving"})}
    )
    looser = cats(warn_after={"count": 4, "period": "hour"})
    hashes = {promise_hash(one) for one in (plain, paused, looser)}
    assert len(hashes) == 3
    assert {len(one) for one in hashes} == {16}
    assert promise_hash(plain) == promise_hash(cats())


def test_a_lateness_may_be_told_so_much_later() -> None:
    assert tolerance_of(cats()) == timedelta()
    patient = cats(tolerance={"count": 15, "period": "minute"})
    assert tolerance_of(patient) == 15 * MINUTE


# what is remembered ------------------------------------------------------------------
def signals(rows: int | None, *, read: str = "ok", at: timedelta = HOUR) -> Signals:
    newest = None if rows is None else NOW - at
    return table_signals(
        cats(),
        Table(
            read=read,
            row_count=rows,
            newest_event_at=newest,
            newest_loaded_at=newest,
        ),
        None,
        now=NOW,
        limits=LIMITS,
        deployment=DEPLOYMENT,
    )


def after(
    found: Signals, before: Watch | None = None, verdict: Verdict | None = None
) -> Watch:
    return watch_after(
        cats(), found, verdict or diagnose(found), before, incident_id="cats-1"
    )


def test_a_look_is_remembered_in_full() -> None:
    watch = after(signals(5), WELL)
    assert watch == Watch(
        dataset="cats",
        checked_at=NOW,
        promise=promise_hash(cats()),
        state="pass",
        cause=None,
        next_look_at=NOW + 2 * HOUR + timedelta(microseconds=1),
        newest_at=NOW - HOUR,
        newest_loaded_at=NOW - HOUR,
        row_count=5,
        incident_id="cats-1",
        first_seen_at=NOW - HOUR,
        tally=watch.tally,
        read_at=NOW,
    )
    assert watch.tally is not None
    assert after(signals(5)).first_seen_at == NOW


def test_a_table_that_could_not_be_read_is_remembered_as_it_was() -> None:
    before = after(signals(5))
    blind = after(signals(None, read="missing"), before, a_verdict("unknown"))
    for name in ("newest_at", "newest_loaded_at", "row_count", "tally"):
        assert getattr(blind, name) == getattr(before, name)
    assert blind.first_load_over
    marked = dataclasses.replace(before, change_mark=7)
    unread = signals(None, read="missing")
    assert after(unread, marked, a_verdict("unknown")).change_mark == 7
    assert after(signals(5), marked).change_mark is None
    first = after(signals(None, read="missing"), None, a_verdict("unknown"))
    assert (first.newest_at, first.row_count) == (None, None)
    assert not first.first_load_over


@pytest.mark.parametrize(
    ("state", "rows", "kept"),
    [("pass", 3, 3), ("error", 3, 5), ("error", 9, 9), ("warn", 3, 5)],
)
def test_while_something_is_wrong_rows_are_compared_with_the_most_there_were(
    state: str, rows: int, kept: int
) -> None:
    before = after(signals(5))
    verdict = a_verdict(state, None if state == "pass" else "rows_deleted")
    assert after(signals(rows), before, verdict).row_count == kept


class Found:
    """What was found of a dataset on its way: its loads."""

    upstream = pull = landing = pipe = None

    def __init__(self, *load: LoadRecord) -> None:
        self.load = load


def test_what_was_found_on_the_way_is_among_the_signals() -> None:
    record = LoadRecord(
        file="raw/cats/1",
        status="Loaded",
        rows_loaded=5,
        rows_parsed=5,
        first_error=None,
        loaded_at=NOW - HOUR,
    )
    found: Collected = Found(record)
    known = all_signals(cats(), signals(5), found, limits=LIMITS)
    assert known.load.status == "Loaded"
    assert known.load.last_loaded_at == NOW - HOUR
    assert known.deployment.generation == generation(cats())
    assert known.deployment.database == "DB"


@pytest.mark.parametrize(
    ("state", "is_quiet", "age", "only_for_quiet"),
    [
        ("pass", True, 7 * HOUR, True),
        ("pass", True, HOUR, False),
        ("pass", False, 7 * HOUR, False),
        ("error", True, 7 * HOUR, False),
    ],
)
def test_what_is_late_passes_only_for_quiet_where_nothing_is_due(
    state: str, age: timedelta, *, is_quiet: bool, only_for_quiet: bool
) -> None:
    found = signals(5, at=age)
    policy = found.policy.model_copy(update={"in_quiet_time": is_quiet})
    found = found.model_copy(update={"policy": policy})
    verdict = a_verdict(state, None if state == "pass" else "pipe_stopped")
    assert passes_only_for_quiet(found, verdict) is only_for_quiet
