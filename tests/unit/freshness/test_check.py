"""One check after another, as the function runs them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from lambdas.adapters.signals.collect import Collector, Sources
from lambdas.adapters.signals.judge import Judge
from lambdas.adapters.signals.tables import TableReader
from lambdas.core.dataset import Catalogue, Dataset, SqlModel
from lambdas.core.diagnosis.evidence import DeployedSchedule, PullFacts
from lambdas.core.diagnosis.signals import Deployment, Signals, Table
from lambdas.core.errors import (
    AccessRefused,
    ChannelDown,
    LandingError,
    RunErrorKind,
    StateConflict,
    StuckRun,
    SweepIncomplete,
    WarehouseError,
    WarehouseUnreachable,
)
from lambdas.core.freshness.assess import Limits, table_signals
from lambdas.core.freshness.landed import READ_EVERY, Witnessed
from lambdas.core.freshness.watch import Watch
from lambdas.core.incidents.channels import Routes
from lambdas.core.incidents.human import Change, changed_by_hand
from lambdas.core.incidents.incident import Incident, Recipient
from lambdas.core.incidents.message import as_mail
from lambdas.core.incidents.notice import Notice
from lambdas.core.incidents.pointers import Pointers
from lambdas.core.loading.repair import Problem
from lambdas.core.names import MONITOR
from lambdas.core.pull.run import DatasetState, Run, RunError, RunStatus
from lambdas.freshness.check import CheckResult, FreshnessCheck, Witness
from lambdas.freshness.outbox import Outbox
from lambdas.freshness.repair_notices import RepairNotices
from lambdas.freshness.self_check import SelfCheck
from tests.checked import quality_checks
from tests.datasets import a_dataset
from tests.memory import Faults, Killed, MemoryEvents
from tests.watched import (
    HOUR,
    NOW,
    FakeChannel,
    FakeLanding,
    FakeLoad,
    FakePipe,
    FakePull,
    FakeSources,
    FakeTable,
    FakeUpstream,
    FakeWarehouse,
    MemoryIncidents,
    a_batch,
)

MINUTES_1, MINUTES_5 = timedelta(minutes=1), timedelta(minutes=5)
PROMISE = {
    "loaded_at_field": "at",
    "warn_after": {"count": 3, "period": "hour"},
    "error_after": {"count": 6, "period": "hour"},
}
DEPLOYMENT = Deployment(
    environment="prod", landing_bucket="landed", database="CATS_PROD"
)


class House:
    """A whole check with stand-ins, at a time that a test moves."""

    def __init__(
        self,
        tables: dict[str, FakeTable | WarehouseError],
        *,
        freshness: Mapping[str, object] | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.now = NOW
        self.faults = faults or Faults()
        self.state = MemoryIncidents(self.faults)
        self.events = MemoryEvents(self.faults)
        self.warehouse = FakeWarehouse(tables)
        self.sources = FakeSources()
        people = (Recipient.ENGINEERS, Recipient.STAKEHOLDERS)
        self.sns = FakeChannel(*people, faults=self.faults)
        self.slack = FakeChannel(*people, faults=self.faults)
        self.bus = FakeChannel(Recipient.SYSTEMS, faults=self.faults)
        self.sweep: Callable[[], object] = lambda: None
        self.has_time: Callable[[], bool] = lambda: True
        self.with_digest: frozenset[str] = frozenset()
        self.access: Callable[[datetime], Sequence[Notice]] = lambda _: ()
        self.witness: Witness = self
        self.landed: dict[str, Table] | None = None
        """What landed tells of tables, if anything."""
        self.freshness = freshness or PROMISE
        self.datasets = [self._dataset(name) for name in tables]
        self.models: list[SqlModel] = []

    def _dataset(self, name: str) -> Dataset:
        # Daily: with an hourly tick the cause changes with it, as it should.
        return a_dataset(
            name=name, freshness=self.freshness, schedule={"cron": "0 0 * * ? *"}
        )

    def check(self, after: timedelta = timedelta()) -> CheckResult:
        self.now += after
        catalogue = Catalogue(
            datasets={item.name: item for item in self.datasets},
            models={item.name: item for item in self.models},
        )
        channels = {"sns": self.sns, "slack": self.slack, "bus": self.bus}
        sources = Sources(
            upstream=FakeUpstream(self.sources),
            pull=FakePull(self.sources),
            landing=FakeLanding(self.sources),
            load=FakeLoad(self.sources),
            pipe=FakePipe(self.sources),
        )
        people = ("sns", "slack")
        routes: Routes = {
            Recipient.ENGINEERS: people,
            Recipient.STAKEHOLDERS: people,
            Recipient.SYSTEMS: ("bus",),
        }
        limits = Limits(
            skew=timedelta(minutes=5),
            load_grace=timedelta(minutes=15),
            check_every=MINUTES_5,
        )
        return FreshnessCheck(
            catalogue=catalogue,
            state=self.state,
            judge=Judge(
                tables=TableReader(
                    warehouse=self.warehouse,
                    database="DB",
                    datasets=catalogue.datasets,
                    skew=limits.skew,
                ),
                collector=Collector(sources=sources, threads=4, timeout_s=20),
                limits=limits,
                deployment=DEPLOYMENT,
            ),
            outbox=Outbox(
                state=self.state,
                channels=channels,
                pointers=Pointers(),
                has_time=lambda: True,
            ),
            events=self.events,
            routes=routes,
            self_check=SelfCheck(
                state=self.state,
                routes=routes,
                limits=limits,
                deployment=DEPLOYMENT,
            ),
            sweep=self.sweep,
            loads=RepairNotices(
                state=self.state,
                told=self.state,
                routes={Recipient.ENGINEERS: people},
                dynamic_tables=lambda _: (),
            ),
            quality=quality_checks(
                catalogue, warehouse=self.warehouse, state=self.state, routes=routes
            ),
            statements=lambda: self.warehouse.statements,
            has_time=self.has_time,
            with_digest=self.with_digest,
            afterwards={"who may read what is personal": self.access},
            witness=self.witness,
        ).run(now=self.now)

    def tables(
        self,
        datasets: Sequence[Dataset],
        watches: Mapping[str, Watch],
        *,
        now: datetime,
    ) -> Mapping[str, Witnessed]:
        """As a witness."""
        known = self.landed or {}
        read_at = (watches[one.name].read_at for one in datasets if one.name in watches)
        is_read = all(at is not None and now - at < READ_EVERY for at in read_at)
        return {
            one.name: Witnessed(table=known[one.name], change_mark=None)
            for one in datasets
            if is_read and known
        }

    def marks(self, datasets: Sequence[Dataset]) -> Mapping[str, int]:
        """As a witness."""
        del datasets
        return {}

    def age(self, name: str, age: timedelta) -> None:
        self.warehouse.tables[name] = FakeTable(self.now - age, self.now - age)

    def told(self, channel: FakeChannel) -> list[tuple[str, str, str]]:
        return [
            (notice.dataset, notice.kind.value, notice.audience.value)
            for batch in channel.batches
            for notice in batch.notices
        ]

    def pages(self) -> list[Notice]:
        return [
            notice
            for batch in self.sns.batches
            for notice in batch.notices
            if notice.page
        ]


def fresh(age: timedelta = HOUR) -> FakeTable:
    return FakeTable(NOW - age, NOW - age)


def quiet_upstream(house: House, name: str = "cats") -> None:
    table = house.warehouse.tables[name]
    assert isinstance(table, FakeTable)
    assert table.newest is not None
    house.sources.upstream_newest[name] = table.newest


def test_a_dataset_that_was_well_is_left_alone_until_it_can_be_late() -> None:
    house = House({"cats": fresh(timedelta()), "dogs": fresh(2 * HOUR)})
    first = house.check()
    assert (first.due, first.statements, first.wake_ups) == (2, 1, 1)
    later = [house.check(MINUTES_5) for _ in range(11)]
    assert [(item.due, item.statements) for item in later] == [(0, 0)] * 11
    house.age("dogs", timedelta())
    at_the_limit = house.check(timedelta(minutes=6))
    assert (at_the_limit.due, at_the_limit.statements) == (1, 1)
    assert house.told(house.sns) == []


def test_a_wake_up_is_shared_by_those_whose_deadline_comes_soon() -> None:
    """Later, `cats` wakes nobody at its own deadline: it was seen a moment before."""
    house = House({"cats": fresh(timedelta(minutes=90)), "dogs": fresh(2 * HOUR)})
    house.check()
    for _ in range(11):
        house.check(MINUTES_5)
    house.age("cats", timedelta(minutes=10))
    assert house.check(timedelta(minutes=6)).due == 2
    for _ in range(6):
        assert house.check(MINUTES_5).due == 1
    assert {name for name, *_ in house.told(house.sns)} == {"dogs"}


def test_lateness_is_told_within_the_tolerance_and_not_before() -> None:
    patient = {**PROMISE, "tolerance": {"count": 15, "period": "minute"}}
    house = House({"cats": fresh(2 * HOUR)}, freshness=patient)
    house.check()
    told_after = next(
        minutes for minutes in range(5, 180, 5) if house.check(MINUTES_5).notices
    )
    assert 60 + 15 <= told_after <= 60 + 15 + 5


def test_a_late_dataset_is_told_once_and_its_recovery_to_whoever_was_told() -> None:
    house = House({"cats": fresh(7 * HOUR)})
    result = house.check()
    assert (result.suspects, result.waiting) == (1, 0)
    opened = [("cats", "opened", "engineers"), ("cats", "opened", "stakeholders")]
    assert sorted(house.told(house.sns)) == opened
    assert sorted(house.told(house.slack)) == opened
    assert house.told(house.bus) == [("cats", "opened", "systems")]
    for _ in range(5):
        assert house.check(MINUTES_5).notices == 0
    house.age("cats", MINUTES_5)
    house.check(MINUTES_5)
    resolved = [("cats", "resolved", "engineers"), ("cats", "resolved", "stakeholders")]
    assert sorted(house.told(house.sns)[2:]) == resolved
    assert [
        notice.event for batch in house.bus.batches for notice in batch.notices
    ] == ["dataset.late", "dataset.recovered"]
    assert house.state.open == {}
    assert house.check(MINUTES_5).due == 0


def test_a_quiet_upstream_wakes_nobody() -> None:
    house = House({"cats": fresh(7 * HOUR)})
    quiet_upstream(house)
    house.check()
    # that no pull ever ran stands beside it, and engineers read it
    assert house.told(house.sns) == [
        ("cats", "opened", "engineers"),
        ("cats", "opened", "stakeholders"),
    ]
    assert house.pages() == []


def test_nothing_is_looked_at_on_the_way_of_what_is_on_time() -> None:
    house = House({"cats": fresh(), "dogs": fresh(7 * HOUR)})
    house.check()
    assert {name for _, name in house.sources.asked} == {"dogs"}
    assert {section for section, _ in house.sources.asked} == {
        "upstream", "pull", "landing", "load", "pipe",
    }  # fmt: skip


def test_a_source_that_fails_leaves_the_others_their_say(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House({"cats": fresh(7 * HOUR)})
    quiet_upstream(house)
    house.sources.faults = {
        "pipe": WarehouseError("no"),
        "pull": RuntimeError("a bug of ours"),
        "landing": LandingError("no"),
    }
    house.check()
    (incident,) = house.state.all.values()
    assert incident.cause == "upstream_quiet"
    for section in ("pipe", "pull", "landing"):
        assert f"cats: {section} could not be collected" in caplog.text


def test_a_missing_table_is_unknown_and_blinds_no_other() -> None:
    tables: dict[str, FakeTable | WarehouseError] = {
        f"t{number}": fresh(7 * HOUR if number == 3 else HOUR) for number in range(40)
    }
    house = House(tables)
    house.warehouse.tables["t7"] = AccessRefused("not yours")
    result = house.check()
    assert (result.unknown, result.suspects) == (1, 1)
    assert house.state.seen["t7"].state == "unknown"
    assert house.state.seen["t3"].state == "error"
    states = {name: watch.state for name, watch in house.state.seen.items()}
    assert sum(state == "pass" for state in states.values()) == 38
    assert result.statements < 15 + 2  # bisecting 40, and the one suspect's own


def test_what_cannot_be_read_is_unknown_and_never_late() -> None:
    house = House({"cats": fresh()})
    house.warehouse.is_down = True
    result = house.check()
    assert (result.unknown, result.suspects) == (1, 0)
    assert house.told(house.bus) == []  # no dataset.late
    assert of_cats(house) == [("cats", "opened", "engineers")]
    house.warehouse.is_down = False
    house.check(MINUTES_5)
    assert house.told(house.sns)[1:] == [("cats", "resolved", "engineers")]
    assert house.told(house.bus) == []


def test_not_being_able_to_look_does_not_end_an_incident() -> None:
    house = House({"cats": fresh(7 * HOUR)})
    house.check()
    house.warehouse.is_down = True
    house.check(MINUTES_5)
    house.check(MINUTES_5)
    (incident,) = house.state.all.values()
    assert (incident.state, incident.resolved_at) == ("error", None)
    assert house.told(house.sns)[2:] == [("cats", "blind", "engineers")]
    house.warehouse.is_down = False
    house.check(MINUTES_5)
    assert len(house.told(house.sns)) == 3


def test_many_datasets_with_one_cause_are_one_message() -> None:
    house = House({f"t{number}": fresh(7 * HOUR) for number in range(50)})
    house.check()
    batches = [x for x in house.slack.batches if x.first.audience == "engineers"]
    (batch,) = batches
    assert batch.message.headline.startswith("[page] 50 datasets late: ")
    assert len(batch.notices) == 50
    # systems get each event as it is, as many at once as the bus takes
    assert [len(batch.notices) for batch in house.bus.batches] == [10] * 5


def test_rows_from_the_future_do_not_make_an_old_table_fresh() -> None:
    old = FakeTable(
        NOW - 120 * HOUR, NOW - HOUR, future=1, ahead=NOW + timedelta(days=365)
    )
    house = House({"cats": old, "dogs": fresh()})
    result = house.check()
    assert house.state.seen["cats"].state == "error"
    assert result.statements == 2
    (incident,) = house.state.all.values()
    assert "future_rows" in incident.also


def test_quiet_time_over_old_data_is_not_a_recovery() -> None:
    quiet = {**PROMISE, "calendar": {"quiet": ["12:00-14:00"]}}
    house = House({"cats": fresh(7 * HOUR)}, freshness=quiet)
    house.check()
    told = len(house.told(house.sns))
    while house.now < NOW + timedelta(hours=5, minutes=30):
        house.check(MINUTES_5)
        assert house.state.seen["cats"].state == (
            "pass" if 12 <= house.now.hour < 14 else "error"
        )
    assert len(house.told(house.sns)) == told
    assert len(house.state.all) == 1


def test_data_that_comes_in_quiet_time_is_a_recovery() -> None:
    quiet = {**PROMISE, "calendar": {"quiet": ["09:03-14:00"]}}
    house = House({"cats": fresh(7 * HOUR)}, freshness=quiet)
    house.check()
    house.check(MINUTES_5)
    assert house.state.seen["cats"].state == "pass"
    assert "cats" in house.state.open
    house.age("cats", timedelta())
    house.check(MINUTES_5)
    assert house.state.open == {}


def test_a_morning_that_slack_sleeps_through_is_told_once_it_is_awake() -> None:
    house = House({"cats": fresh()})
    house.check()
    digest = dataclasses.replace(
        a_batch(notice_id="digest.slack", kind="digest", page=False).first,
        dataset="",
        channel="slack",
        created_at=house.now,
    )
    house.state.outbox = {digest.notice_id: digest}
    house.slack.fault = ChannelDown("503")
    for _ in range(6):
        house.age("cats", MINUTES_5)
        assert house.check(HOUR).waiting >= 1
    assert house.told(house.slack) == []
    house.slack.fault = None
    for _ in range(3):
        house.check(MINUTES_5)
    told = [
        one.notice_id
        for batch in house.slack.batches
        for one in batch.notices
        if one.kind == "digest"
    ]
    assert told == [digest.notice_id]


def test_who_is_late_is_told_before_anybody_looks_at_access(
    faults: Callable[[], list[str]],
) -> None:
    house = House({"cats": fresh(7 * HOUR)})
    quiet_upstream(house)
    told: list[list[tuple[str, str, str]]] = []

    def look(_: datetime) -> Sequence[Notice]:
        told.append(house.told(house.sns))
        raise WarehouseUnreachable("no answer")

    house.access = look
    house.check()
    assert told == [house.told(house.sns)]
    assert told[0]
    assert faults() == ["could not see who may read what is personal"]


def test_slack_that_is_down_does_not_keep_mail_from_leaving() -> None:
    house = House({"cats": fresh(7 * HOUR)})
    house.slack.fault = ChannelDown("Slack did not answer")
    result = house.check()
    assert (result.delivered, result.waiting) == (3, 2)
    assert len(house.sns.batches) == 2
    house.slack.fault = None
    result = house.check(MINUTES_5)
    assert (result.delivered, result.waiting) == (2, 0)
    assert len(house.slack.batches) == 2
    assert len(house.sns.batches) == 2


def test_notices_that_wait_for_long_are_an_incident_of_the_monitor_alone() -> None:
    house = House({f"t{n}": fresh(7 * HOUR) for n in range(3)})
    house.slack.fault = ChannelDown("Slack did not answer")
    for _ in range(5):
        house.check(MINUTES_5)
    about_us = [x for x in house.told(house.sns) if x[0] == MONITOR]
    assert about_us == [(MONITOR, "opened", "engineers")]
    house.slack.fault = None
    house.check(MINUTES_5)
    house.check(MINUTES_5)
    about_us = [x for x in house.told(house.sns) if x[0] == MONITOR]
    assert about_us[1:] == [(MONITOR, "resolved", "engineers")]


def test_a_check_after_a_long_silence_says_so_once() -> None:
    house = House({f"t{n}": fresh(timedelta()) for n in range(3)})
    house.check()
    house.check(2 * HOUR)
    (incident,) = house.state.all.values()
    assert (incident.dataset, incident.cause) == (MONITOR, "monitor_late")
    assert [notice.dataset for notice in house.pages()] == [MONITOR]
    house.check(MINUTES_5)
    assert house.state.open == {}


def test_rows_that_were_deleted_stay_the_cause_for_as_long_as_it_is_late() -> None:
    house = House({"cats": fresh(HOUR)})
    house.check()
    house.warehouse.tables["cats"] = FakeTable(NOW - 9 * HOUR, NOW, rows=40)
    for _ in range(3):
        house.check(2 * HOUR + MINUTES_5)
        assert [x.cause for x in house.state.all.values() if x.dataset == "cats"] in (
            [],
            ["rows_deleted"],
        )
    assert "cats" in house.state.open
    assert house.state.seen["cats"].row_count == 100


def test_a_changed_promise_is_judged_at_once() -> None:
    house = House({"cats": fresh()})
    house.check()
    house.datasets = [
        a_dataset(
            name="cats",
            freshness={**PROMISE, "error_after": {"count": 30, "period": "minute"}},
        )
    ]
    assert house.check(MINUTES_5).due == 1
    assert house.state.seen["cats"].state == "error"


def test_whoever_was_told_hears_that_a_dataset_was_removed() -> None:
    house = House({"cats": fresh(7 * HOUR), "dogs": fresh()})
    house.check()
    told = len(house.told(house.sns))
    house.datasets = house.datasets[1:]
    house.check(MINUTES_5)
    assert house.state.open == {}
    assert "cats" not in house.state.seen
    assert house.told(house.sns)[told:] == [
        ("cats", "resolved", "engineers"),
        ("cats", "resolved", "stakeholders"),
    ]
    assert house.sns.batches[-1].message.headline.startswith("cats was removed")
    assert house.bus.batches[-1].first.event == "dataset.closed"
    (over,) = house.state.all.values()
    assert over.ended_by == "removed"


def test_the_end_is_told_where_the_owner_was_told_though_the_dataset_be_gone() -> None:
    house = House({"cats": fresh(7 * HOUR)})
    owner = {"slack": "#cats", "stakeholders": "#people"}
    (cats,) = house.datasets
    owned = cats.owner.model_copy(update=owner)
    house.datasets = [cats.model_copy(update={"owner": owned})]
    house.check()
    house.datasets = []
    house.check(MINUTES_5)
    ends = [one for one in house.slack.batches if one.first.kind == "resolved"]
    assert {one.first.address for one in ends} == {"#cats", "#people"}


STUCK = StuckRun(
    dataset="cats",
    run_id="20261123T085500.000Z-0123456789ab",
    is_broken=True,
    problem="the manifest is gone",
)


def sweep_that_leaves(*stuck: StuckRun) -> Callable[[], object]:
    def sweep() -> None:
        if stuck:
            raise SweepIncomplete("some are left", stuck=stuck)

    return sweep


def about_us(house: House) -> list[tuple[str, bool]]:
    return [
        (notice.kind.value, notice.page)
        for batch in house.sns.batches
        for notice in batch.notices
        if notice.dataset == MONITOR
    ]


def test_a_sweep_that_fails_hinders_no_check(
    caplog: pytest.LogCaptureFixture, faults: Callable[[], list[str]]
) -> None:
    house = House({"cats": fresh(7 * HOUR)})

    def refused() -> None:
        raise LandingError("the bucket cannot be listed")

    house.sweep = refused
    result = house.check()
    assert (result.swept, result.suspects) == (False, 1)
    assert "the bucket cannot be listed" in caplog.text
    assert faults() == ["could not look for unfinished runs; the next check will"]
    assert about_us(house) == []


def test_a_run_that_nobody_can_complete_pages_once_and_its_end_is_told() -> None:
    house = House({"cats": fresh()})
    house.sweep = sweep_that_leaves(STUCK)
    for _ in range(3):
        assert house.check(MINUTES_5).swept is False
    assert about_us(house) == [("opened", True)]
    (incident,) = house.state.all.values()
    assert (incident.cause, incident.stage) == ("run_stuck", "landing")
    assert any("the manifest is gone" in line for line in incident.evidence)
    assert "restore" in incident.next_step
    house.sweep = sweep_that_leaves()
    assert house.check(MINUTES_5).swept is True
    assert about_us(house)[1:] == [("resolved", False)]
    assert house.state.open == {}


def test_another_run_that_is_stuck_is_news_and_one_that_is_known_is_none() -> None:
    house = House({"cats": fresh(timedelta()), "dogs": fresh(timedelta())})
    house.sweep = sweep_that_leaves(STUCK)
    house.check()
    other = dataclasses.replace(STUCK, dataset="dogs")
    house.sweep = sweep_that_leaves(STUCK, other)
    house.check(MINUTES_5)
    assert about_us(house) == [("opened", True), ("changed", True)]
    house.sweep = sweep_that_leaves(other)
    house.check(MINUTES_5)
    house.sweep = sweep_that_leaves(dataclasses.replace(other, problem="in new words"))
    house.check(MINUTES_5)
    assert len(about_us(house)) == 2


def test_a_run_that_could_not_be_completed_yet_is_told_after_an_hour() -> None:
    house = House({"cats": fresh(timedelta())})
    house.sweep = sweep_that_leaves(dataclasses.replace(STUCK, is_broken=False))
    house.check()  # five minutes after it started
    house.check(timedelta(minutes=10))
    for _ in range(4):
        house.check(timedelta(minutes=10))
        assert about_us(house) == []
    house.check(timedelta(minutes=10))
    assert about_us(house) == [("opened", True)]


EMPTY = FakeTable(None, None, rows=0)
"""What a table is before its first row. Checks begin at 09:00, ticks come at 00:00."""


def test_a_dataset_that_never_had_a_row_is_not_late_before_its_first_tick() -> None:
    house = House({"cats": EMPTY})
    result = house.check()
    assert (result.suspects, result.notices) == (0, 0)
    watch = house.state.seen["cats"]
    midnight = NOW + 15 * HOUR
    assert (watch.state, watch.incident_id) == ("pass", None)
    # No run was seen yet: a first one may take a function's longest, then the grace.
    assert watch.next_look_at == midnight + timedelta(minutes=15 + 15)
    while house.now < watch.next_look_at - MINUTES_5:
        assert house.check(MINUTES_5).due == 0
    assert house.told(house.sns) == []


def test_a_dataset_whose_first_rows_do_not_come_is_late_as_ever() -> None:
    house = House({"cats": EMPTY})
    house.check()
    result = house.check(timedelta(hours=15, minutes=30))
    assert (result.suspects, house.state.seen["cats"].state) == (1, "error")
    assert ("cats", "opened", "engineers") in house.told(house.sns)
    # Nothing gives it time a second time, not even a schedule that is made anew.
    house.sources.schedules["cats"] = DeployedSchedule(
        is_enabled=True, created_at=house.now
    )
    house.check(MINUTES_5)
    assert house.state.seen["cats"].state == "error"


def test_first_rows_that_come_are_judged_as_ever_and_told_to_nobody() -> None:
    house = House({"cats": EMPTY})
    house.check()
    house.now += timedelta(hours=15, minutes=10)
    house.age("cats", timedelta(minutes=5))
    house.check(timedelta(minutes=20))
    watch = house.state.seen["cats"]
    assert (watch.state, watch.first_load_over) == ("pass", True)
    house.warehouse.tables["cats"] = EMPTY
    house.check(6 * HOUR)
    assert house.state.seen["cats"].state == "error"
    assert {name for name, *_ in house.told(house.sns)} == {"cats", MONITOR}


def test_a_schedule_that_was_made_after_the_monitor_sets_the_first_tick() -> None:
    house = House({"cats": EMPTY})
    house.check()
    # The deploy went on past midnight: the tick of that day was none.
    house.sources.schedules["cats"] = DeployedSchedule(
        is_enabled=True, created_at=NOW + timedelta(hours=15, minutes=10)
    )
    house.check(timedelta(hours=15, minutes=30))
    watch = house.state.seen["cats"]
    assert watch.state == "pass"
    assert watch.next_look_at == NOW + timedelta(hours=39, minutes=30)


def test_a_dataset_that_is_added_later_is_given_the_same_time() -> None:
    house = House({"cats": fresh(timedelta()), "dogs": EMPTY})
    cats, dogs = house.datasets
    house.datasets = [cats]
    house.check()
    house.datasets = [cats, dogs]
    house.check(MINUTES_5)
    assert house.state.seen["dogs"].state == "pass"
    assert house.told(house.sns) == []


def test_an_empty_table_that_is_read_only_later_gets_no_more_time() -> None:
    house = House({"cats": AccessRefused("not yours")})
    house.check()
    assert house.state.seen["cats"].state == "unknown"
    house.warehouse.tables["cats"] = EMPTY
    house.check(MINUTES_5)
    watch = house.state.seen["cats"]
    assert (watch.state, watch.first_seen_at) == ("pass", NOW)
    assert watch.next_look_at == NOW + timedelta(hours=15, minutes=30)


def test_a_change_that_somebody_else_made_first_is_looked_at_again() -> None:
    house = House({"cats": fresh(7 * HOUR), "dogs": fresh(7 * HOUR)})
    record = house.state.record

    def refuse_cats(*args: object, **kwargs: object) -> None:
        if args[1].dataset == "cats":  # type: ignore[attr-defined]  # an Incident
            raise StateConflict("a person was first")
        record(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they came

    house.state.record = refuse_cats  # type: ignore[method-assign]  # for one check
    result = house.check()
    assert result.conflicts == 1
    assert list(house.state.open) == ["dogs"]
    house.state.record = record  # type: ignore[method-assign]  # as it was
    house.check(MINUTES_5)
    assert sorted(house.state.open) == ["cats", "dogs"]


def test_what_is_not_reached_in_time_is_told_by_the_next_check() -> None:
    house = House({f"t{number}": fresh(7 * HOUR) for number in range(6)})
    answers = iter([True, True, False])
    house.has_time = lambda: next(answers, True)
    house.check()
    assert len(house.state.open) == 2
    assert {name for name, _, _ in house.told(house.sns)} == {"t0", "t1"}
    house.check(MINUTES_5)
    assert len(house.state.open) == 6
    assert len(house.told(house.sns)) == 12


def effects_of_a_story(faults: Faults) -> House:
    """Late, then well again, with deaths as `faults` says; every check comes again."""
    house = House(
        {"cats": fresh(7 * HOUR), "dogs": fresh(5 * HOUR), "mice": fresh()},
        faults=faults,
    )

    def check(after: timedelta) -> None:
        try:
            house.check(after)
        except Killed:
            house.check(MINUTES_5)

    check(timedelta())
    for name in house.warehouse.tables:
        house.age(name, timedelta())
    check(MINUTES_5)
    check(MINUTES_5)
    return house


def story_without_deaths() -> House:
    return effects_of_a_story(Faults())


EFFECTS = story_without_deaths().faults.seen


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, EFFECTS + 1))
def test_a_death_at_any_effect_loses_no_notice_and_doubles_only_equal_ones(
    at: int,
    after: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    calm = story_without_deaths()
    house = effects_of_a_story(Faults(at=at, after=after))
    assert house.faults.seen >= EFFECTS
    assert house.state.outbox == {}
    assert house.state.open == {}
    for channel, expected in (
        (house.sns, calm.sns),
        (house.slack, calm.slack),
        (house.bus, calm.bus),
    ):
        assert set(house.told(channel)) == set(calm.told(expected))
        # A second copy has the id of the first: whoever reads can drop it.
        by_id = {batch.batch_id: batch.message for batch in channel.batches}
        assert all(by_id[x.batch_id] == x.message for x in channel.batches)
        ids = {one.notice_id for batch in channel.batches for one in batch.notices}
        assert len(ids) == len(calm.told(expected))
    assert len(house.state.all) == len(calm.state.all)


def at_clock(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)


def test_the_record_of_a_dataset_names_its_next_look() -> None:
    house = House({"cats": fresh(HOUR)})
    house.check()
    look = house.state.seen["cats"].next_look_at
    assert look is not None
    assert at_clock(2) <= look <= at_clock(2) + timedelta(seconds=1)


def test_the_counters_are_json() -> None:
    import dataclasses  # noqa: PLC0415 - for one line

    house = House({"cats": fresh()})
    assert json.loads(json.dumps(dataclasses.asdict(house.check())))["datasets"] == 1


def test_minutes_out_of_the_promise_are_counted_in_the_same_write() -> None:
    house = House({"cats": fresh(2 * HOUR)})
    house.check()
    house.check(HOUR + MINUTES_5)
    for _ in range(6):
        house.check(timedelta(minutes=30))
    house.age("cats", timedelta())
    house.check(MINUTES_5)
    tally = house.state.seen["cats"].tally
    assert tally is not None
    # late from 10:00 on, in error from 13:00 on, new rows at 13:05
    assert (tally.today.warn_s, tally.today.error_s) == (3 * 3600, 5 * 60)
    (late,) = tally.lates
    assert (late.cause, late.seconds) == ("pull_not_run", 185 * 60)


def test_what_is_usual_is_told_when_it_happens_again() -> None:
    house = House({"cats": fresh(2 * HOUR)})
    quiet_upstream(house)
    house.check()
    house.check(HOUR + MINUTES_5)
    house.age("cats", timedelta())
    house.check(timedelta(minutes=40))
    quiet_upstream(house)
    house.check(3 * HOUR + MINUTES_5)
    opened = [
        batch.message
        for batch in house.sns.batches
        if batch.first.kind.value in {"opened", "reopened"}
        and batch.first.dataset == "cats"
        and batch.first.audience == "stakeholders"
    ]
    first, *second = [as_mail(message)[1] for message in opened]
    assert "Before:" not in first
    assert second
    for body in second:
        assert "Before: late once in the last 30 days, for 40 min" in body


def test_a_table_that_cannot_be_read_is_no_look_and_its_lateness_counts_on() -> None:
    house = House({"cats": fresh(4 * HOUR)})
    house.check()
    house.warehouse.is_down = True
    house.check(HOUR)
    house.warehouse.is_down = False
    house.check(HOUR + MINUTES_5)
    tally = house.state.seen["cats"].tally
    assert tally is not None
    assert (tally.today.warn_s, tally.today.error_s) == (2 * 3600, 5 * 60)


def _family(house: House) -> None:
    """`orders` and `items` are made from `shops`."""
    source = {
        "client": {"base_url": "http://127.0.0.1:1/"},
        "endpoint": {"path": "x", "incremental": {"cursor_path": "at"}},
        "parent": {"dataset": "shops", "fields": {"shop": "id"}},
    }
    house.datasets = [
        house.datasets[0],
        *(
            a_dataset(
                name=item.name,
                freshness=house.freshness,
                schedule={"cron": "0 0 * * ? *"},
                source=source,
            )
            for item in house.datasets[1:]
        ),
    ]


def test_what_is_made_from_a_late_dataset_is_told_with_it_and_pages_nobody() -> None:
    house = House(
        {"shops": fresh(7 * HOUR), "orders": fresh(8 * HOUR), "items": fresh(4 * HOUR)}
    )
    _family(house)
    house.check()
    assert {name for name, _, _ in house.told(house.sns)} == {"shops"}
    body = as_mail(house.sns.batches[0].message)[1]
    assert "Late with it: orders, items" in body
    assert {name for name, _, _ in house.told(house.bus)} == {
        "shops", "orders", "items",
    }  # fmt: skip
    assert len(house.state.open) == 3
    told = len(house.sns.batches)
    house.check(MINUTES_5)
    assert len(house.sns.batches) == told

    house.age("shops", MINUTES_5)
    house.age("items", MINUTES_5)
    house.check(MINUTES_5)
    since = house.told(house.sns)[told:]
    assert ("shops", "resolved", "engineers") in since
    assert ("orders", "opened", "engineers") in since
    assert {name for name, _, _ in since} == {"shops", "orders"}
    assert [page.dataset for page in house.pages()] == ["shops", "orders"]
    house.age("orders", MINUTES_5)
    house.check(MINUTES_5)
    assert house.state.open == {}


def _of_two_owners() -> House:
    """`orders` is made from `shops`, which is another team's; both are late."""
    house = House({"shops": fresh(7 * HOUR), "orders": fresh(8 * HOUR)})
    _family(house)
    owner = house.datasets[1].owner.model_copy(
        update={"team": "sales", "slack": "#sales", "stakeholders": "#sellers"}
    )
    house.datasets[1] = house.datasets[1].model_copy(update={"owner": owner})
    return house


