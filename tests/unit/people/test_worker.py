"""What becomes of a click: who may, each thing once, and shown at once."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import urllib3

from lambdas.adapters.slack.api import SlackApi
from lambdas.adapters.slack.people import Members
from lambdas.core.dataset import Catalogue, SqlModel
from lambdas.core.errors import DeliveryError, StateConflict
from lambdas.core.freshness.watch import Watch
from lambdas.core.incidents.channels import routes
from lambdas.core.incidents.incident import Incident, NoticeKind, Recipient, advance
from lambdas.core.slack.asked import PersonRequest
from lambdas.core.slack.post import SlackPost
from lambdas.people.worker import PeopleWorker
from local.slack.webhook import SlackLookAlike
from local.slack.workspace import BOT_TOKEN, TEAM
from tests.datasets import a_dataset
from tests.memory import FakeClock
from tests.unit.adapters.slack.test_app import MemoryPosts
from tests.unit.people.kills import Died, killed_at
from tests.watched import HOUR, NOW, MemoryIncidents, a_verdict

ROUTES = routes({"slack"})


class Pulls:
    def __init__(self) -> None:
        self.sent: dict[str, dict[str, Any]] = {}

    def send_message(self, **given: Any) -> None:
        self.sent[given["MessageDeduplicationId"]] = given


class Office:
    """An incident that is shown in #cats, and whoever works off what people ask."""

    def __init__(self, slack: SlackLookAlike) -> None:
        self.workspace = slack.workspace
        self.state = MemoryIncidents()
        self.posts = MemoryPosts()
        self.pulls = Pulls()
        verdict = a_verdict("error", "pipe_stopped")
        opened = advance(None, verdict, now=NOW).incident
        assert opened is not None
        self.state.record(None, opened, notices=(), watch=None)
        self.incident_id = opened.incident_id
        posted = self.workspace.call(
            "chat.postMessage", {"channel": "#cats", "text": "cats is late"}
        )
        self.channel = posted["channel"]
        post = SlackPost(
            incident_id=self.incident_id, channel=self.channel, ts=posted["ts"]
        )
        self.posts.keep("#cats", [post])
        api = SlackApi(
            http=urllib3.PoolManager(),
            token=lambda: BOT_TOKEN,
            clock=FakeClock(),
            base_url=slack.api_url,
        )
        owner = {"team": "cats", "slack": "#cats", "stakeholders": "#people"}
        self.worker = PeopleWorker(
            catalogue=Catalogue(
                datasets={"cats": a_dataset(owner=owner)},
                models={"kittens": SqlModel(name="kittens", sql="{{ ref('cats') }}")},
            ),
            state=self.state,
            posts=self.posts,
            members=Members(api=api, clock=FakeClock()),
            api=api,
            default_channel=None,
            routes=ROUTES,
            sqs=self.pulls,  # type: ignore[arg-type]  # the one call of it that is used
            pulls_queue_url="pulls",
            now=lambda: NOW + HOUR,
        )

    @property
    def incident(self) -> Incident:
        return self.state.all[self.incident_id]

    def wants(self, action: str, **more: Any) -> PersonRequest:
        known: dict[str, Any] = {
            "key": f"U0ANN:{action}:1",
            "action": action,
            "target": self.incident_id,
            "team": TEAM,
            "user": "U0ANN",
            "name": "ann",
            "channel": self.channel,
        }
        return PersonRequest(**{**known, **more})

    @property
    def told(self) -> list[tuple[Recipient, NoticeKind, str]]:
        return [(n.audience, n.kind, n.channel) for n in self.state.outbox.values()]


@pytest.fixture(scope="module")
def running() -> Iterator[SlackLookAlike]:
    slack = SlackLookAlike(now=lambda: NOW)
    yield slack
    slack.close()


@pytest.fixture
def office(running: SlackLookAlike) -> Office:
    running.workspace = type(running.workspace)(now=running.workspace.now)
    running.is_down = False
    return Office(running)


