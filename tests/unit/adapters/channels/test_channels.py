"""Channels: what they send, what they make of a refusal, and what they never say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import urllib3

from lambdas.adapters.channels.bus import BusChannel
from lambdas.adapters.channels.registry import Tools, channels
from lambdas.adapters.channels.slack import SlackChannel
from lambdas.adapters.channels.sns import SnsChannel
from lambdas.adapters.event_bus import EventBus
from lambdas.core.errors import ChannelDown, DeliveryError, RunErrorKind, Terminal
from lambdas.core.incidents.channels import CHANNELS, routes
from lambdas.core.incidents.incident import Recipient
from lambdas.core.incidents.message import Message
from lambdas.core.settings import FreshnessSettings
from tests.api_server import Answer, Asked, serving
from tests.memory import FakeClock, MemoryEvents
from tests.watched import a_batch

CANARY = "T00CANARY/B00CANARY/xoxcanary"


class Slack:
    """A webhook on loopback: answers what it is told to, and keeps what it got."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.got: list[dict[str, Any]] = []
        self.url = ""

    def __call__(self, asked: Asked) -> Answer:
        self.got.append(asked.json)
        status, headers, body = (
            self.answers.pop(0) if self.answers else (200, {}, b"ok")
        )
        return Answer(status=status, headers=headers, body=body)


@pytest.fixture
def slack() -> Iterator[Slack]:
    hook = Slack()
    with serving(hook) as server:
        hook.url = f"{server.origin}/services/{CANARY}"
        yield hook


class OneSecret:
    def __init__(self, value: str | Exception) -> None:
        self._value = value

    def value(self, reference: str) -> str:
        assert reference == "secret:slack"
        if isinstance(self._value, Exception):
            raise self._value
        return json.dumps({"webhook_url": self._value})


def known(**more: str) -> FreshnessSettings:
    required = {
        name: "x"
        for name, field in FreshnessSettings.model_fields.items()
        if field.is_required()
    }
    return FreshnessSettings.model_validate({**required, **more})


def channel(url: str | Exception, clock: FakeClock | None = None) -> SlackChannel:
    unused: Any = None
    return SlackChannel(
        Tools(
            settings=known(channels='{"slack": {"secret": "slack"}}'),
            sns=unused,
            dynamodb=unused,
            events=MemoryEvents(),
            http=urllib3.PoolManager(),
            secrets=OneSecret(url),
            clock=clock or FakeClock(),
        )
    )


def test_slack_gets_blocks_and_a_text(slack: Slack) -> None:
    channel(slack.url).deliver(a_batch(Message(headline="cats & <dogs>")))
    (payload,) = slack.got
    assert payload["text"] == "cats &amp; &lt;dogs&gt;"
    assert payload["blocks"][0]["type"] == "header"
    assert "for engineers" in json.dumps(payload["blocks"][-1])


def test_a_webhook_has_one_place_and_posts_no_copies(slack: Slack) -> None:
    for copy_of in (None, "", "#cats"):
        channel(slack.url).deliver(a_batch(copy_of=copy_of))
    assert len(slack.got) == 1


def test_slack_is_given_the_time_it_asks_for(slack: Slack) -> None:
    clock = FakeClock()
    slack.answers = [(429, {"Retry-After": "7"}, b"rate_limited")]
    channel(slack.url, clock).deliver(a_batch())
    assert clock.slept == [7.0]
    assert len(slack.got) == 2


def test_slack_that_asks_for_too_long_is_left_for_the_next_check(slack: Slack) -> None:
    clock = FakeClock()
    slack.answers = [(429, {"Retry-After": "3600"}, b"")]
    with pytest.raises(ChannelDown):
        channel(slack.url, clock).deliver(a_batch())
    assert clock.slept == []


@pytest.mark.parametrize(
    ("status", "answer", "is_down"),
    [
        (400, b"invalid_blocks", False),
        (413, b"", False),
        (403, b"invalid_token", True),
        (404, b"no_service", True),
        (410, b"channel_is_archived", True),
        (302, b"", True),
        (500, b"rollup_error", True),
    ],
)
def test_a_refused_letter_is_not_a_channel_that_is_down(
    slack: Slack, status: int, answer: bytes, *, is_down: bool
) -> None:
    slack.answers = [(status, {"Location": "/elsewhere"}, answer)]
    with pytest.raises(DeliveryError) as caught:
        channel(slack.url).deliver(a_batch())
    assert isinstance(caught.value, ChannelDown) == is_down
    if answer:
        assert answer.decode() in str(caught.value)