def test_of_what_cannot_be_read_nobody_says_that_it_is_late_too() -> None:
    house = _of_two_owners()
    house.check()
    house.warehouse.tables["orders"] = AccessRefused("not yours")
    house.check(MINUTES_5)
    (blind,) = [one for one in house.slack.batches if one.first.kind == "blind"]
    assert blind.first.dataset == "orders"
    assert "is late, too" not in as_mail(blind.message)[1]


def test_another_owners_people_hear_that_theirs_is_late_and_wake_nobody() -> None:
    house = _of_two_owners()
    house.check()
    told = {(name, who) for name, _, who in house.told(house.slack)}
    assert told == {
        (name, who)
        for name in ("shops", "orders")
        for who in ("engineers", "stakeholders")
    }
    assert [page.dataset for page in house.pages()] == ["shops"]
    theirs = next(
        as_mail(one.message)[1]
        for one in house.slack.batches
        if one.first.dataset == "orders" and one.first.audience == "engineers"
    )
    assert "shops, which it is made from, is late, too" in theirs
    house.age("shops", MINUTES_5)
    house.check(MINUTES_5)
    assert [page.dataset for page in house.pages()] == ["shops", "orders"]


def test_one_message_lists_the_worst_first_and_says_how_many_it_leaves_out() -> None:
    tables: dict[str, FakeTable | WarehouseError] = {
        f"t{number:02d}": fresh(timedelta(hours=7, minutes=number))
        for number in range(80)
    }
    house = House(tables)
    house.check()
    (batch,) = [x for x in house.slack.batches if x.first.audience == "engineers"]
    body = as_mail(batch.message)[1]
    worst = body.partition("The worst first:\n")[2].splitlines()
    assert worst[0].startswith("- t79: newest 2026-11-23 00:41 UTC, not known when")
    assert worst[1].startswith("- t78: ")
    line = body.partition("And: ")[2].partition("\n")[0]
    assert line.startswith("t67, t66")
    assert line.endswith("t08 … and 8 more")
    assert "The first of them: [page] t79 " in body


