"""What is remembered of Slack: posts, messages of many, user groups."""

from __future__ import annotations

import dataclasses

from lambdas.adapters.state.posts import SlackPostTable, UserGroupTable
from lambdas.core.incidents.message import Message, block
from lambdas.core.slack.mentions import UserGroups
from lambdas.core.slack.post import SlackGroup, SlackPost
from tests.aws import a_state_table
from tests.watched import NOW

TABLE = "state"


def test_what_is_kept_is_read_again_as_it_was(aws: None) -> None:
    del aws
    dynamodb = a_state_table(TABLE)
    posts = SlackPostTable(dynamodb=dynamodb, table=TABLE, now=lambda: NOW)
    post = SlackPost(incident_id="cats-1", channel="C1", ts="1.1", sent=("n1",))
    posts.keep("#cats", [post])
    assert posts.of("#cats", ["cats-1", "dogs-1"]) == {"cats-1": post}
    assert posts.of("#dogs", ["cats-1"]) == {}

    message = Message(headline="2 datasets late", blocks=(block("Why", ["x"]),))
    group = SlackGroup(channel="C1", ts="1.1", members=2, message=message)
    assert posts.group("#cats", "1.1") is None
    for kept in (group, dataclasses.replace(group, over={"cats": NOW})):
        posts.keep_group("#cats", kept)
        assert posts.group("#cats", "1.1") == kept

    groups = UserGroupTable(dynamodb=dynamodb, table=TABLE)
    assert groups.read() is None
    said = UserGroups(asked_at=NOW, ids={"duty": "S1"}, unknown=("typo",), fault="no")
    groups.keep(said)
    assert groups.read() == said
