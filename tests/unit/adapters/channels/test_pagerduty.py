"""PagerDuty: one key for an incident's life, and no event that it need not know of."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest
import urllib3

from lambdas.adapters.channels.pagerduty import PagerDutyChannel
from lambdas.adapters.state.posts import SharedAlertTable
from lambdas.adapters.state.writes import TableWriter
from lambdas.core.errors import ChannelDown, DeliveryError
from lambdas.core.incidents.channels import is_told
from lambdas.core.incidents.groups import NoticeBatch, batches_of
from lambdas.core.incidents.incident import NoticeKind
from lambdas.core.incidents.message import Message, block
from tests.api_server import Answer, Asked, serving
from tests.state_table import TableInMemory
from tests.watched import a_batch

KEY = "0123456789abcdefCANARY7890abcdef"


class Pager:
    def __init__(self) -> None:
        self.status = 202
        self.got: list[Any] = []
        self.url = ""

    def __call__(self, asked: Asked) -> Answer:
        self.got.append(asked.json)
        return Answer(status=self.status, body=b"{}")


class Key:
    def __init__(self, value: str = KEY) -> None:
        self._value = value

    def value(self, reference: str) -> str:
        assert reference == "secret:pager#routing_key"
        return self._value


@pytest.fixture
def pager() -> Iterator[Pager]:
    made = Pager()
    with serving(made) as server:
        made.url = f"{server.origin}/v2/enqueue"
        yield made


class Alerts:
    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def all(self) -> dict[str, str]:
        return dict(self.kept)

    def keep(self, alert: str, incidents: Sequence[str]) -> None:
        self.kept |= dict.fromkeys(incidents, alert)

    def drop(self, incidents: Sequence[str]) -> None:
        for one in incidents:
            self.kept.pop(one, None)


def a_channel(
    pager: Pager, key: str = KEY, alerts: Alerts | None = None
) -> PagerDutyChannel:
    return PagerDutyChannel(
        http=urllib3.PoolManager(),
        secrets=Key(key),
        reference="secret:pager#routing_key",
        url=pager.url,
        environment="prod",
        alerts=alerts or Alerts(),
    )


def test_an_incident_is_triggered_acknowledged_and_resolved_by_one_key(
    pager: Pager,
) -> None:
    channel = a_channel(pager)
    message = Message(
        headline="x" * 2_000,
        blocks=(
            block("Evidence", ["see https://elsewhere.example.com/"]),
            block("Runbook", ["https://wiki.example.com/pipe_stopped"], links=True),
        ),
    )
    channel.deliver(a_batch(message, page=True, state="error", team="cats"))
    channel.deliver(a_batch(page=False, kind="edited", acknowledged_by="ann"))
    channel.deliver(a_batch(page=False, kind="resolved"))
    actions = [one["event_action"] for one in pager.got]
    assert actions == ["trigger", "acknowledge", "resolve"]
    assert {one["dedup_key"] for one in pager.got} == {"catflap/prod/cats-1"}
    assert {one["routing_key"] for one in pager.got} == {KEY}
    payload = pager.got[0]["payload"]
    assert (payload["severity"], payload["group"]) == ("critical", "cats")
    assert len(payload["summary"]) <= 1_024
    (link,) = pager.got[0]["links"]
    assert link["href"] == "https://wiki.example.com/pipe_stopped"


def test_what_is_no_page_is_not_sent(pager: Pager) -> None:
    channel = a_channel(pager)
    channel.deliver(a_batch(page=False, kind="edited"))
    channel.deliver(a_batch(page=False, kind="changed"))
    channel.deliver(a_batch(page=False, kind="resolved", has_paged=False))
    assert pager.got == []
    assert not is_told("pagerduty", NoticeKind.CHANGED, page=False)
    assert is_told("pagerduty", NoticeKind.RESOLVED, page=False)


def of_many(
    *names: str, page: bool = False, has_paged: bool = True, **changes: Any
) -> NoticeBatch:
    notices = [
        a_batch(
            channel="pagerduty",
            notice_id=f"{name}.{changes.get('kind')}",
            incident_id=f"{name}-1",
            dataset=name,
            page=page,
            has_paged=has_paged,
            **changes,
        ).first
        for name in names
    ]
    (batch,) = batches_of(notices)
    return batch


NEW: dict[str, Any] = {"kind": "opened", "page": True, "has_paged": False}


def events(pager: Pager) -> list[tuple[str, str]]:
    got = [(one["event_action"], one["dedup_key"]) for one in pager.got]
    pager.got.clear()
    return [(action, key.removeprefix("catflap/prod/")) for action, key in got]


def test_datasets_of_one_cause_ring_once_and_the_last_end_resolves_it(
    pager: Pager,
) -> None:
    channel = a_channel(pager)
    channel.deliver(of_many("a", "b", "c", state="error", **NEW))
    assert pager.got[0]["payload"]["component"] == "3 datasets"
    assert pager.got[0]["payload"]["summary"].startswith("[page] 3 datasets late")
    assert events(pager) == [("trigger", "a-1/and-others")]
    channel.deliver(of_many("b", kind="edited", acknowledged_by="ann"))
    assert events(pager) == [("acknowledge", "a-1/and-others")]
    channel.deliver(of_many("a", "b", kind="resolved"))
    assert events(pager) == []
    channel.deliver(of_many("c", kind="resolved"))
    assert events(pager) == [("resolve", "a-1/and-others")]


def test_what_has_paged_alone_keeps_its_alert_beside_others(pager: Pager) -> None:
    channel = a_channel(pager)
    channel.deliver(of_many("a", **NEW))
    again = a_batch(page=True, incident_id="a-1", notice_id="a.2", has_paged=True)
    fresh = of_many("b", "c", **NEW).notices
    together = [dataclasses.replace(again.first, channel="pagerduty"), *fresh]
    (batch,) = batches_of(together)
    channel.deliver(batch)
    assert events(pager) == [
        ("trigger", "a-1"),
        ("trigger", "a-1"),
        ("trigger", "b-1/and-others"),
    ]
    channel.deliver(of_many("a", "b", "c", kind="resolved"))
    assert events(pager) == [("resolve", "a-1"), ("resolve", "b-1/and-others")]


def test_a_page_that_was_not_taken_is_the_same_alert_when_it_is(pager: Pager) -> None:
    alerts = Alerts()
    channel = a_channel(pager, alerts=alerts)
    pager.status = 500
    with pytest.raises(ChannelDown):
        channel.deliver(of_many("b", "c", **NEW))
    pager.status, pager.got = 202, []
    # another is late by the next check, and leaves with them
    channel.deliver(of_many("a", "b", "c", **NEW))
    assert events(pager) == [("trigger", "a-1"), ("trigger", "b-1/and-others")]
    assert alerts.kept == dict.fromkeys(["b-1", "c-1"], "b-1/and-others")


def test_who_shares_an_alert_is_remembered_in_the_state_table() -> None:
    table = cast("Any", TableInMemory())
    writer = TableWriter(dynamodb=table, table="state")
    alerts = SharedAlertTable(dynamodb=table, table="state", writer=writer)
    alerts.keep("a-1/and-others", [f"n-{number}" for number in range(60)])
    assert alerts.all()["n-59"] == "a-1/and-others"
    alerts.drop([f"n-{number}" for number in range(1, 60)])
    assert alerts.all() == {"n-0": "a-1/and-others"}


@pytest.mark.parametrize(
    ("status", "is_down"), [(400, False), (429, True), (500, True), (200, True)]
)
def test_a_refused_event_is_not_a_channel_that_is_down(
    pager: Pager, status: int, *, is_down: bool
) -> None:
    pager.status = status
    with pytest.raises(DeliveryError) as caught:
        a_channel(pager).deliver(a_batch())
    assert isinstance(caught.value, ChannelDown) == is_down
    assert "CANARY" not in repr(caught.value)


def test_what_is_no_key_is_sent_nowhere(pager: Pager) -> None:
    with pytest.raises(ChannelDown, match="not a routing key"):
        a_channel(pager, "https://example.com/CANARY").deliver(a_batch())
    pager.url = "http://127.0.0.1:1/v2/enqueue"
    with pytest.raises(ChannelDown, match="did not answer"):
        a_channel(pager).deliver(a_batch())
    assert pager.got == []