# no dataset silences another ---------------------------------------------------------
def unwritable(house: House, name: str) -> None:
    """Nothing of this dataset can be recorded, for a reason of its own."""
    record = house.state.record

    def refused(
        before: Incident | None,
        after: Incident,
        *,
        notices: Sequence[Notice],
        watch: Watch | None,
    ) -> None:
        if after.dataset == name:
            raise RuntimeError("the item is too large")
        record(before, after, notices=notices, watch=watch)

    house.state.record = refused  # type: ignore[method-assign]  # one that refuses


def test_a_dataset_that_cannot_be_written_silences_no_other(
    faults: Callable[[], list[str]],
) -> None:
    house = House({"ants": fresh(7 * HOUR), "cats": fresh(7 * HOUR)})
    unwritable(house, "ants")
    result = house.check()
    assert result.failed == 1
    told = {name for name, _, _ in house.told(house.sns)}
    assert told == {"cats", MONITOR}
    assert "ants" not in house.state.seen
    (monitor,) = [one for one in house.state.all.values() if one.dataset == MONITOR]
    assert monitor.cause == "not_checked"
    assert monitor.evidence == ("ants: RuntimeError: the item is too large",)
    house.check(MINUTES_5)
    assert len(house.told(house.sns)) == len(set(house.told(house.sns)))
    assert faults() == ["could not check ants"] * 2


