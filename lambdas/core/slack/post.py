"""Which message of Slack's shows which incident."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from lambdas.core.incidents.groups import FIRST
from lambdas.core.incidents.human import OF_MANY
from lambdas.core.incidents.incident import NoticeKind, Recipient
from lambdas.core.incidents.message import Block, Message, block, local_time
from lambdas.core.incidents.notice import Notice
from lambdas.core.names import is_ours

SENT_KEPT = 30
"""Notices that a post remembers: as many as may wait for one incident at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackPost:
    """The message that shows an incident to one audience, in the owner's channel.

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


SAID_KEPT = 10
"""Things that people did about all of them that a message shows."""
MOST_TOGETHER = 300
"""Incidents that one click may change: each is a transaction, and a function that does
them has two minutes."""
GROUP = "many "
"""Begins what a button of a message about many says, where others name an incident."""


def group_value(place: str) -> str:
    """What such a button says; Slack adds which message it stands in."""
    return f"{GROUP}{place}"


def group_of(target: str) -> tuple[str, str] | None:
    """Place and `ts` of the message about many that was clicked on; None: an incident's
    id.
    """
    if not target.startswith(GROUP):
        return None
    place, _, ts = target.removeprefix(GROUP).rpartition(" ")
    return place, ts


def actions_together(members: int) -> tuple[str, ...]:
    """What can be done about so many incidents at once."""
    return OF_MANY if 1 < members <= MOST_TOGETHER else ()


def said_in(notice: Notice) -> str:
    """What a person did, as a message about many shows it."""
    if notice.kind is not NoticeKind.PROMISED:
        return notice.news
    expected = notice.message.headline.removeprefix(f"{notice.dataset} is late and ")
    return ": ".join(filter(None, [expected, notice.news]))


_OPEN_AGAIN = frozenset({NoticeKind.REOPENED, NoticeKind.FLAPPING})


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackGroup:
    """A message that shows many incidents, as it was posted; `over` is when each of
    them ended that is over, by its name.
    """

    channel: str
    ts: str
    members: int
    message: Message
    over: Mapping[str, datetime] = field(default_factory=dict)
    incidents: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    """What people did about all of them, the newest last; so much as is kept."""

    @property
    def actions(self) -> tuple[str, ...]:
        """What its readers can do about all of them."""
        is_over = len(self.over) >= self.members
        return () if is_over else actions_together(len(self.incidents))

    def having(self, *done: str) -> SlackGroup:
        """With what people did about all of them, each thing once."""
        said = tuple(dict.fromkeys((*self.said, *done)))[-SAID_KEPT:]
        return dataclasses.replace(self, said=said)

    def after(self, notices: Iterable[Notice]) -> SlackGroup:
        """With what `notices` say of its members: their ends, and what people did about
        all of them.
        """
        known = list(notices)
        done = dict.fromkeys(said_in(one) for one in known if one.together)
        if done:
            return self.having(*done).after(x for x in known if not x.together)
        over = dict(self.over)
        for one in notices:
            name = one.team if is_ours(one.dataset) else one.dataset
            if one.kind is NoticeKind.RESOLVED:
                over[name] = one.created_at
            elif one.kind in _OPEN_AGAIN:
                over.pop(name, None)
        return dataclasses.replace(self, over=over)

    @property
    def shown(self) -> Message:
        """As it stands: nobody who reads it now takes for late what is not."""
        people = [block("From people", list(self.said))] if self.said else []
        first = dataclasses.replace(
            self.message, blocks=(*people, *self.message.blocks)
        )
        if not self.over:
            return first
        headline = self.message.headline.removeprefix("[page] ")
        left = self.members - len(self.over)
        lead = f"{len(self.over)} of {self.members} over" if left > 0 else "Over"
        ended = sorted(self.over.items(), key=lambda one: (one[1], one[0]))
        lines = [f"{name}, {local_time(at, 'UTC')}" for name, at in reversed(ended)]
        rest = [self._open(one) for one in first.blocks] if left > 0 else []
        return Message(
            headline=f"{lead}: {headline}",
            blocks=(block("Over", lines, listed=True), *rest),
        )

    def _open(self, one: Block) -> Block:
        """Its lines but for those of members that are over."""
        if one.label == FIRST:
            is_over = any(f"{name} " in one.lines[0] for name in self.over)
            lines = (f"{one.lines[0]} (over)",) if is_over else one.lines
            return dataclasses.replace(one, lines=lines)
        if not one.listed:
            return one
        kept = (x for x in one.lines if x.partition(":")[0] not in self.over)
        return dataclasses.replace(one, lines=tuple(kept))


def place_of(address: str, audience: Recipient) -> str:
    """Where the message for an audience is remembered: in a channel that both read,
    each has its own, and neither is edited into the other's.
    """
    is_theirs = audience is Recipient.ENGINEERS
    return address if is_theirs else f"{address} {audience.value}"


class SlackPosts(Protocol):
    """Where posts are remembered, by place (`place_of`) and incident."""

    def group(self, place: str, ts: str) -> SlackGroup | None:
        """A message that shows many, if it is known."""

    def keep_group(self, place: str, group: SlackGroup) -> None:
        """Remember it."""

    def of(self, place: str, incidents: Sequence[str]) -> Mapping[str, SlackPost]:
        """Those that are known."""

    def keep(self, place: str, posts: Sequence[SlackPost]) -> None:
        """Remember them."""
