"""How long a dataset is given for the first rows it ever gets, and who is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.dataset import Dataset
from lambdas.core.diagnosis.evidence import DeployedSchedule, PullFacts, pull_signals
from lambdas.core.diagnosis.signals import Deployment, Pull, Signals, Table
from lambdas.core.diagnosis.verdict import diagnose
from lambdas.core.freshness.assess import Limits, table_signals, watch_after
from lambdas.core.freshness.first_load import (
    awaited_until,
    awaiting,
)
from lambdas.core.freshness.watch import Watch
from lambdas.core.pull.run import DatasetState
from tests.datasets import a_dataset

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
LIMITS = Limits(
    skew=timedelta(minutes=5), load_grace=15 * MINUTE, check_every=timedelta(minutes=5)
)
EMPTY = Table(read="ok", row_count=0)
PROMISE = {
    "warn_after": {"count": 3, "period": "hour"},
    "error_after": {"count": 6, "period": "hour"},
}
HOURLY = {"cron": "5 * * * ? *"}


def cats(schedule: dict[str, str] | None = None) -> Dataset:
    return a_dataset(freshness=PROMISE, schedule=schedule or HOURLY)


def read(
    table: Table, watch: Watch | None, *, now: datetime = NOW, usual_s: float | None
) -> Signals:
    signals = table_signals(
        cats(), table, watch, now=now, limits=LIMITS, deployment=Deployment()
    )
    return signals.model_copy(update={"pull": Pull(usual_run_s=usual_s)})


def until(schedule: dict[str, str], usual_s: float | None = 60) -> datetime | None:
    signals = read(EMPTY, None, usual_s=usual_s)
    return awaited_until(cats(schedule), signals, None)


def test_time_is_given_up_to_the_first_tick_its_run_and_the_load() -> None:
    assert until(HOURLY) == NOW + 5 * MINUTE + MINUTE + 15 * MINUTE
    assert until(HOURLY, usual_s=None) == NOW + (5 + 15 + 15) * MINUTE
    assert until({"rate": "2 hours"}) == NOW + 2 * HOUR + 16 * MINUTE


def test_a_dataset_that_will_never_be_pulled_is_given_no_time() -> None:
    assert until({"cron": "0 0 1 1 ? 1999"}) is None


def test_what_is_said_meanwhile_asks_nobody_to_do_anything() -> None:
    late = diagnose(read(EMPTY, None, usual_s=60))
    assert late.state.late
    said = awaiting(late, until=NOW + HOUR, is_empty=True)
    assert (said.state, said.cause, said.page, said.tell) == (
        "pass", None, False, frozenset(),
    )  # fmt: skip
    assert "2026-11-23 10:00 UTC" in said.headline


def test_ticks_before_the_schedule_was_made_were_none() -> None:
    def last_due(created_at: datetime | None) -> datetime | None:
        facts = PullFacts(
            state=DatasetState(dataset="cats"),
            runs=(),
            schedule=DeployedSchedule(is_enabled=True, created_at=created_at),
        )
        return pull_signals(
            cats(), facts, now=NOW, grace=timedelta(minutes=15)
        ).last_due_at

    tick = NOW - 55 * MINUTE
    assert last_due(None) == tick
    assert last_due(tick - MINUTE) == tick
    assert last_due(tick) == tick
    assert last_due(tick + MINUTE) is None


TABLES = st.one_of(
    st.just(EMPTY),
    st.just(Table(read="denied")),
    st.just(Table(read="not_read")),
    st.builds(
        lambda rows, age: Table(
            read="ok", row_count=rows, newest_loaded_at=NOW - age * HOUR
        ),
        rows=st.integers(1, 5),
        age=st.integers(0, 48),
    ),
    # rows without a usable time
    st.builds(lambda rows: Table(read="ok", row_count=rows), rows=st.integers(1, 5)),
)
LOOKS = st.lists(
    st.tuples(
        st.integers(1, 300),
        TABLES,
        st.one_of(st.none(), st.floats(0, 7200)),
        st.one_of(st.none(), st.integers(-600, 600)),
    ),
    min_size=1,
    max_size=12,
)


@given(LOOKS)
def test_a_dataset_that_ever_had_rows_is_never_given_time(
    looks: list[tuple[int, Table, float | None, int | None]],
) -> None:
    watch: Watch | None = None
    now, had_rows = NOW, False
    for minutes, table, usual_s, created in looks:
        now += minutes * MINUTE
        signals = read(table, watch, now=now, usual_s=usual_s)
        had_rows = had_rows or bool(table.row_count)
        created_at = None if created is None else now + created * MINUTE
        moment = awaited_until(cats(), signals, watch, schedule_created_at=created_at)
        waits = moment is not None and now < moment
        assert not (waits and had_rows)
        assert not (waits and table.read != "ok")
        watch = watch_after(
            cats(),
            signals,
            diagnose(signals),
            watch,
            incident_id=None,
            awaited_until=moment if waits else None,
        )


@given(LOOKS)
def test_time_that_is_over_is_never_given_again(
    looks: list[tuple[int, Table, float | None, int | None]],
) -> None:
    watch: Watch | None = None
    now, was_judged = NOW, False
    for minutes, _, usual_s, created in looks:
        now += minutes * MINUTE
        signals = read(EMPTY, watch, now=now, usual_s=usual_s)
        created_at = None if created is None else now + created * MINUTE
        moment = awaited_until(cats(), signals, watch, schedule_created_at=created_at)
        waits = moment is not None and now < moment
        assert not (waits and was_judged)
        was_judged = was_judged or not waits
        watch = watch_after(
            cats(),
            signals,
            diagnose(signals),
            watch,
            incident_id=None,
            awaited_until=moment if waits else None,
        )
        assert watch.first_seen_at is not None