def test_a_dataset_that_cannot_be_judged_silences_no_other(
    monkeypatch: pytest.MonkeyPatch, faults: Callable[[], list[str]]
) -> None:
    def odd(dataset: Dataset, *arguments: object, **more: object) -> Signals:
        if dataset.name == "ants":
            raise OverflowError("date value out of range")
        return table_signals(dataset, *arguments, **more)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr("lambdas.adapters.signals.judge.table_signals", odd)
    house = House({"ants": fresh(), "cats": fresh(7 * HOUR)})
    assert house.check().failed == 1
    assert {name for name, _, _ in house.told(house.sns)} == {"cats", MONITOR}
    assert faults() == ["ants could not be judged"]


def test_what_waits_is_delivered_before_anything_that_may_fail() -> None:
    house = House({"cats": fresh(7 * HOUR)})
    house.sns.fault = ChannelDown("no answer")
    house.check()
    house.sns.fault = None

    def killed() -> None:
        raise KeyboardInterrupt

    house.sweep = killed
    with pytest.raises(KeyboardInterrupt):
        house.check(MINUTES_5)
    assert {name for name, _, _ in house.told(house.sns)} == {"cats"}


# at risk -----------------------------------------------------------------------------
def failed_pull(house: House, name: str, kind: RunErrorKind, times: int = 1) -> None:
    runs = tuple(
        Run(
            dataset=name,
            run_id=f"r{number}",
            status=RunStatus.FAILED,
            started_at=house.now - timedelta(minutes=number),
            finished_at=house.now,
            rows=0,
            size=0,
            objects=0,
            pages=0,
            requests=1,
            retries=0,
            cursor_before=None,
            cursor_after=None,
            error=RunError(kind=kind, message="no"),
        )
        for number in range(times)
    )
    state = DatasetState(dataset=name, version=3)
    house.sources.pulls[name] = PullFacts(
        state=state, runs=runs, schedule=DeployedSchedule(is_enabled=True)
    )
    house.state.failed.add(name)


