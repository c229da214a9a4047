"""A click under a message about many does the same to each of them, once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3

from lambdas.adapters.slack.api import SlackApi
from lambdas.adapters.slack.app import SlackApp
from lambdas.adapters.slack.people import Members
from lambdas.core.dataset import Catalogue
from lambdas.core.incidents.channels import routes
from lambdas.core.incidents.context import context_of
from lambdas.core.incidents.groups import batches_of
from lambdas.core.incidents.incident import Incident, NoticeKind, Recipient, advance
from lambdas.core.incidents.notice import Notice, notices, with_notices
from lambdas.core.slack.asked import PersonRequest, asked
from lambdas.core.slack.post import MOST_TOGETHER
from lambdas.people.worker import PeopleWorker
from local.slack.page import Post
from local.slack.person import SlackPerson
from local.slack.webhook import SlackLookAlike
from local.slack.workspace import BOT_TOKEN
from tests.datasets import a_dataset
from tests.memory import FakeClock
from tests.unit.adapters.slack.test_app import MemoryGroups, MemoryPosts
from tests.unit.people.kills import Died, killed_at
from tests.watched import HOUR, NOW, MemoryIncidents, a_verdict

ROUTES = routes({"slack"})
NAMES = ("ants", "bats", "cats")


class Office:
    """Incidents of one cause in one message of #eng, and one of #people."""

    def __init__(self, slack: SlackLookAlike, names: Sequence[str] = NAMES) -> None:
        self.workspace = slack.workspace
        self.state = MemoryIncidents()
        self.posts = MemoryPosts()
        owner = {"team": "zoo", "slack": "#eng", "stakeholders": "#people"}
        self.datasets = {one: a_dataset(name=one, owner=owner) for one in names}
        api = SlackApi(
            http=urllib3.PoolManager(),
            token=lambda: BOT_TOKEN,
            clock=FakeClock(),
            base_url=slack.api_url,
        )
        self.app = SlackApp(
            api=api,
            posts=self.posts,
            groups=MemoryGroups(),
            default_channel=None,
            has_buttons=True,
        )
        self.worker = PeopleWorker(
            catalogue=Catalogue(datasets=self.datasets),
            state=self.state,
            posts=self.posts,
            members=Members(api=api, clock=FakeClock()),
            api=api,
            default_channel=None,
            routes=ROUTES,
            sqs=None,  # type: ignore[arg-type]  # nothing is queued here
            pulls_queue_url="",
            now=lambda: NOW + HOUR,
        )
        for name in names:
            tell = frozenset(("engineers", "stakeholders"))
            verdict = a_verdict("error", "pipe_stopped", dataset=name, tell=tell)
            self._record(name, None, verdict)
        self.deliver()

    def _record(self, name: str, before: Incident | None, verdict: Any) -> None:
        transition = advance(before, verdict, now=NOW)
        assert transition.incident is not None
        made = notices(
            transition,
            verdict,
            subject=context_of(self.datasets[name]),
            routes=ROUTES,
            now=NOW,
        )
        after = with_notices(transition.incident, made)
        self.state.record(before, after, notices=made, watch=None)

    def end(self, name: str) -> None:
        (before,) = (one for one in self.incidents if one.dataset == name)
        self._record(name, before, a_verdict("pass", None, dataset=name))
        self.deliver()

    @property
    def incidents(self) -> list[Incident]:
        return sorted(self.state.all.values(), key=lambda one: one.dataset)

    def waiting(self) -> list[Notice]:
        return [one for one in self.state.outbox.values() if one.channel == "slack"]

    def deliver(self) -> None:
        for batch in batches_of(self.waiting()):
            self.app.deliver(batch)
            self.state.delivered(batch.notices)

    def root(self, channel: str = "#eng") -> Post:
        return next(one for one in self.workspace.posts if one.channel == channel)

    def thread(self, channel: str = "#eng") -> list[str]:
        ts = self.root(channel).ts
        return [x.message["text"] for x in self.workspace.posts if x.thread_ts == ts]

    def clicked(self, action: str, **more: Any) -> PersonRequest:
        """What is queued once a button was pressed, and its modal filled."""
        payload = SlackPerson(workspace=self.workspace, url="").click_payload(
            self.root(), action
        )
        body = urlencode({"payload": json.dumps(payload)}).encode()
        found = asked(body, now=NOW)
        if isinstance(found, PersonRequest):
            return found
        assert found is not None
        return PersonRequest(
            key="view:V1",
            action=action,
            target=found.incident_id,  # type: ignore[union-attr]  # a modal's
            team=payload["team"]["id"],
            user="U0ANN",
            name="ann",
            channel=found.channel,  # type: ignore[union-attr]  # a modal's
            **more,
        )


