"""The app: one message an incident, its story in the thread, and each thing once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import pytest
import urllib3

from lambdas.adapters.slack.api import SlackApi
from lambdas.adapters.slack.app import SlackApp
from lambdas.core.errors import ChannelDown, DeliveryError
from lambdas.core.incidents.groups import NoticeBatch, batches_of
from lambdas.core.incidents.incident import NoticeKind, Recipient
from lambdas.core.incidents.message import Message, block
from lambdas.core.incidents.notice import Notice
from lambdas.core.slack.mentions import UserGroups
from lambdas.core.slack.post import SlackGroup, SlackPost
from local.slack.page import Post
from local.slack.webhook import SlackLookAlike
from local.slack.workspace import BOT_TOKEN
from tests.memory import FakeClock
from tests.watched import NOW, a_batch


class MemoryPosts:
    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], SlackPost] = {}
        self.groups: dict[tuple[str, str], SlackGroup] = {}
        self.dies = False

    def group(self, place: str, ts: str) -> SlackGroup | None:
        return self.groups.get((place, ts))

    def keep_group(self, place: str, group: SlackGroup) -> None:
        self.groups[place, group.ts] = group

    def of(self, place: str, incidents: Sequence[str]) -> Mapping[str, SlackPost]:
        known = {one: self.kept.get((place, one)) for one in incidents}
        return {name: post for name, post in known.items() if post is not None}

    def keep(self, place: str, posts: Sequence[SlackPost]) -> None:
        if self.dies:
            raise KeyboardInterrupt
        self.kept |= {(place, one.incident_id): one for one in posts}


class MemoryGroups:
    def __init__(self, kept: UserGroups | None = None) -> None:
        self.kept = kept

    def read(self) -> UserGroups | None:
        return self.kept

    def keep(self, groups: UserGroups) -> None:
        self.kept = groups


@pytest.fixture(scope="module")
def running() -> Iterator[SlackLookAlike]:
    slack = SlackLookAlike(now=lambda: datetime(2026, 11, 23, 9, tzinfo=UTC))
    yield slack
    slack.close()


@pytest.fixture
def slack(running: SlackLookAlike) -> SlackLookAlike:
    running.workspace = type(running.workspace)(now=running.workspace.now)
    running.is_down = False
    return running


def an_app(
    slack: SlackLookAlike,
    posts: MemoryPosts | None = None,
    *,
    groups: MemoryGroups | None = None,
    default: str | None = "#alerts",
    token: str = BOT_TOKEN,
) -> SlackApp:
    api = SlackApi(
        http=urllib3.PoolManager(),
        token=lambda: token,
        clock=FakeClock(),
        base_url=slack.api_url,
    )
    return SlackApp(
        api=api,
        posts=posts or MemoryPosts(),
        groups=groups or MemoryGroups(),
        default_channel=default,
        has_buttons=True,
    )


def a_notice(number: int = 1, kind: str = "opened", **changes: object) -> Notice:
    name = str(changes.pop("dataset", "cats"))
    message = Message(
        headline=f"{name} is {kind}",
        blocks=(block("Since", ["2026-11-23 08:00 UTC"]),),
    )
    fields: dict[str, object] = {
        "notice_id": f"{name}-1.{number}.engineers.slack",
        "incident_id": f"{name}-1",
        "dataset": name,
        "kind": kind,
        "page": False,
        "address": "#cats",
        "actions": ("acknowledge", "resolve"),
        **changes,
    }
    return a_batch(message, **fields).first  # type: ignore[arg-type]  # by name


def alone(notice: Notice) -> NoticeBatch:
    (batch,) = batches_of([notice])
    return batch


def threads(slack: SlackLookAlike) -> list[tuple[Post, list[Post]]]:
    posts = slack.workspace.posts
    roots = [one for one in posts if one.thread_ts is None]
    return [
        (root, [one for one in posts if one.thread_ts == root.ts]) for root in roots
    ]


def test_an_incident_is_one_message_with_its_story_in_the_thread(
    slack: SlackLookAlike,
) -> None:
    app = an_app(slack)
    app.deliver(alone(a_notice(1)))
    app.deliver(alone(a_notice(2, "edited", news="acknowledged (Ann)", actions=())))
    app.deliver(alone(a_notice(3, "resolved", actions=())))
    ((root, replies),) = threads(slack)
    assert (root.channel, root.edits) == ("#cats", 2)
    assert root.message["text"].startswith("cats is resolved")
    assert [one.message["text"] for one in replies] == [
        "acknowledged (Ann)",
        "cats is resolved",
    ]
    assert not any(one.is_in_channel for one in replies)
    assert all(one["type"] != "actions" for one in root.message["blocks"])


def test_a_page_is_a_new_message_in_the_channel_with_its_mention(
    slack: SlackLookAlike,
) -> None:
    slack.workspace.groups["data-oncall"] = "S0ONCALL1"
    app = an_app(slack)
    app.deliver(alone(a_notice(1)))
    app.deliver(
        alone(a_notice(2, "changed", page=True, mention="@data-oncall U0ANN99"))
    )
    ((root, (page,)),) = threads(slack)
    assert page.is_in_channel
    assert page.message["text"].startswith("<!subteam^S0ONCALL1> <@U0ANN99> cats is")
    assert "subteam" not in str(root.message)


def test_an_unknown_group_is_named_and_nothing_is_lost(slack: SlackLookAlike) -> None:
    an_app(slack).deliver(alone(a_notice(page=True, mention="@typo")))
    ((root, _),) = threads(slack)
    assert "@typo (no user group of this workspace" in root.message["text"]


def test_a_page_mentions_whom_the_last_look_found_while_slack_is_busy(
    slack: SlackLookAlike,
) -> None:
    slack.workspace.busy["usergroups.list"] = [3_600] * 9
    groups = MemoryGroups(
        UserGroups(asked_at=NOW, ids={"duty": "S0DUTY11"}, unknown=("gone",))
    )
    page = a_notice(page=True, mention="@duty @gone @new")
    an_app(slack, groups=groups).deliver(alone(page))
    ((root, _),) = threads(slack)
    said = root.message["text"]
    assert said.startswith("<!subteam^S0DUTY11> @gone (no user group of this workspace")
    assert "@new (not mentioned: Slack could not be asked" in said


def test_a_letter_delivered_again_posts_nothing(slack: SlackLookAlike) -> None:
    app = an_app(slack)
    for kind, number in (("opened", 1), ("changed", 2)):
        batch = alone(a_notice(number, kind))
        app.deliver(batch)
        app.deliver(batch)
    ((root, replies),) = threads(slack)
    assert (root.edits, len(replies)) == (1, 1)


def test_a_death_between_sending_and_remembering_doubles_and_loses_nothing(
    slack: SlackLookAlike,
) -> None:
    posts = MemoryPosts()
    posts.dies = True
    with pytest.raises(KeyboardInterrupt):
        an_app(slack, posts).deliver(alone(a_notice(1)))
    posts.dies = False
    an_app(slack, posts).deliver(alone(a_notice(1)))
    an_app(slack, posts).deliver(alone(a_notice(2, "resolved")))
    first, second = threads(slack)
    assert (len(first[1]), len(second[1])) == (0, 1)


def test_a_lost_answer_is_not_sent_again_at_once(slack: SlackLookAlike) -> None:
    slack.workspace.lost_answers = 1
    with pytest.raises(ChannelDown, match="did not answer"):
        an_app(slack).deliver(alone(a_notice()))
    assert len(slack.workspace.posts) == 1


def test_an_edit_that_is_refused_leaves_the_thread_to_say_it(
    slack: SlackLookAlike,
) -> None:
    app = an_app(slack)
    app.deliver(alone(a_notice(1)))
    slack.workspace.edits_closed = True
    app.deliver(alone(a_notice(2, "changed")))
    ((root, replies),) = threads(slack)
    assert root.edits == 0
    assert len(replies) == 1


def test_a_message_that_was_deleted_is_posted_anew(slack: SlackLookAlike) -> None:
    app = an_app(slack)
    app.deliver(alone(a_notice(1)))
    slack.workspace.posts.clear()
    app.deliver(alone(a_notice(2, "changed")))
    app.deliver(alone(a_notice(3, "resolved")))
    ((root, replies),) = threads(slack)
    assert root.message["text"].startswith("cats is resolved")
    assert len(replies) == 1


@pytest.mark.parametrize("word", ["is_archived", "not_in_channel", "channel_not_found"])
def test_a_channel_that_takes_nothing_is_told_of_in_the_default_one(
    slack: SlackLookAlike, word: str
) -> None:
    slack.workspace.room("#cats").refuses = word
    an_app(slack).deliver(alone(a_notice()))
    ((root, _),) = threads(slack)
    assert root.channel == "#alerts"
    assert "for engineers in #cats: Slack channel #cats" in str(root.message)
    assert word in str(root.message)


@pytest.mark.parametrize(("copy_of", "is_posted"), [("", False), ("#dogs", True)])
def test_a_copy_is_not_posted_where_the_owners_own_stands(
    slack: SlackLookAlike,
    copy_of: str,
    is_posted: bool,  # noqa: FBT001 - a case of the table
) -> None:
    copy = a_notice(audience=Recipient.STAKEHOLDERS, address="#alerts", copy_of=copy_of)
    an_app(slack).deliver(alone(copy))
    assert bool(slack.workspace.posts) is is_posted


def test_who_reported_something_and_has_left_is_told_nowhere_else(
    slack: SlackLookAlike,
) -> None:
    app = an_app(slack)
    app.deliver(alone(a_notice(1, "resolved", address="U0ANN")))
    slack.workspace.room("U0BEN").refuses = "channel_not_found"
    app.deliver(alone(a_notice(2, "resolved", address="U0BEN")))
    assert [one.channel for one in slack.workspace.posts] == ["#U0ANN"]


def test_without_any_channel_a_sentence_says_what_to_declare(
    slack: SlackLookAlike,
) -> None:
    with pytest.raises(DeliveryError, match=r"slack\.default_channel"):
        an_app(slack, default=None).deliver(alone(a_notice(address=None)))
    slack.workspace.room("#cats").refuses = "is_archived"
    with pytest.raises(DeliveryError, match="#cats is archived"):
        an_app(slack, default=None).deliver(alone(a_notice()))


def test_a_token_that_is_refused_rests_all_of_slack_and_is_never_named(
    slack: SlackLookAlike,
) -> None:
    with pytest.raises(ChannelDown, match="not accepted") as caught:
        an_app(slack, token="xoxb-canary").deliver(alone(a_notice()))
    assert "canary" not in repr(caught.value)


def test_slack_is_given_the_time_it_asks_for_and_no_more_than_that(
    slack: SlackLookAlike,
) -> None:
    slack.workspace.busy["chat.postMessage"] = [7]
    an_app(slack).deliver(alone(a_notice(1)))
    slack.workspace.busy["chat.postMessage"] = [3600]
    with pytest.raises(ChannelDown, match="429"):
        an_app(slack).deliver(alone(a_notice(1, dataset="dogs")))
    assert len(slack.workspace.posts) == 1


def test_fifty_of_one_cause_are_one_message_and_their_end_is_said_in_its_thread(
    slack: SlackLookAlike,
) -> None:
    app = an_app(slack)
    names = [f"cat{n:02}" for n in range(50)]
    (batch,) = batches_of([a_notice(dataset=name) for name in names])
    app.deliver(batch)
    ends = [a_notice(2, "resolved", dataset=name) for name in names[:3]]
    (batch,) = batches_of(ends)
    app.deliver(batch)
    app.deliver(batch)
    ((root, replies),) = threads(slack)
    assert root.message["text"].startswith("3 of 50 over: 50 datasets")
    assert [one.message["text"] for one in replies] == ["3 datasets up to date again"]


def test_a_message_of_many_shows_who_is_late_now(slack: SlackLookAlike) -> None:
    app = an_app(slack)
    names = ("ants", "bats", "cats")
    lines = {name: f"{name}: newest 2026-11-23 08:00 UTC" for name in names}

    def tell(number: int, kind: str, *some: str) -> str:
        made = [a_notice(number, kind, dataset=x, line=lines[x]) for x in some]
        for batch in batches_of(made):
            app.deliver(batch)
        return str(slack.workspace.posts[0].message)

    assert all(line in tell(1, "opened", *names) for line in lines.values())
    said = tell(2, "resolved", "ants")
    assert "1 of 3 over: 3 datasets late" in said
    assert "ants, 2026-11-23 09:00 UTC" in said
    assert lines["ants"] not in said
    assert lines["bats"] in said
    assert lines["ants"] in tell(3, "reopened", "ants")
    said = tell(4, "resolved", *names)
    assert "'Over: 3 datasets late" in said
    assert "newest" not in said
    edits = slack.workspace.posts[0].edits
    tell(4, "resolved", *names)
    assert slack.workspace.posts[0].edits == edits


def test_each_owner_reads_of_its_own_datasets_alone(slack: SlackLookAlike) -> None:
    notices = [
        a_notice(
            dataset=f"{team}{n}",
            address=f"#{team}-{audience.value}",
            audience=audience,
            cause="upstream_down",
        )
        for team in ("cats", "dogs")
        for audience in (Recipient.ENGINEERS, Recipient.STAKEHOLDERS)
        for n in range(3)
    ]
    app = an_app(slack)
    for batch in batches_of(notices):
        app.deliver(batch)
    assert len(slack.workspace.posts) == 4
    for post in slack.workspace.posts:
        other = "dogs" if "cats" in post.channel else "cats"
        assert other not in str(post.message)


def test_what_comes_first_in_an_incident_leaves_first() -> None:
    story = ["opened", "resolved", "reopened", "resolved"]
    notices = [
        dataclasses.replace(
            a_notice(number, kind, dataset=name), created_at=NOW.replace(minute=number)
        )
        for name in ("cats", "dogs")
        for number, kind in enumerate(story)
    ]
    told = [
        (notice.dataset, notice.kind)
        for batch in batches_of(notices)
        for notice in batch.notices
    ]
    for name in ("cats", "dogs"):
        mine = [kind for dataset, kind in told if dataset == name]
        assert mine == [NoticeKind(kind) for kind in story]
