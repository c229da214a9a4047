"""User groups that owners name: looked up after a deploy, and once a day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from lambdas.core.errors import ChannelDown
from lambdas.core.slack.mentions import UserGroups
from lambdas.freshness.mention_watch import MentionWatch
from tests.unit.adapters.slack.test_app import MemoryGroups
from tests.watched import HOUR, NOW


class Workspace:
    def __init__(self, groups: Mapping[str, str] | None) -> None:
        self.groups = groups
        self.asked = 0
        self.is_down = False

    def said(self) -> Mapping[str, str] | None:
        self.asked += 1
        if self.is_down:
            raise ChannelDown("the app lacks a scope")
        return self.groups


def watch(workspace: Workspace, memory: MemoryGroups, *handles: str) -> MentionWatch:
    return MentionWatch(
        handles=handles, groups=workspace.said, memory=memory, has_time=lambda: True
    )


def test_they_are_asked_for_after_a_deploy_and_a_day_later_and_not_between() -> None:
    workspace, memory = Workspace({"duty": "S1", "other": "S2"}), MemoryGroups()
    one = watch(workspace, memory, "duty")
    for minutes in (0, 5, 60, 23 * 60):
        one.look(NOW + timedelta(minutes=minutes))
    assert workspace.asked == 1
    assert memory.kept == UserGroups(asked_at=NOW, ids={"duty": "S1"})
    watch(workspace, memory, "duty", "typo").look(NOW + HOUR)
    assert memory.kept == UserGroups(
        asked_at=NOW + HOUR, ids={"duty": "S1"}, unknown=("typo",)
    )
    watch(workspace, memory, "duty", "typo").look(NOW + 25 * HOUR)
    assert workspace.asked == 3


def test_what_was_known_stays_where_slack_gives_no_answer() -> None:
    workspace, memory = Workspace({"duty": "S1"}), MemoryGroups()
    one = watch(workspace, memory, "duty", "typo")
    one.look(NOW)
    workspace.is_down = True
    for hours in (24, 24.5, 25):
        one.look(NOW + hours * HOUR)
    assert workspace.asked == 3
    assert memory.kept == UserGroups(
        asked_at=NOW + 25 * HOUR,
        ids={"duty": "S1"},
        unknown=("typo",),
        fault="the app lacks a scope",
    )


def test_nothing_is_asked_for_nobody_and_nothing_kept_of_a_webhook() -> None:
    workspace, memory = Workspace({}), MemoryGroups()
    watch(workspace, memory).look(NOW)
    assert workspace.asked == 0
    watch(Workspace(None), memory, "duty").look(NOW)
    assert memory.kept is None