@pytest.fixture(scope="module")
def running() -> Iterator[SlackLookAlike]:
    slack = SlackLookAlike(now=lambda: NOW)
    yield slack
    slack.close()


@pytest.fixture
def slack(running: SlackLookAlike) -> SlackLookAlike:
    running.workspace = type(running.workspace)(now=running.workspace.now)
    return running


@pytest.fixture
def office(slack: SlackLookAlike) -> Office:
    return Office(slack)


def test_an_acknowledgement_of_all_is_each_incidents_own_and_said_once(
    office: Office,
) -> None:
    office.worker.work(office.clicked("acknowledge"))
    by = {one.human.acknowledged_by for one in office.incidents}
    assert by == {"ann (U0ANN)"}
    assert "ann (U0ANN): acknowledged" in str(office.root().message)
    assert "Acknowledge all" in str(office.root().message)
    office.deliver()
    assert office.thread() == ["ann (U0ANN): acknowledged (3 incidents)"]
    assert office.root().edits == 1  # it showed that before


def test_a_promised_time_for_all_is_one_message_to_stakeholders(
    office: Office,
) -> None:
    when = NOW + 4 * HOUR
    office.worker.work(office.clicked("promise", when=when, words="a pipe stands"))
    assert {one.human.promised_for for one in office.incidents} == {when}
    office.deliver()
    (said,) = office.thread("#people")
    assert said == (
        "3 datasets late and expected by 2026-11-23 13:00 UTC: Loading into the "
        "warehouse is stopped; the data waits to be loaded\na pipe stands"
    )
    shown = str(office.root("#people").message)
    assert "expected by 2026-11-23 13:00 UTC" in shown
    assert '"actions"' not in shown


def test_a_snooze_and_a_cause_are_for_all_and_what_is_over_is_left_alone(
    office: Office,
) -> None:
    office.end("ants")
    office.worker.work(office.clicked("snooze", when=NOW + 4 * HOUR))
    snoozed = [one.dataset for one in office.incidents if one.human.snoozed_until]
    assert snoozed == ["bats", "cats"]
    cause = {"key": "view:V2", "cause": "pipe_stopped"}
    wanted = office.clicked("cause", cause="pipe_stopped")
    office.worker.work(PersonRequest(**{**_fields(wanted), **cause}))
    assert {one.human.cause for one in office.incidents} == {"pipe_stopped"}
    assert "1 of 3 over" in str(office.root().message)


def _fields(wanted: PersonRequest) -> dict[str, Any]:
    return {name: getattr(wanted, name) for name in wanted.__dataclass_fields__}


def test_once_all_are_over_there_is_nothing_to_click(office: Office) -> None:
    late = office.clicked("acknowledge")
    for name in NAMES:
        office.end(name)
    assert "actions" not in {one["type"] for one in office.root().message["blocks"]}
    office.worker.work(late)
    ((user, said),) = office.workspace.whispers
    assert user == "U0ANN"
    assert "are over" in said


@pytest.mark.parametrize(
    "change",
    [
        {"channel": "C0OTHER"},
        {"team": "T0OTHER"},
        {"user": "U0EVE"},
        {"target": "many #eng 1.1"},
        {"target": "many #people 1.1"},
        {"target": "many "},
    ],
)
def test_who_may_not_changes_none_of_them(
    office: Office, change: dict[str, Any]
) -> None:
    before = office.incidents
    wanted = PersonRequest(**{**_fields(office.clicked("acknowledge")), **change})
    office.worker.work(wanted)
    assert office.incidents == before
    assert office.waiting() == []


@pytest.mark.parametrize("place", range(12))
def test_each_is_changed_once_wherever_the_function_is_killed(
    office: Office, place: int
) -> None:
    killing = killed_at(place)
    office.state.record = killing(office.state.record)  # type: ignore[method-assign]
    office.worker._api.call = killing(office.worker._api.call)  # type: ignore[method-assign]
    wanted = office.clicked("acknowledge")
    for _ in range(3):
        try:
            office.worker.work(wanted)
        except Died:
            continue
    assert [len(one.human.actions) for one in office.incidents] == [1, 1, 1]
    told = [(one.audience, one.kind, one.dataset) for one in office.waiting()]
    engineers, edited = Recipient.ENGINEERS, NoticeKind.EDITED
    assert sorted(told) == [(engineers, edited, name) for name in NAMES]
    office.deliver()
    assert office.thread() == ["ann (U0ANN): acknowledged (3 incidents)"]


def test_more_than_one_click_can_change_have_no_buttons(slack: SlackLookAlike) -> None:
    office = Office(slack, [f"a{n}" for n in range(MOST_TOGETHER + 1)])
    assert "actions" not in {one["type"] for one in office.root().message["blocks"]}
