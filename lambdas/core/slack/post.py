"""Which message of Slack's shows which incident."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

SENT_KEPT = 30
"""Notices that a post remembers: as many as may wait for one incident at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackPost:
    """The message that shows an incident in one of the owner's channels.

    `channel` and `ts` are what Slack knows it by; `members` is how many incidents it
    shows, `shown` the notice that it shows now, `sent` those that were posted: an
    answer that was lost, or a death after it, posts none twice.
    """

    incident_id: str
    channel: str
    ts: str
    members: int = 1
    shown: str = ""
    sent: tuple[str, ...] = ()

    def having(self, notice_id: str) -> SlackPost:
        """With one more notice that was posted."""
        sent = (*(one for one in self.sent if one != notice_id), notice_id)
        return dataclasses.replace(self, sent=sent[-SENT_KEPT:])


class SlackPosts(Protocol):
    """Where posts are remembered, by the owner's channel and incident."""

    def of(self, address: str, incidents: Sequence[str]) -> Mapping[str, SlackPost]:
        """Those that are known."""

    def keep(self, address: str, posts: Sequence[SlackPost]) -> None:
        """Remember them."""