def pulled(house: House, name: str) -> None:
    facts = house.sources.pulls[name]
    landed = dataclasses.replace(facts.runs[0], status=RunStatus.LANDED, error=None)
    house.sources.pulls[name] = dataclasses.replace(facts, runs=(landed,))


def at_risk_and_read(house: House) -> Incident | None:
    """Its incident, after a check that had to read its table, and found it on time."""
    house.age("cats", MINUTES_5)
    assert house.check(3 * HOUR - MINUTES_5).due == 1
    assert house.state.seen["cats"].read_at == house.now
    return house.state.open_incident("cats")


def test_a_failed_pull_is_told_though_the_table_was_read_and_is_on_time() -> None:
    house = House({"cats": fresh()})
    house.check()
    failed_pull(house, "cats", RunErrorKind.AUTH)
    incident = at_risk_and_read(house)
    assert incident is not None
    assert (incident.kind, incident.cause) == ("at_risk", "credentials_rejected")


@pytest.mark.parametrize(
    ("is_enabled", "cause"), [(True, "pull_not_run"), (False, "schedule_disabled")]
)
def test_pulls_that_start_no_more_after_one_that_failed_are_a_risk(
    *, is_enabled: bool, cause: str
) -> None:
    house = House({"cats": fresh()})
    house.datasets = [a_dataset(name="cats", freshness=PROMISE)]
    house.check()
    failed_pull(house, "cats", RunErrorKind.INTERNAL)
    facts, enabled = house.sources.pulls["cats"], DeployedSchedule(is_enabled=True)
    house.sources.pulls["cats"] = dataclasses.replace(
        facts, schedule=dataclasses.replace(enabled, is_enabled=is_enabled)
    )
    house.sources.upstream_newest["cats"] = NOW
    house.check(10 * MINUTES_1)
    assert (house.state.open_incident("cats") is None) == is_enabled
    house.check(80 * MINUTES_1)
    incident = house.state.open_incident("cats")
    assert incident is not None
    assert (incident.kind, incident.cause) == ("at_risk", cause)
    asked = [one for one in house.sources.asked if one[0] == "upstream"]
    assert asked


