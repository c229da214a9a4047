"""What Slack is answered for a click, a modal, a command and everything else."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import urllib3
from slack_sdk.models.views import View

from lambdas.adapters.slack.api import SlackApi
from lambdas.adapters.slack.secret import SlackSecret
from lambdas.core.errors import ChannelDown
from lambdas.core.incidents.human import Action
from lambdas.core.slack.asked import PersonRequest
from lambdas.slack.front import SlackFront
from local.aws.function_urls import answer_of, event_of
from local.loopback import Answer, Asked, LoopbackServer
from local.slack.page import Post
from local.slack.person import SlackPerson
from local.slack.views import view_fault
from local.slack.webhook import SlackLookAlike
from local.slack.workspace import BOT_TOKEN
from tests.memory import FakeClock

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


class KeptSecret:
    def __init__(self, members: dict[str, str]) -> None:
        self.members = members

    def value(self, reference: str) -> str:
        assert reference == "secret:slack"
        return json.dumps(self.members)


class Queue:
    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.fails = False

    def send_message(self, **given: Any) -> None:
        if self.fails:
            raise ChannelDown("the queue is away")
        self.sent.append(given)

    @property
    def requests(self) -> list[PersonRequest]:
        return [
            msgspec.json.decode(one["MessageBody"], type=PersonRequest)
            for one in self.sent
        ]


class Desk:
    """The look-alike, a person in it, and the front that they reach."""

    def __init__(self) -> None:
        self.now = NOW
        self.slack = SlackLookAlike(now=lambda: self.now)
        self.queue = Queue()
        self.secret = KeptSecret(self.slack.app_secret)
        secret = SlackSecret(secrets=self.secret, name="slack")
        self.front = SlackFront(
            secret=secret,
            api=SlackApi(
                http=urllib3.PoolManager(),
                token=lambda: BOT_TOKEN,
                clock=FakeClock(),
                base_url=self.slack.api_url,
                wait_s=0,
            ),
            sqs=self.queue,  # type: ignore[arg-type]  # the one call of it that is used
            queue_url="people",
            now=lambda: self.now,
        )
        self.server = LoopbackServer(self.answered)
        self.server.start()
        self.ann = SlackPerson(workspace=self.slack.workspace, url=self.server.url)
        room = self.slack.workspace.room("#cats")
        buttons = [
            {"type": "button", "action_id": action.value, "value": "cats-1"}
            for action in Action
        ]
        self.post = Post(
            at=NOW,
            message={"blocks": [{"type": "actions", "elements": buttons}]},
            channel=f"#{room.name}",
            ts="1.1",
        )

    def answered(self, asked: Asked) -> Answer:
        event = event_of(asked, path="/", now=self.now)
        return answer_of(self.front.answer(event))

    def close(self) -> None:
        self.server.stop()
        self.slack.close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.close()


@pytest.mark.parametrize("action", ["acknowledge", "false_alarm", "resolve", "pull"])
def test_a_click_is_queued_and_answered_with_nothing(desk: Desk, action: str) -> None:
    answer = desk.ann.click(desk.post, action)
    assert (answer.status, answer.body) == (200, b"")
    (wanted,) = desk.queue.requests
    assert (wanted.action, wanted.target, wanted.by) == (
        action,
        "cats-1",
        "ann (U0ANN)",
    )
    (sent,) = desk.queue.sent
    assert sent["MessageGroupId"] == "cats-1"


def test_the_same_click_twice_has_one_id(desk: Desk) -> None:
    form = {"payload": json.dumps(desk.ann.click_payload(desk.post, "acknowledge"))}
    desk.ann.send(form)
    desk.ann.send(form)
    first, second = desk.queue.sent
    assert first["MessageDeduplicationId"] == second["MessageDeduplicationId"]
    desk.ann.click(desk.post, "acknowledge")
    assert (
        desk.queue.sent[2]["MessageDeduplicationId"] != first["MessageDeduplicationId"]
    )


def test_a_promise_is_asked_for_in_a_modal(desk: Desk) -> None:
    assert desk.ann.click(desk.post, "promise").status == 200
    assert desk.queue.sent == []
    (view,) = desk.slack.workspace.views
    by = int((NOW + timedelta(hours=3)).timestamp())
    answer = desk.ann.submit(view, when=by, words="The <!channel> source is down & out")
    assert (answer.status, answer.body) == (200, b"")
    (wanted,) = desk.queue.requests
    assert wanted.when == NOW + timedelta(hours=3)
    assert wanted.words == "The <!channel> source is down & out"


@pytest.mark.parametrize("action", ["snooze", "cause"])
def test_every_modal_opens_and_is_taken(desk: Desk, action: str) -> None:
    assert desk.ann.click(desk.post, action).status == 200
    (view,) = desk.slack.workspace.views
    answer = desk.ann.submit(
        view,
        when=int((NOW + timedelta(hours=1)).timestamp()),
        cause={"value": "pipe_stopped"},
        fix="https://example.com/1",
    )
    assert answer.status == 200
    (wanted,) = desk.queue.requests
    assert wanted.action == action


@pytest.mark.parametrize("chosen", [None, int(NOW.timestamp()) - 60, 10**18])
def test_a_time_that_is_over_is_said_at_its_field(desk: Desk, chosen: object) -> None:
    desk.ann.click(desk.post, "promise")
    answer = desk.ann.submit(desk.slack.workspace.views[0], when=chosen)
    assert answer.status == 200
    assert answer.json["response_action"] == "errors"
    assert list(answer.json["errors"]) == ["when"]
    assert desk.queue.sent == []


def test_a_link_that_is_none_is_said_at_its_field(desk: Desk) -> None:
    desk.ann.click(desk.post, "cause")
    answer = desk.ann.submit(desk.slack.workspace.views[0], fix="javascript:alert(1)")
    assert list(answer.json["errors"]) == ["fix"]


def test_a_modal_that_comes_too_late_is_shown_as_failed(desk: Desk) -> None:
    form = {"payload": json.dumps(desk.ann.click_payload(desk.post, "promise"))}
    desk.now += timedelta(seconds=4)
    assert desk.ann.send(form).status == 503


def test_a_queue_that_is_away_is_shown_as_failed(desk: Desk) -> None:
    desk.queue.fails = True
    assert desk.ann.click(desk.post, "acknowledge").status == 503


def test_a_forged_click_changes_nothing(desk: Desk) -> None:
    forger = SlackPerson(
        workspace=desk.slack.workspace, url=desk.server.url, secret="guess"
    )
    assert forger.click(desk.post, "resolve").status == 401
    assert desk.ann.post(b"payload={}", {}).status == 401
    old = {"payload": json.dumps(desk.ann.click_payload(desk.post, "resolve"))}
    assert desk.ann.send(old, at=NOW - timedelta(minutes=6)).status == 401
    assert desk.ann.post(b"x" * 70_000, {}).status == 413
    assert desk.queue.sent == []


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"payload": "{"},
        {"payload": "[]"},
        {"payload": '{"type": "block_actions"}'},
        {"payload": '{"type": "block_actions", "team": {"id": "T"}, "user": 1}'},
        {"command": "/catflap"},
    ],
)
def test_what_is_signed_and_malformed_is_refused(
    desk: Desk, form: dict[str, str]
) -> None:
    assert desk.ann.send(form).status == 400
    assert desk.queue.sent == []


def test_people_of_another_company_do_nothing(desk: Desk) -> None:
    payload = desk.ann.click_payload(desk.post, "resolve")
    payload["user"]["team_id"] = "T0OTHER"
    assert desk.ann.send({"payload": json.dumps(payload)}).status == 400
    assert desk.queue.sent == []


def test_what_asks_for_nothing_is_answered(desk: Desk) -> None:
    assert desk.ann.send({"ssl_check": "1"}).status == 200
    payload = desk.ann.click_payload(desk.post, "resolve")
    payload["actions"][0]["action_id"] = "a_link"
    assert desk.ann.send({"payload": json.dumps(payload)}).status == 200
    assert desk.queue.sent == []


def test_a_command_reports_and_says_how_else(desk: Desk) -> None:
    answer = desk.ann.type("/catflap", "report cats no rows since noon", "#people")
    assert "owners of cats" in answer.json["text"]
    (wanted,) = desk.queue.requests
    assert (wanted.action, wanted.target, wanted.words) == (
        "report",
        "cats",
        "no rows since noon",
    )
    for text in ("", "help", "report cats"):
        answer = desk.ann.type("/catflap-dev", text, "#people")
        assert "`/catflap-dev report NAME WORDS`" in answer.json["text"]


def test_a_message_is_reported_by_its_shortcut(desk: Desk) -> None:
    said = dataclasses.replace(
        desk.post, message={"text": "flights looks odd, <@U0BEN>"}, channel="#people"
    )
    assert desk.ann.shortcut(said, "report").status == 200
    (view,) = desk.slack.workspace.views
    words = view["blocks"][1]["element"]["initial_value"]
    assert words == "flights looks odd, <@U0BEN>"
    for values, field in (({"words": words}, "dataset"), ({"dataset": "x"}, "words")):
        answer = desk.ann.submit(view, **values)
        assert list(answer.json["errors"]) == [field]
    assert desk.queue.sent == []
    answer = desk.ann.submit(view, dataset=" flights ", words=words)
    assert answer.json["response_action"] == "update"
    View(**answer.json["view"]).validate_json()
    assert view_fault(answer.json["view"]) is None
    (wanted,) = desk.queue.requests
    assert (wanted.action, wanted.target, wanted.words, wanted.by) == (
        "report",
        "flights",
        words,
        "ann (U0ANN)",
    )
    assert desk.ann.shortcut(said, "another").status == 200
    assert len(desk.slack.workspace.views) == 1


def test_without_its_secret_nothing_is_accepted(desk: Desk) -> None:
    desk.secret.members = {"bot_token": BOT_TOKEN}
    assert desk.ann.click(desk.post, "resolve").status == 503
    assert desk.queue.sent == []
