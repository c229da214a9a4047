"""Letters: what leaves the outbox. Notices that say the same become one.

When fifty datasets stop for one cause, fifty messages would hide it. Notices wait in
the outbox one by one, so that each is sent for sure; they are put together only when
they leave, by audience, channel, kind and cause, and by the API where that is at fault:
alertmanager calls it a group.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lambdas.core.incidents.incident import NoticeKind, Recipient
from lambdas.core.incidents.message import Block, Message, block
from lambdas.core.incidents.notice import Notice

TOGETHER_FROM = 4
"""So many notices that say the same leave as one."""
_NAMED = 60
"""Datasets named in one letter; the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeBatch:
    """What one channel delivers at once, and the notices that are then delivered.

    `letter_id` is the same for the same notices: a reader can drop a second copy.
    """

    letter_id: str
    notices: tuple[Notice, ...]
    message: Message

    @property
    def first(self) -> Notice:
        """The notice that stands for all: they agree in all but their dataset."""
        return self.notices[0]

    @property
    def page(self) -> bool:
        """Whether somebody is to be woken."""
        return any(notice.page for notice in self.notices)


def batches_of(notices: Sequence[Notice]) -> tuple[NoticeBatch, ...]:
    """What to deliver for these notices, the oldest first."""
    groups: dict[tuple[str, ...], list[Notice]] = {}
    for notice in sorted(notices, key=lambda item: (item.created_at, item.notice_id)):
        key = (
            notice.channel,
            notice.audience.value,
            notice.kind.value,
            notice.cause or "",
            notice.shared or "",
            notice.notice_id if _stands_alone(notice) else "",
        )
        groups.setdefault(key, []).append(notice)
    return tuple(letter for group in groups.values() for letter in _letters(group))


def _stands_alone(notice: Notice) -> bool:
    """Systems want each, and each promise has a time of its own."""
    return notice.audience is Recipient.SYSTEMS or notice.kind is NoticeKind.PROMISED


def _letters(group: list[Notice]) -> list[NoticeBatch]:
    if len(group) < TOGETHER_FROM:
        return [
            NoticeBatch(letter_id=item.notice_id, notices=(item,), message=item.message)
            for item in group
        ]
    ids = "\n".join(item.notice_id for item in group)
    digest = hashlib.blake2b(ids.encode(), digest_size=8).hexdigest()
    together = NoticeBatch(
        letter_id=f"{group[0].notice_id}.{digest}",
        notices=tuple(group),
        message=_together(group),
    )
    return [together]


_WORDS: Mapping[NoticeKind, str] = {
    NoticeKind.OPENED: "one cause",
    NoticeKind.CHANGED: "changed to one cause",
    NoticeKind.BLIND: "late, and now unseen",
    NoticeKind.REMINDER: "still open",
    NoticeKind.RESOLVED: "up to date again",
    NoticeKind.REPAIRED: "repaired",
}


_STATES = ("error", "warn", "unknown")


def _rank(notice: Notice) -> tuple[int, bool, datetime, str]:
    """The worst first: by state, then by how old the newest row is, then by name."""
    place = _STATES.index(notice.state) if notice.state in _STATES else len(_STATES)
    newest = notice.newest_at
    return place, newest is not None, newest or notice.created_at, notice.dataset


def _together(group: list[Notice]) -> Message:
    first = group[0]
    worst = min(group, key=_rank)
    names = list(dict.fromkeys(item.dataset for item in sorted(group, key=_rank)))
    page = "[page] " if any(notice.page for notice in group) else ""
    what = _WORDS[first.kind]
    if first.audience is Recipient.ENGINEERS and first.cause is not None:
        what = f"{what}: {first.cause}"
    if first.audience is Recipient.ENGINEERS and first.shared is not None:
        what = f"{what} ({first.shared})"
    shown = ", ".join(names[:_NAMED])
    if len(names) > _NAMED:
        shown += f" … and {len(names) - _NAMED} more"
    return Message(
        headline=f"{page}{len(names)} datasets, {what}",
        blocks=(
            block("Datasets, the worst first", [shown]),
            Block(label="The first of them", lines=(worst.message.headline,)),
            *worst.message.blocks,
        ),
    )