@pytest.mark.parametrize("is_known", [True, False])
def test_a_risk_lasts_while_the_table_is_read_on_time(*, is_known: bool) -> None:
    """Also where nobody can tell, for once, how its pulls are."""
    house = House({"cats": fresh()})
    house.check()
    failed_pull(house, "cats", RunErrorKind.AUTH)
    house.check(MINUTES_5)
    before = house.state.open_incident("cats")
    if not is_known:
        house.sources.faults["pull"] = LandingError("throttled")
        house.check(MINUTES_5)  # nor while it is not read
        assert house.state.open_incident("cats") == before
        house.age("cats", MINUTES_5)
        house.check(3 * HOUR - 2 * MINUTES_5)
        house.sources.faults.clear()
    else:
        at_risk_and_read(house)
    after = house.state.open_incident("cats")
    assert before is not None
    assert after is not None
    assert after.incident_id == before.incident_id
    assert of_cats(house) == [("cats", "opened", "engineers")]
    pulled(house, "cats")
    house.age("cats", timedelta())
    house.check(MINUTES_5)
    assert house.state.open_incident("cats") is None


def test_a_failed_pull_is_told_before_the_data_are_late_and_wakes_no_warehouse() -> (
    None
):
    house = House({"cats": fresh(), "dogs": fresh()})
    house.check()
    failed_pull(house, "cats", RunErrorKind.AUTH)
    result = house.check(MINUTES_5)
    assert result.statements == 0
    assert of_cats(house) == [("cats", "opened", "engineers")]
    assert house.pages() == []
    (risk,) = house.state.all.values()
    assert (risk.kind, risk.cause) == ("at_risk", "credentials_rejected")
    assert house.bus.batches[0].first.event == "dataset.at_risk"
    assert [house.check(MINUTES_5).statements for _ in range(3)] == [0, 0, 0]
    assert len(house.sns.batches) == 1
    house.check(3 * HOUR)
    (late,) = [one for one in house.state.all.values() if one.dataset == "cats"]
    assert late.incident_id == risk.incident_id
    assert late.kind == "late"
    pulled(house, "cats")
    house.age("cats", timedelta())
    house.age("dogs", timedelta())
    house.check(MINUTES_5)
    assert house.state.open == {}


