"""PagerDuty: one key for an incident's life, and no event that it need not know of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from lambdas.adapters.channels.pagerduty import PagerDutyChannel, event_of
from lambdas.core.errors import ChannelDown, DeliveryError
from lambdas.core.incidents.channels import is_told
from lambdas.core.incidents.groups import batches_of
from lambdas.core.incidents.incident import NoticeKind
from lambdas.core.incidents.message import Message, block
from tests.api_server import Answer, Asked, serving
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


def a_channel(pager: Pager, key: str = KEY) -> PagerDutyChannel:
    return PagerDutyChannel(
        http=urllib3.PoolManager(),
        secrets=Key(key),
        reference="secret:pager#routing_key",
        url=pager.url,
        environment="prod",
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


def test_what_is_no_page_is_not_sent() -> None:
    quiet = a_batch(page=False, kind="changed").first
    assert event_of(quiet, environment="prod") is None
    note = a_batch(page=False, kind="edited").first
    assert event_of(note, environment="prod") is None
    assert not is_told("pagerduty", NoticeKind.CHANGED, page=False)
    assert is_told("pagerduty", NoticeKind.RESOLVED, page=False)


def test_each_page_is_an_event_of_its_own_so_that_each_end_finds_it() -> None:
    notices = [
        a_batch(channel="pagerduty", notice_id=f"n{n}", incident_id=f"cats-{n}").first
        for n in range(9)
    ]
    assert len(batches_of(notices)) == 9


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
