"""What people hear of loads: repairs once, problems until they are gone."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import timedelta

import pytest

from lambdas.core.incidents.incident import Recipient
from lambdas.core.incidents.notice import Notice
from lambdas.core.incidents.ports import CheckState
from lambdas.core.incidents.verdicts.repairs import loading_verdict
from lambdas.core.loading.repair import Problem, Refused, Repair, Repaired
from lambdas.core.names import LOADING
from lambdas.freshness.repair_notices import RepairNotices
from tests.watched import NOW, MemoryIncidents

HOUR = timedelta(hours=1)
PAUSED = Problem(
    code="pipe_stopped",
    dataset="cats",
    sentence="files wait, and the pipe P is PAUSED",
    next_step="`catflap replay cats` resumes it",
    since=NOW,
)
UNSUBSCRIBED = Problem(
    code="not_notified",
    dataset=None,
    sentence="Snowflake's queue is not subscribed",
    next_step="rename the topic",
    since=NOW,
)
REFUSED = Repaired(
    dataset="cats",
    run_id="r",
    repair=Repair.LANDED_AGAIN,
    at=NOW,
    files=("raw/cats/x",),
    rows=1_000,
    refused=(Refused(reason="a name stands twice", rows=3),),
)
REFRESHED = dataclasses.replace(REFUSED, repair=Repair.REFRESHED, rows=0, refused=())


class House:
    def __init__(self) -> None:
        self.state = MemoryIncidents()
        self.now = NOW
        self.stopped: Sequence[Problem] | None = ()

    def tell(self, after: timedelta = HOUR, *, seen: CheckState | None = None) -> int:
        self.now += after
        check_state = RepairNotices(
            state=self.state,
            told=self.state,
            routes={Recipient.ENGINEERS: ("sns", "slack")},
            dynamic_tables=lambda _: self.stopped,
        )
        return len(check_state.tell(seen or self.state.check_state(), self.now))

    def told(self) -> Sequence[Notice]:
        return self.state.undelivered()


@pytest.fixture
def house() -> House:
    return House()


def test_nothing_is_told_of_nothing(house: House) -> None:
    assert house.tell() == 0


def test_refused_rows_are_told_once_by_each_channel_and_wake_nobody(
    house: House,
) -> None:
    house.state.repaired = {REFUSED.repair_id: REFUSED}
    assert house.tell() == 2
    assert house.tell() == 0
    assert {notice.channel for notice in house.told()} == {"sns", "slack"}
    for notice in house.told():
        assert not notice.page
        assert "3 of 1,000 rows" in notice.message.headline
        assert "the other 997 are loaded" in notice.message.headline


def test_somebody_who_told_first_is_no_failure(house: House) -> None:
    house.state.repaired = {REFUSED.repair_id: REFUSED}
    seen = house.state.check_state()
    assert house.tell() == 2
    assert house.tell(seen=seen) == 0
    assert len(house.told()) == 2


def test_what_concerns_all_pages_once_and_its_end_is_told(house: House) -> None:
    house.state.problems = [UNSUBSCRIBED]
    assert house.tell() == 2
    assert all(notice.page for notice in house.told())
    assert house.tell() == 0
    house.state.problems = []
    house.state.outbox.clear()
    assert house.tell() == 2
    assert all("is well again" in notice.message.headline for notice in house.told())


def test_a_problem_of_one_dataset_is_told_with_its_own_incident(house: House) -> None:
    house.state.problems = [PAUSED]
    assert house.tell() == 0


def test_one_more_problem_of_all_is_news(house: House) -> None:
    house.state.problems = [UNSUBSCRIBED]
    house.tell()
    house.state.outbox.clear()
    house.state.problems = [
        UNSUBSCRIBED,
        dataclasses.replace(UNSUBSCRIBED, code="load_unseen"),
    ]
    assert house.tell() == 2
    assert house.tell() == 0


def test_while_the_wiring_is_broken_each_refresh_is_no_news(house: House) -> None:
    house.state.problems = [UNSUBSCRIBED]
    house.tell()
    house.state.outbox.clear()
    house.state.repaired = {REFRESHED.repair_id: REFRESHED, REFUSED.repair_id: REFUSED}
    assert house.tell() == 2
    assert all("refused" in notice.message.headline for notice in house.told())
    assert house.state.repaired == {}


def test_what_concerns_all_leads_and_no_dataset_is_said_to_be_late() -> None:
    verdict = loading_verdict([PAUSED, UNSUBSCRIBED])
    assert (verdict.dataset, verdict.state, verdict.cause) == (
        LOADING, "pass", "not_notified",
    )  # fmt: skip
    assert verdict.also == ("pipe_stopped",)
    assert "rename the topic" in verdict.next_step
    assert "catflap replay cats" in verdict.next_step


def test_a_dynamic_table_that_stopped_is_told_once_and_wakes_nobody(
    house: House,
) -> None:
    house.stopped = [
        Problem(
            code="dynamic_table_stopped",
            dataset="delays",
            sentence="the dynamic table is suspended; worst_routes with it",
            next_step="ask Snowflake why",
            since=NOW,
        )
    ]
    assert house.tell() == 2
    assert house.tell() == 0
    told = house.told()
    assert {one.page for one in told} == {False}
    assert "delays: the dynamic table is suspended" in told[0].message.headline
    assert "docs/models.md" in str(told[0].message)

    house.stopped = None
    assert house.tell() == 0, "what cannot be seen is not over"
    house.stopped = ()
    assert house.tell() == 2
