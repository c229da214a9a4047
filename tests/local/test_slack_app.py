"""Slack as an app on the embedded stack: by the function's URL, under its role."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest

from cli.output import when
from lambdas.adapters.state.incidents import IncidentTable
from lambdas.core.incidents.incident import Incident
from local.slack.page import Post
from local.slack.person import SlackPerson
from local.status_page import page_of
from tests.local.embedded_world import World
from tests.local.shell import Shell

SLACK = "lambdas.slack.handler.handle"


@pytest.fixture(scope="module")
def late(embedded: World) -> World:
    """Flights have been late for hours, and the app has said so."""
    embedded.stack.install_slack_app()
    embedded.move(embedded.now + timedelta(minutes=5))
    embedded.send("flights")
    embedded.fabric.drain(embedded.now)
    embedded.stack.set_pipe_paused("flights", is_paused=True)
    embedded.move(embedded.now.replace(day=2, hour=19, minute=0))
    embedded.send("flights")
    embedded.fabric.drain(embedded.now)
    assert embedded.check()["waiting"] == 0
    return embedded


def person(world: World, **more: Any) -> SlackPerson:
    url = world.stack.urls.url(world.function(SLACK))
    return SlackPerson(workspace=world.stack.slack.workspace, url=url, **more)


def incident(world: World) -> Incident:
    environment = world.function("lambdas.freshness.handler.handle").environment
    table = IncidentTable(
        dynamodb=world.stack.cloud.client("dynamodb"),
        table=environment["STATE_TABLE"],
    )
    found = table.open_incident("flights")
    assert found is not None
    return found


def root(world: World, channel: str = "#data-eng") -> Post:
    (found,) = (
        one
        for one in world.stack.slack.workspace.of(channel)
        if one.thread_ts is None and "flights" in str(one.message)
    )
    return found


def replies(world: World, channel: str = "#data-eng") -> list[str]:
    ts = root(world, channel).ts
    posts = world.stack.slack.workspace.of(channel)
    return [str(one.message["text"]) for one in posts if one.thread_ts == ts]


def test_buttons_do_what_the_command_does_once_and_by_members(late: World) -> None:
    ann = person(late)
    form = ann.click_payload(root(late), "acknowledge")
    before = incident(late)
    assert person(late, secret="guess").click(root(late), "resolve").status == 401
    person(late, user="U0EVE").click(root(late), "resolve")
    person(late, team="T0OTHER").click(root(late), "resolve")
    late.fabric.drain(late.now)
    assert incident(late) == before

    for _ in range(2):
        assert ann.send({"payload": json.dumps(form)}).status == 200
    late.fabric.drain(late.now)
    human = incident(late).human
    assert human.acknowledged_by == "ann (U0ANN)"
    assert len(human.actions) == 1
    assert "acknowledged by ann" in str(root(late).message)
    late.check()
    assert replies(late) == ["ann (U0ANN): acknowledged"]


def test_a_promise_reaches_stakeholders_and_is_told_as_missed(
    late: World, shell: Shell
) -> None:
    ann = person(late)
    assert ann.click(root(late), "promise").status == 200
    view = late.stack.slack.workspace.views[-1]
    by = int((late.now + timedelta(hours=1)).timestamp())
    assert ann.submit(view, when=by, words="The airport's feed is down").status == 200
    late.fabric.drain(late.now)
    late.check()
    said = str(late.stack.slack.workspace.of("#flight-analysts"))
    assert "The airport's feed is down" in said
    promised = late.now + timedelta(hours=1)
    _, status, _ = shell("status")
    assert f"flights: promised by ann (U0ANN) for {when(promised)}\n" in status
    assert "Promised for" in page_of(late.stack, now=late.now)
    late.move(late.now + timedelta(hours=1, minutes=5))
    late.check()
    assert incident(late).promise == "missed"
    assert any(
        "did not come when expected" in one for one in replies(late, "#flight-analysts")
    )
    assert "which has passed" in shell("status")[1]


def test_the_morning_digest_is_made_once_under_its_role_and_posted(late: World) -> None:
    function = late.function("lambdas.reports.handler.handle")
    told = dataclasses.replace(
        function, environment={**function.environment, "DIGESTS": '{"data-eng":"UTC"}'}
    )
    due_at = (late.now - timedelta(minutes=1)).isoformat()
    event = {"report": "digest", "team": "data-eng", "due_at": due_at}
    made = [late.stack.host.invoke(told, event, now=late.now) for _ in range(2)]
    assert [one["notices"] > 0 for one in made] == [True, False]
    late.check()

    def digests(channel: str, words: str) -> list[str]:
        posts = late.stack.slack.workspace.of(channel)
        texts = [str(one.message["text"]) for one in posts]
        return [one for one in texts if words in one]

    (said,) = digests("#data-eng", "data-eng this morning: ")
    assert "ann (U0ANN) has it" in said
    assert "(missed)" in said
    (told_others,) = digests("#flight-analysts", "late this morning")
    assert "flights: late since" in told_others