@pytest.mark.parametrize("is_seen_before", [True, False])
@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (RunErrorKind.AUTH, "credentials_rejected"),
        (RunErrorKind.RESPONSE, "response_changed"),
        (RunErrorKind.HTTP, "upstream_down"),
        (RunErrorKind.INTERNAL, "pull_failed"),
    ],
)
def test_a_first_pull_that_fails_is_told_with_its_reason_and_pages_nobody(
    kind: RunErrorKind, cause: str, *, is_seen_before: bool
) -> None:
    house = House({"cats": EMPTY})
    if is_seen_before:
        house.check()
    failed_pull(house, "cats", kind)
    house.check(MINUTES_5)
    (risk,) = house.state.all.values()
    assert (risk.kind, risk.cause, risk.state) == ("at_risk", cause, "pass")
    assert of_cats(house) == [("cats", "opened", "engineers")]
    assert house.pages() == []
    watch = house.state.seen["cats"]
    assert (watch.at_risk, watch.first_load_over) == (True, False)
    assert risk.late_at == watch.next_look_at
    for _ in range(3):
        house.check(MINUTES_5)
    assert len(house.sns.batches) == 1
    pulled(house, "cats")
    house.check(MINUTES_5)
    assert house.state.open == {}


def test_a_first_pull_that_goes_on_failing_is_late_in_the_same_incident() -> None:
    house = House({"cats": EMPTY})
    failed_pull(house, "cats", RunErrorKind.AUTH)
    house.check()
    house.check(timedelta(hours=15, minutes=30))
    assert house.state.seen["cats"].state == "error"
    (late,) = [one for one in house.state.all.values() if one.dataset == "cats"]
    assert (late.kind, late.cause) == ("late", "credentials_rejected")


def test_what_was_at_risk_and_is_mended_ends_without_having_been_late() -> None:
    house = House({"cats": fresh()})
    house.check()
    failed_pull(house, "cats", RunErrorKind.SCHEMA)
    house.check(MINUTES_5)
    pulled(house, "cats")
    house.check(MINUTES_5)
    assert house.state.open == {}
    assert house.state.failed == set()
    assert house.sns.batches[-1].message.headline == "cats is no longer at risk"
    assert not house.state.seen["cats"].at_risk


def test_one_failure_that_is_retried_is_no_news_and_three_are() -> None:
    house = House({"cats": fresh()})
    house.sources.upstream_newest["cats"] = NOW
    house.check()
    failed_pull(house, "cats", RunErrorKind.INTERNAL)
    house.check(MINUTES_5)
    assert house.told(house.sns) == []
    failed_pull(house, "cats", RunErrorKind.INTERNAL, times=3)
    house.check(MINUTES_5)
    assert of_cats(house) == [("cats", "opened", "engineers")]


def test_a_relation_that_was_not_made_puts_its_dataset_at_risk() -> None:
    house = House({"cats": fresh()})
    house.check()
    unmade = Problem(
        code="relation_not_made",
        dataset="cats",
        sentence="its relation could not be made of its new columns: no such column",
        next_step="deploy",
        since=NOW,
    )
    house.state.problems = [unmade]
    house.check(MINUTES_5)
    house.state.problems = []
    house.check(MINUTES_5)
    said = [batch.message.headline for batch in house.sns.batches]
    assert said == [
        "cats at risk: its relation could not be made",
        "cats is no longer at risk",
    ]
    assert house.sns.batches[0].first.cause == "relation_not_made"
    assert not house.sns.batches[0].page


def test_a_problem_of_its_loads_puts_a_dataset_at_risk_in_its_own_incident() -> None:
    house = House({"cats": fresh()})
    house.check()
    house.state.problems = [
        Problem(
            code="load_failed",
            dataset="cats",
            sentence="3 files failed to load",
            next_step="`catflap replay cats`",
            since=NOW,
        )
    ]
    assert house.check(MINUTES_5).statements == 0
    (incident,) = house.state.all.values()
    assert (incident.dataset, incident.kind) == ("cats", "at_risk")
    assert incident.evidence == ("3 files failed to load",)
    assert incident.late_at is not None
    house.state.problems = []
    house.check(MINUTES_5)
    assert house.state.open == {}