def everything_said(error: BaseException) -> str:
    text = ""
    seen: BaseException | None = error
    while seen is not None:
        text += f"{seen!r} {seen} {seen.args}"
        seen = seen.__cause__ or seen.__context__
    return text


def test_the_webhook_stands_in_no_error(slack: Slack) -> None:
    url = slack.url
    echo = f"no such hook {CANARY}".encode()
    slack.answers = [(404, {}, echo), (429, {"Retry-After": "999"}, b"")]
    closed = f"http://127.0.0.1:1/services/{CANARY}"
    odd = f"ftp://example.com/{CANARY}"
    elsewhere = f"http://hooks.slack.example/{CANARY}"
    broken = f"https://[{CANARY}"
    for address in (url, url, closed, odd, elsewhere, broken):
        with pytest.raises(ChannelDown) as caught:
            channel(address).deliver(a_batch())
        assert "CANARY" not in everything_said(caught.value).upper()


def test_a_secret_that_cannot_be_read_is_a_channel_that_is_down() -> None:
    refused = Terminal("`secret:slack` does not exist", kind=RunErrorKind.AUTH)
    with pytest.raises(ChannelDown, match="secret:slack"):
        channel(refused).deliver(a_batch())


@pytest.mark.usefixtures("aws")
def test_mail_goes_to_its_audiences_topic_with_an_id_to_drop_copies_by() -> None:
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    topic = sns.create_topic(Name="stakeholders")["TopicArn"]
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"]
    )
    mail = SnsChannel(
        sns=sns,
        topics={Recipient.STAKEHOLDERS: topic, Recipient.ENGINEERS: f"{topic}-none"},
    )
    hostile = Message(headline="cats\nare läte … " + "x" * 200)
    batch = a_batch(hostile, audience=Recipient.STAKEHOLDERS, channel="sns")
    mail.deliver(batch)
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    envelope = json.loads(message["Body"])
    assert len(envelope["Subject"]) < 100
    attributes = {
        name: given["Value"] for name, given in envelope["MessageAttributes"].items()
    }
    assert attributes["notice_id"] == batch.batch_id
    assert attributes["page"] == "true"
    assert attributes["dataset"] == "cats"
    with pytest.raises(ChannelDown, match="NotFound"):
        mail.deliver(a_batch(channel="sns"))


@pytest.mark.usefixtures("aws")
def test_events_arrive_on_the_bus_and_a_refusal_is_seen() -> None:
    events, sqs = boto3.client("events"), boto3.client("sqs")
    events.create_event_bus(Name="catflap")
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    events.put_rule(
        Name="all", EventBusName="catflap", EventPattern='{"source":["catflap"]}'
    )
    events.put_targets(
        Rule="all",
        EventBusName="catflap",
        Targets=[{"Id": "q", "Arn": arn["Attributes"]["QueueArn"]}],
    )
    bus = BusChannel(events=EventBus(events=events, bus="catflap"))
    bus.deliver(
        a_batch(
            audience=Recipient.SYSTEMS,
            channel="bus",
            event="dataset.late",
            detail={"id": "1", "dataset": "cats", "cause": None},
        )
    )
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    event = json.loads(message["Body"])
    assert event["detail-type"] == "dataset.late"
    assert event["detail"] == {"id": "1", "dataset": "cats", "cause": None}

    class Refusing:
        def put_events(self, **_: object) -> dict[str, object]:
            entry = {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}
            return {"FailedEntryCount": 1, "Entries": [entry]}

    refusing = EventBus(events=Refusing(), bus="catflap")  # type: ignore[arg-type]  # the one call of it that is used
    with pytest.raises(DeliveryError, match="ThrottlingException"):
        refusing.publish("dataset.late", {"id": "1"})


@pytest.mark.usefixtures("aws")
def test_every_audience_has_a_channel_and_slack_only_with_a_secret() -> None:
    def tools(**more: str) -> Tools:
        return Tools(
            settings=known(**more),
            sns=boto3.client("sns"),
            dynamodb=boto3.client("dynamodb"),
            events=MemoryEvents(),
            http=urllib3.PoolManager(),
            secrets=OneSecret("x"),
            clock=FakeClock(),
        )

    made = channels(tools())
    assert set(made) == set(CHANNELS) - {"slack", "pagerduty"}
    assert all(routes({})[audience] for audience in Recipient)
    slack = tools(channels='{"slack": {"secret": "slack"}}')
    assert set(channels(slack)) == set(CHANNELS) - {"pagerduty"}
    both = routes(slack.settings.secrets_of_channels)
    assert both[Recipient.ENGINEERS] == ("sns", "slack")
    assert both[Recipient.SYSTEMS] == ("bus",)
