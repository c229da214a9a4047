"""Two teams with two channels each, and an API that both use and that fails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import urllib3

from lambdas.adapters.slack.api import SlackApi
from lambdas.adapters.slack.app import SlackApp
from lambdas.core.dataset import Dataset
from lambdas.core.diagnosis.verdict import Verdict
from lambdas.core.incidents.channels import routes
from lambdas.core.incidents.context import context_of
from lambdas.core.incidents.groups import batches_of
from lambdas.core.incidents.human import Change, changed_by_hand, said_by
from lambdas.core.incidents.incident import Incident, Transition, advance
from lambdas.core.incidents.notice import Notice, notices
from lambdas.core.reports.causes import CausesFacts, causes_notices
from lambdas.core.reports.digest import Morning, digest_notices
from local.slack.webhook import SlackLookAlike
from local.slack.workspace import BOT_TOKEN
from tests.datasets import a_dataset
from tests.memory import FakeClock
from tests.unit.adapters.slack.test_app import MemoryGroups, MemoryPosts
from tests.watched import HOUR, NOW, a_verdict

ROUTES = routes({"slack"})
TEAMS = {"air": ("flights", "fares"), "sea": ("tides", "ships")}
CHANNELS = {f"#{team}-{who}" for team in TEAMS for who in ("eng", "people")}


def owned(name: str, team: str) -> Dataset:
    return a_dataset(
        name=name,
        description=f"{name} of the {team} team",
        owner={
            "team": team,
            "slack": f"#{team}-eng",
            "stakeholders": f"#{team}-people",
        },
    )


DATASETS = {name: owned(name, team) for team, names in TEAMS.items() for name in names}


def late(name: str) -> Verdict:
    return a_verdict(
        "error",
        "upstream_down",
        dataset=name,
        page=True,
        tell=frozenset(("engineers", "stakeholders")),
        headline=f"{name} 3 h late: the source does not answer",
        next_step=f"`catflap diagnose {name} --env prod`",
    )


class Office:
    """Incidents of all four datasets, and the app that tells of them."""

    def __init__(self, slack: SlackLookAlike) -> None:
        self.workspace = slack.workspace
        self.incidents: dict[str, Incident] = {}
        api = SlackApi(
            http=urllib3.PoolManager(),
            token=lambda: BOT_TOKEN,
            clock=FakeClock(),
            base_url=slack.api_url,
        )
        self.app = SlackApp(
            api=api,
            posts=MemoryPosts(),
            groups=MemoryGroups(),
            default_channel="#alerts",
            has_buttons=True,
        )

    def of(self, name: str, transition: Transition, verdict: Verdict) -> list[Notice]:
        assert transition.incident is not None
        self.incidents[name] = transition.incident
        made = notices(
            transition,
            verdict,
            subject=context_of(DATASETS[name]),
            routes=ROUTES,
            now=NOW,
        )
        return [one for one in made if one.channel == "slack"]

    def tell(self, made: list[Notice]) -> None:
        for batch in batches_of([one for one in made if one.channel == "slack"]):
            self.app.deliver(batch)

    def read(self) -> dict[str, str]:
        """All that stands in each channel."""
        found: dict[str, str] = {}
        for one in self.workspace.posts:
            found[one.channel] = found.get(one.channel, "") + str(one.message)
        return found

    def has_its_own_and_no_other(self, *, is_over: bool = False) -> None:
        read = self.read()
        assert set(read) == CHANNELS
        for channel, text in read.items():
            team = channel[1:4]
            for name in DATASETS:
                assert (name in text) is (name in TEAMS[team]), (channel, name)
            for other in set(TEAMS) - {team}:
                assert f"{other} team" not in text
                assert f"#{other}-" not in text
            is_of_engineers = channel.endswith("-eng")
            for words in ("catflap diagnose", "upstream_down", "incident "):
                wanted = is_of_engineers and not is_over
                assert (words in text) is wanted, (channel, words)


@pytest.fixture
def office() -> Iterator[Office]:
    slack = SlackLookAlike(now=lambda: datetime(2026, 11, 23, 9, tzinfo=UTC))
    yield Office(slack)
    slack.close()


def test_each_channel_has_its_own_datasets_and_words_and_no_others(
    office: Office,
) -> None:
    office.tell(
        [
            one
            for name in DATASETS
            for one in office.of(name, advance(None, late(name), now=NOW), late(name))
        ]
    )
    office.has_its_own_and_no_other()
    roots = [one for one in office.workspace.posts if one.thread_ts is None]
    assert len(roots) == len(CHANNELS)  # both datasets of a team in one message

    promise = Change(by="Ann", promised_for=NOW + HOUR, words="the air API is down")
    changed = changed_by_hand(office.incidents["flights"], promise, now=NOW)
    office.tell(office.of("flights", changed, said_by(office.incidents["flights"])))
    office.has_its_own_and_no_other()
    told = {name for name, text in office.read().items() if "the air API is" in text}
    assert told == {"#air-people"}

    for name in DATASETS:
        well = a_verdict("pass", None, dataset=name)
        end = advance(office.incidents[name], well, now=NOW + 2 * HOUR)
        office.tell(office.of(name, end, well))
    office.has_its_own_and_no_other(is_over=True)
    assert all("up to date again" in text for text in office.read().values())


def test_so_have_the_digest_and_the_causes_of_each_team(office: Office) -> None:
    for name in DATASETS:
        office.of(name, advance(None, late(name), now=NOW), late(name))
    for team, names in TEAMS.items():
        mine = [DATASETS[name] for name in names]
        incidents = list(office.incidents.values())
        morning = Morning(
            team=team, timezone="UTC", due_at=NOW, datasets=mine, incidents=incidents
        )
        month = CausesFacts(
            team=team,
            since=NOW - 24 * HOUR,
            until=NOW + HOUR,
            datasets=mine,
            incidents=incidents,
        )
        office.tell([*digest_notices(morning, routes=ROUTES, now=NOW)])
        office.tell([*causes_notices(month, routes=ROUTES, now=NOW)])
    read = office.read()
    assert set(read) == CHANNELS
    for channel, text in read.items():
        for name in DATASETS:
            assert (name in text) is (name in TEAMS[channel[1:4]]), (channel, name)
        assert ("out of promise" in text) is channel.endswith("-eng")


def test_engineers_keep_their_buttons_in_a_channel_that_stakeholders_read_too(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in every project that names a `default_channel` and nothing else."""
    shared = a_dataset(name="flights", owner={"team": "air"})
    monkeypatch.setitem(DATASETS, "flights", shared)
    office.tell(
        office.of("flights", advance(None, late("flights"), now=NOW), late("flights"))
    )
    engineers, stakeholders = office.workspace.posts
    assert engineers.thread_ts is stakeholders.thread_ts is None
    assert "actions" in {one["type"] for one in engineers.message["blocks"]}
    assert stakeholders.message["text"].startswith("flights is late")

    well = a_verdict("pass", None, dataset="flights")
    end = advance(office.incidents["flights"], well, now=NOW + HOUR)
    office.tell(office.of("flights", end, well))
    heads = [one for one in office.workspace.posts if one.thread_ts is None]
    assert [one.ts for one in heads] == [engineers.ts, stakeholders.ts]
    assert all("up to date again" in one.message["text"] for one in heads)