def test_an_ack_of_what_is_at_risk_is_one_of_what_is_late_and_both_name_the_owner() -> (
    None
):
    house = House({"cats": fresh()})
    (cats,) = house.datasets
    owner = cats.owner.model_copy(update={"team": "felines"})
    house.datasets = [cats.model_copy(update={"owner": owner})]
    house.check()
    house.state.problems = [
        Problem(
            code="pipe_stopped",
            dataset="cats",
            sentence="its pipe is PAUSED",
            next_step="`catflap replay cats`",
            since=NOW,
        )
    ]
    house.check(MINUTES_5)
    (risk,) = house.state.all.values()
    by_hand(house, acknowledge=True)
    failed_pull(house, "cats", RunErrorKind.INTERNAL, times=3)
    house.check(3 * HOUR)
    (late,) = [one for one in house.state.all.values() if one.dataset == "cats"]
    assert (late.incident_id, late.kind) == (risk.incident_id, "late")
    assert late.human.acknowledged_by == "ann"
    mails = [
        as_mail(batch.message)[1]
        for batch in house.sns.batches
        if batch.first.dataset == "cats"
    ]
    assert len(mails) > 1
    assert [one for one in mails if "felines" not in one] == []


def test_a_paused_dataset_raises_no_alarm_and_begins_anew() -> None:
    house = House({"cats": fresh(7 * HOUR)})
    house.check()
    assert len(house.pages()) == 1
    told = len(house.told(house.sns))
    running = house.datasets[0]
    paused = running.schedule.model_copy(update={"paused": "the source is moving"})
    house.datasets = [running.model_copy(update={"schedule": paused})]
    house.check(MINUTES_5)
    (over,) = house.state.all.values()
    assert over.ended_by == "not_promised"
    assert len(house.told(house.sns)) == told + 2
    assert house.check(48 * HOUR).due == 0
    since = [one for one in house.told(house.sns) if one[0] == "cats"]
    assert len(since) == told + 2
    assert house.check(48 * HOUR).due == 0
    of_cats = [one for one in house.told(house.sns) if one[0] == "cats"]
    assert len(of_cats) == told + 2
    house.datasets = [running]
    resumed = house.check(MINUTES_5)
    assert (resumed.due, resumed.suspects) == (1, 0)
    midnight = house.now.replace(hour=0, minute=0) + 24 * HOUR
    assert house.check(midnight - house.now + 29 * MINUTES_1).suspects == 0
    assert house.check(2 * MINUTES_1).suspects == 1
    assert len([one for one in house.pages() if one.dataset == "cats"]) == 2


def test_what_a_person_closed_is_opened_again_as_the_same_incident() -> None:
    house = House({"cats": fresh(7 * HOUR)})
    house.check()
    by_hand(house, resolve=True)
    house.check(MINUTES_5)
    (incident,) = house.state.all.values()
    assert incident.resolved_at is None
    kinds = [kind for name, kind, _ in house.told(house.sns) if name == "cats"]
    assert kinds == ["opened"] * 2 + ["reopened"] * 2
    assert len(house.pages()) == 1
    assert incident.times_late(house.now) == 1


def test_a_false_alarm_stays_one_while_the_data_are_the_same() -> None:
    house = House({"cats": fresh(7 * HOUR)})
    house.check()
    by_hand(house, false_alarm=True)
    for _ in range(12):
        house.check(HOUR)
    assert len(of_cats(house)) == 2
    house.age("cats", 9 * HOUR)
    house.check(MINUTES_5)
    assert len(of_cats(house)) == 4


def test_what_a_snooze_kept_back_is_told_when_it_is_over() -> None:
    house = House({"cats": fresh(4 * HOUR)})
    quiet_upstream(house)
    house.check()
    by_hand(house, snooze_until=house.now + 5 * HOUR)
    told = len(of_cats(house))
    house.sources.pipe_state = "PAUSED"
    house.sources.upstream_newest.clear()
    house.check(3 * HOUR)
    assert len(of_cats(house)) == told
    house.check(2 * HOUR)
    assert ("cats", "changed", "engineers") in of_cats(house)[told:]


def of_cats(house: House) -> list[tuple[str, str, str]]:
    return [one for one in house.told(house.sns) if one[0] == "cats"]


def test_a_load_that_the_bus_refuses_is_announced_by_the_next_check() -> None:
    house = House({"cats": fresh()})
    house.check()
    house.events.is_refusing = True
    house.age("cats", timedelta())
    house.check(3 * HOUR)
    house.check(MINUTES_5)
    assert house.events.published == []
    house.events.is_refusing = False
    house.check(MINUTES_5)
    house.check(MINUTES_5)
    ((kind, detail),) = house.events.published
    assert (kind, detail["dataset"]) == ("dataset.loaded", "cats")


def test_a_load_that_the_bus_refuses_waits_without_the_others() -> None:
    house = House({name: fresh() for name in ("cats", "dogs", "mice")})
    house.check()
    house.now += 3 * HOUR
    for name in ("cats", "dogs", "mice"):
        house.age(name, timedelta())
    house.events.refused = {f"dogs-loaded-{house.now.isoformat()}"}
    house.check()
    heard = [detail["dataset"] for _, detail in house.events.published]
    assert heard == ["cats", "mice"]
    assert [*house.state.events] == [*house.events.refused]
    house.events.refused = set()
    house.check(MINUTES_5)
    heard = [detail["dataset"] for _, detail in house.events.published]
    assert heard == ["cats", "mice", "dogs"]
    assert house.state.events == {}


def by_hand(house: House, **change: Any) -> None:
    """As `catflap incident` records it; nobody is told of it here."""
    before = house.state.open_incident("cats")
    assert before is not None
    changed = changed_by_hand(before, Change(by="ann", **change), now=house.now)
    assert changed.incident is not None
    house.state.record(before, changed.incident, notices=(), watch=None)


@pytest.mark.parametrize("has_digest", [False, True])
def test_a_digest_takes_the_place_of_the_line_in_the_morning(
    has_digest: bool,  # noqa: FBT001 - a case
) -> None:
    house = House({"cats": fresh(7 * HOUR)})
    owner = house.datasets[0].owner
    house.with_digest = frozenset({owner.team} if has_digest else ())
    quiet_upstream(house)
    house.check()
    for _ in range(26):
        house.check(after=HOUR)
    daily = [one for one in house.told(house.sns) if one[1] == "daily"]
    assert daily == ([] if has_digest else [("cats", "daily", "stakeholders")])


def test_the_end_of_what_is_paused_is_told_to_its_owner() -> None:
    house = House({"cats": fresh(7 * HOUR)})
    house.check()
    opened = house.sns.batches[0].first
    running = house.datasets[0]
    paused = running.schedule.model_copy(update={"paused": "the source is moving"})
    house.datasets = [running.model_copy(update={"schedule": paused})]
    house.check(MINUTES_5)
    ended = house.sns.batches[-1].first
    assert ended.kind == "resolved"
    assert opened.team
    assert (ended.team, ended.address) == (opened.team, opened.address)