def test_who_acknowledges_is_shown_at_once_and_told_in_slack_alone(
    office: Office,
) -> None:
    office.worker.work(office.wants("acknowledge"))
    human = office.incident.human
    assert (human.acknowledged_by, human.acknowledged_at) == (
        "ann (U0ANN)",
        NOW + HOUR,
    )
    assert office.told == [(Recipient.ENGINEERS, NoticeKind.EDITED, "slack")]
    (post,) = office.workspace.posts
    shown = json.dumps(post.message)
    assert "acknowledged by ann (U0ANN)" in shown
    assert '"acknowledge"' not in shown
    assert '"resolve"' in shown


def test_the_same_click_delivered_again_changes_nothing(office: Office) -> None:
    wanted = office.wants("cause", cause="pipe_stopped", words="it was paused")
    office.worker.work(wanted)
    once = office.incident
    office.worker.work(wanted)
    assert office.incident == once
    assert once.human.note == "it was paused"
    assert len(once.human.actions) == 1


def test_a_promised_time_is_told_to_stakeholders_in_the_persons_words(
    office: Office,
) -> None:
    when = NOW + 4 * HOUR
    office.worker.work(
        office.wants("promise", when=when, words="The source is down; no <!channel>")
    )
    assert office.incident.human.promised_for == when
    promised = [
        one for one in office.state.outbox.values() if one.kind is NoticeKind.PROMISED
    ]
    assert {one.channel for one in promised} == {"sns", "slack"}
    assert "The source is down" in str(promised[0].message)
    assert promised[0].address == "#people"


def test_a_false_alarm_ends_it_and_a_second_one_is_refused_quietly(
    office: Office,
) -> None:
    office.worker.work(office.wants("false_alarm"))
    assert office.incident.ended_by == "false_alarm"
    office.worker.work(office.wants("false_alarm", key="U0ANN:false_alarm:2"))
    ((user, said),) = office.workspace.whispers
    assert user == "U0ANN"
    assert "is over since" in said


def test_a_pull_is_queued_once_and_stands_in_the_timeline(office: Office) -> None:
    wanted = office.wants("pull")
    office.worker.work(wanted)
    office.worker.work(wanted)
    (sent,) = office.pulls.sent.values()
    assert json.loads(sent["MessageBody"]) == {"dataset": "cats", "reason": "manual"}
    (action,) = office.incident.human.actions
    assert action.said == "ann (U0ANN): asked for a pull"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"user": "U0EVE"}, "only members of this channel"),
        ({"team": "T0OTHER"}, "not shown in this channel"),
        ({"channel": "C0OTHER"}, "not shown in this channel"),
        ({"target": "cats-9"}, "there is no incident cats-9"),
    ],
)
def test_who_may_not_changes_nothing(
    office: Office, change: dict[str, Any], why: str
) -> None:
    office.workspace.room("#cats").members.append("U0ANN")
    before = office.incident
    office.worker.work(office.wants("resolve", **change))
    assert office.incident == before
    assert all(why in said for _, said in office.workspace.whispers)


def test_a_slow_slack_keeps_no_change_back(
    office: Office, running: SlackLookAlike
) -> None:
    office.worker.work(office.wants("acknowledge"))
    running.workspace.busy["chat.update"] = [3600]
    when = NOW + 4 * HOUR
    office.worker.work(office.wants("snooze", when=when))
    assert office.incident.human.snoozed_until == when


def test_who_may_is_not_guessed_while_slack_is_away(
    office: Office, running: SlackLookAlike
) -> None:
    running.is_down = True
    with pytest.raises(DeliveryError):
        office.worker.work(office.wants("resolve"))
    assert office.incident.resolved_at is None


def test_a_check_that_was_faster_is_read_again(office: Office) -> None:
    record, tries = office.state.record, []

    def another_was_first(*given: Any, **more: Any) -> None:
        tries.append(given)
        if len(tries) == 1:
            faster = dataclasses.replace(office.incident, version=7)
            office.state.all[office.incident_id] = faster
            raise StateConflict("somebody else")
        record(*given, **more)

    office.state.record = another_was_first  # type: ignore[method-assign]
    office.worker.work(office.wants("acknowledge"))
    assert office.incident.version == 8


def test_a_snooze_that_ended_is_refused(office: Office) -> None:
    office.worker.work(office.wants("snooze", when=NOW - timedelta(hours=1)))
    assert office.incident.human.snoozed_until is None
    assert "is over" in office.workspace.whispers[0][1]


