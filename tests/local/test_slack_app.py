"""Slack as an app on the embedded stack: by the function's URL, under its role."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from cli.output import when
from lambdas.adapters.state.incidents import IncidentTable
from lambdas.core.incidents.incident import Incident
from local.aws.invoke import FunctionHost
from local.slack.page import Post
from local.slack.person import SlackPerson
from local.stack import ROOT
from local.status_page import page_of
from tests.local.embedded_world import World, fabric_of
from tests.local.killing_proxy import KillingProxy
from tests.local.shell import Shell

SLACK = "lambdas.slack.handler.handle"
PEOPLE = "lambdas.people.handler.handle"


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


def table(world: World) -> IncidentTable:
    environment = world.function("lambdas.freshness.handler.handle").environment
    return IncidentTable(
        dynamodb=world.stack.cloud.client("dynamodb"),
        table=environment["STATE_TABLE"],
    )


def incident(world: World) -> Incident:
    found = table(world).open_incident("flights")
    assert found is not None
    return found


def root(world: World, channel: str = "#data-eng") -> Post:
    (found,) = (
        one
        for one in world.stack.slack.workspace.of(channel)
        if one.thread_ts is None
        and "flights" in str(one.message)
        and "this morning" not in str(one.message)
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


def test_nothing_that_anybody_can_send_to_the_url_changes_anything(
    late: World,
) -> None:
    ann, before, failed = person(late), incident(late), late.stack.failures()
    form = {"payload": json.dumps(ann.click_payload(root(late), "resolve"))}
    body = urlencode(form).encode()
    signed = ann.signed(body)
    stamp, signature = "X-Slack-Request-Timestamp", "X-Slack-Signature"
    unsigned = {"Content-Type": signed["Content-Type"]}
    for headers in (
        unsigned,
        {**unsigned, stamp: signed[stamp]},
        {**unsigned, signature: signed[signature]},
        {**signed, stamp: "soon"},
        {**signed, stamp: "9" * 40},
        {**signed, signature: "v0=\xfc"},
        {**signed, signature: signed[signature].upper()},
        {**signed, signature: signed[signature][:-1]},
    ):
        assert ann.post(body, headers).status == 401, headers
    assert ann.post(body + b"&x=1", signed).status == 401
    for minutes in (-6, 6):
        at = late.now + timedelta(minutes=minutes)
        assert ann.send(form, at=at).status == 401
    assert ann.post(b"x" * 70_000, signed).status == 413
    for malformed in (b"\xff\xfe", b"payload=%7B", b"payload=%22%5Cud800%22", b""):
        assert ann.post(malformed, ann.signed(malformed)).status in {400, 401}
    late.move(late.now + timedelta(minutes=6))
    assert ann.post(body, signed).status == 401  # a replay
    late.fabric.drain(late.now)
    assert incident(late) == before
    assert late.stack.failures() == failed


def test_each_button_is_done_once_in_any_order_while_slack_is_slow(
    late: World,
) -> None:
    ann, workspace = person(late), late.stack.slack.workspace
    known, pulls = len(incident(late).human.actions), late.stack.pulls()
    opened = len(workspace.views)
    workspace.busy["views.open"] = [10]
    assert ann.click(root(late), "snooze").status == 503
    assert len(workspace.views) == opened
    for action in ("cause", "snooze"):
        assert ann.click(root(late), action).status == 200
    cause, snooze = workspace.views[-2:]
    pull = {"payload": json.dumps(ann.click_payload(root(late), "pull"))}
    workspace.busy["chat.update"] = [3_600] * 3
    until = int((late.now + timedelta(minutes=30)).timestamp())
    for _ in range(2):
        assert ann.submit(snooze, when=until).status == 200
        assert ann.submit(cause, words="it was paused by hand").status == 200
        assert ann.send(pull).status == 200
        late.fabric.drain(late.now)
    workspace.busy.clear()
    said = [one.said for one in incident(late).human.actions[known:]]
    assert sorted(one.partition(": ")[2].split()[0] for one in said) == [
        "asked",
        "note:",
        "snoozed",
    ]
    assert late.stack.pulls() == pulls + 1


@pytest.mark.long
def test_an_action_is_done_once_wherever_its_function_is_killed(
    late: World, tmp_path: Path
) -> None:
    """After each of its calls to AWS, and before it."""
    worker, cloud = late.function(PEOPLE), late.stack.cloud
    ann, workspace = person(late), late.stack.slack.workspace

    def kill() -> None:
        for pid in host.pids(worker):
            os.kill(pid, signal.SIGKILL)

    with KillingProxy(cloud.endpoint_url, kill=kill) as proxy:
        known = late.stack.host.environment(worker)
        host = FunctionHost(
            cloud,
            bundle_root=ROOT,
            log_dir=tmp_path,
            extra_environment={**known, "AWS_ENDPOINT_URL": proxy.url},
        )
        fabric = fabric_of(late.stack, now=late.now, host=host)
        try:
            for number in itertools.count():
                words = f"kill {number}."
                assert ann.click(root(late), "cause").status == 200
                assert ann.submit(workspace.views[-1], words=words).status == 200
                calls = itertools.count()
                place, early = divmod(number, 2)
                proxy.arm(lambda _: next(calls) == place, early=bool(early))  # noqa: B023 - used up in the same round
                fabric.drain(late.now)
                was_killed = not proxy.is_armed
                proxy.disarm()
                late.move(late.now + timedelta(minutes=13))
                fabric.drain(late.now)
                actions = incident(late).human.actions
                assert sum(words in one.said for one in actions) == 1, number
                if not was_killed:
                    break
        finally:
            host.stop()
    assert number > 6


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


def test_what_is_clicked_after_the_end_changes_nothing_and_is_answered(
    late: World,
) -> None:
    ann, workspace = person(late), late.stack.slack.workspace
    late_click = ann.click_payload(root(late), "snooze")
    assert ann.send({"payload": json.dumps(late_click)}).status == 200
    view = workspace.views[-1]
    open_one = incident(late)
    assert ann.click(root(late), "resolve").status == 200
    until = int((late.now + timedelta(hours=1)).timestamp())
    assert ann.submit(view, when=until).status == 200
    late.fabric.drain(late.now)
    ended = table(late).incident(open_one.incident_id)
    assert ended is not None
    assert ended.human.resolved_by == "ann (U0ANN)"
    assert ended.human.snoozed_until == open_one.human.snoozed_until
    assert "is over since" in workspace.whispers[-1][1]


def test_a_click_for_all_of_one_cause_is_done_to_each_under_the_functions_role(
    late: World,
) -> None:
    def pull(*, is_paused: bool, after: timedelta) -> None:
        late.move(late.now + after)
        for name in ("flights", "weather"):
            late.stack.set_pipe_paused(name, is_paused=is_paused)
            late.send(name)
        late.fabric.drain(late.now)
        late.check()

    pull(is_paused=False, after=timedelta(minutes=30))
    pull(is_paused=True, after=timedelta(days=1))
    (together,) = (
        one
        for one in late.stack.slack.workspace.of("#data-eng")
        if "Acknowledge all" in str(one.message)
    )
    assert person(late).click(together, "acknowledge").status == 200
    late.fabric.drain(late.now)
    found = [table(late).open_incident(name) for name in ("flights", "weather")]
    by = {one.human.acknowledged_by for one in found if one is not None}
    assert by == {"ann (U0ANN)"}
    late.check()
    posts = late.stack.slack.workspace.of("#data-eng")
    said = [one.message["text"] for one in posts if one.thread_ts == together.ts]
    assert said == ["ann (U0ANN): acknowledged (2 incidents)"]
    assert not late.stack.failures()