def test_a_report_opens_an_incident_that_only_a_person_ends(office: Office) -> None:
    office.worker.work(office.wants("resolve"))
    office.state.outbox.clear()
    wanted = office.wants(
        "report", key="slash:1", target="cats", words="no <!channel> rows", channel="C"
    )
    office.worker.work(wanted)
    office.worker.work(wanted)
    told = {(who, channel) for who, _, channel in office.told}
    assert told == {
        (Recipient.ENGINEERS, "sns"),
        (Recipient.ENGINEERS, "slack"),
        (Recipient.STAKEHOLDERS, "sns"),
        (Recipient.STAKEHOLDERS, "slack"),
    }
    assert len(office.state.outbox) == 4
    incident = office.state.open_incident("cats")
    assert incident is not None
    assert (incident.kind, incident.state) == ("report", "unknown")
    assert "ann (U0ANN) reports: no <!channel> rows" in incident.headline
    well = advance(incident, a_verdict("pass", None), now=NOW + 9 * HOUR)
    assert well.incident is incident
    late = advance(incident, a_verdict("error", "rows_deleted"), now=NOW + 9 * HOUR)
    assert late.incident is not None
    assert late.incident.kind == "late"


def test_a_report_is_seen_beside_a_dataset_that_passes(office: Office) -> None:
    office.worker.work(office.wants("resolve"))
    seen = Watch(
        dataset="cats",
        checked_at=NOW,
        promise="",
        state="pass",
        cause=None,
        next_look_at=None,
        newest_at=NOW,
        newest_loaded_at=NOW,
        row_count=1_000,
    )
    office.state.seen["cats"] = seen
    office.worker.work(office.wants("report", target="cats", words="odd", key="s:1"))
    incident = office.state.open_incident("cats")
    assert incident is not None
    watch = office.state.seen["cats"]
    assert watch == dataclasses.replace(seen, incident_id=incident.incident_id)
    assert "1,000 rows" in incident.evidence


def test_a_report_of_what_is_late_already_stands_in_its_incident(
    office: Office,
) -> None:
    office.worker.work(
        office.wants("report", key="slash:1", target="cats", words="where are they?")
    )
    assert "where are they?" in (office.incident.human.note or "")
    assert office.incident.kind == "late"


def test_a_model_can_be_reported_too_and_belongs_to_whoever_owns_its_input(
    office: Office,
) -> None:
    office.worker.work(office.wants("report", target="kittens", words="too few"))
    incident = office.state.open_incident("kittens")
    assert incident is not None
    assert incident.kind == "report"


def test_a_report_of_no_dataset_is_answered_and_opens_nothing(office: Office) -> None:
    before = office.state.all
    office.worker.work(office.wants("report", target="catz", words="x"))
    assert office.state.all == before
    assert "there is no dataset or model catz" in office.workspace.whispers[0][1]
    office.worker.work(office.wants("report", target="<!channel>", words="x"))
    assert "<!channel>" not in office.workspace.whispers[1][1]
    # where the app is no member, in a message of their own
    office.worker.work(
        office.wants("report", target="catz", words="x", user="U0EVE", channel="C0X")
    )
    last = office.workspace.posts[-1]
    assert (last.channel, "catz" in str(last.message)) == ("#U0EVE", True)


@pytest.mark.parametrize("action", ["acknowledge", "pull", "resolve", "cause"])
@pytest.mark.parametrize("place", range(8))
def test_an_action_is_done_once_wherever_the_function_is_killed(
    office: Office, action: str, place: int
) -> None:
    """Before and after each effect: the change, the pull, each call of Slack's."""
    killing = killed_at(place)
    office.state.record = killing(office.state.record)  # type: ignore[method-assign]
    office.pulls.send_message = killing(office.pulls.send_message)  # type: ignore[method-assign]
    office.worker._api.call = killing(office.worker._api.call)  # type: ignore[method-assign]
    wanted = office.wants(action, cause="pipe_stopped" if action == "cause" else None)
    for _ in range(3):
        try:
            office.worker.work(wanted)
        except Died:
            continue
    assert len(office.incident.human.actions) == 1
    assert len(office.pulls.sent) == (1 if action == "pull" else 0)
    told = [(one.audience, one.channel) for one in office.state.outbox.values()]
    assert len(told) == len(set(told))
    assert office.workspace.whispers == []
