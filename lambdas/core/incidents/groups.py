"""Batches: what leaves the outbox. Notices that say the same become one.

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

from lambdas.core.events import EVENTS_A_CALL
from lambdas.core.incidents.channels import is_by_owner
from lambdas.core.incidents.incident import NoticeKind, Recipient, in_plain_words
from lambdas.core.incidents.message import Block, Message, block
from lambdas.core.incidents.notice import Notice
from lambdas.core.incidents.quality import WORDS as OF_CHECKS
from lambdas.core.names import OURS, is_ours
from lambdas.core.text.count import counted

TOGETHER_FROM = 2
"""So many notices that say the same leave as one."""
FIRST = "The first of them"
"""The label of the one that is spelled out."""
_NAMED = 12
"""Datasets with a line of their own in one message."""
_COUNTED = 60
"""Further ones that are named; the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeBatch:
    """What one channel delivers at once, and the notices that are then delivered.

    `batch_id` is the same for the same notices: a reader can drop a second copy.
    """

    batch_id: str
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
    groups: list[list[Notice]] = []
    open_group: dict[tuple[str, ...], int] = {}
    last: dict[tuple[str, ...], list[tuple[Notice, int]]] = {}
    for notice in sorted(notices, key=lambda item: (item.created_at, item.notice_id)):
        key, story = _key(notice), _story(notice)
        place = open_group.get(key, -1)
        behind = [at for one, at in last.get(story, ()) if _comes_before(one, notice)]
        if place <= max(behind, default=-1) or _is_full(groups[place]):
            # What came before it in its incident leaves before it, too.
            place = len(groups)
            open_group[key] = place
            groups.append([])
        groups[place].append(notice)
        last.setdefault(story, []).append((notice, place))
    return tuple(batch for group in groups for batch in _batches(group))


def _key(notice: Notice) -> tuple[str, ...]:
    """What notices that leave together agree in; for systems, only their way."""
    if notice.audience is Recipient.SYSTEMS:
        return notice.channel, notice.audience.value
    return (
        notice.channel,
        notice.audience.value,
        notice.kind.value,
        notice.cause or "",
        notice.shared or "",
        notice.ended_by,
        _what(notice),
        (notice.address or "") if is_by_owner(notice.channel) else "",
        (notice.together or notice.notice_id) if _stands_alone(notice) else "",
    )


def _is_full(group: Sequence[Notice]) -> bool:
    """People read one message, however many; systems get each event as it is."""
    return group[0].audience is Recipient.SYSTEMS and len(group) == EVENTS_A_CALL


def _story(notice: Notice) -> tuple[str, ...]:
    """What is told in the order in which it came: a later incident of a dataset is not
    told before the end of an earlier one.
    """
    return notice.channel, notice.audience.value, notice.dataset or notice.incident_id


def _comes_before(one: Notice, other: Notice) -> bool:
    """Two incidents of a dataset that are told of at once have no order."""
    is_earlier = one.created_at < other.created_at
    return is_earlier or one.incident_id == other.incident_id


_ALONE = frozenset(
    {
        NoticeKind.PROMISED,
        NoticeKind.EDITED,
        NoticeKind.REPORTED,
        NoticeKind.DIGEST,
        NoticeKind.CAUSES,
    }
)


def _stands_alone(notice: Notice) -> bool:
    """What a person adds is of one incident, but for a click that is of many."""
    return notice.kind in _ALONE or notice.dataset in OURS


def _batches(group: list[Notice]) -> list[NoticeBatch]:
    if len(group) < TOGETHER_FROM:
        return [
            NoticeBatch(batch_id=item.notice_id, notices=(item,), message=item.message)
            for item in group
        ]
    ids = "\n".join(item.notice_id for item in group)
    digest = hashlib.blake2b(ids.encode(), digest_size=8).hexdigest()
    together = NoticeBatch(
        batch_id=f"{group[0].notice_id}.{digest}",
        notices=tuple(group),
        message=group[0].message
        if group[0].audience is Recipient.SYSTEMS
        else _together(group),
    )
    return [together]


_WORDS: Mapping[NoticeKind, str] = {
    NoticeKind.OPENED: "late",
    NoticeKind.CHANGED: "still late",
    NoticeKind.BLIND: "late, and now they cannot be read",
    NoticeKind.REMINDER: "still late",
    NoticeKind.DAILY: "still late",
    NoticeKind.REOPENED: "late again",
    NoticeKind.FLAPPING: "late again and again",
    NoticeKind.OVERDUE: "did not come when expected",
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
    if first.kind is NoticeKind.EDITED:
        return Message(headline=f"{first.news} ({counted(len(group), 'incident')})")
    if is_ours(first.dataset):
        return _of_owners(group, worst)
    names = list(dict.fromkeys(item.dataset for item in sorted(group, key=_rank)))
    page = "[page] " if any(notice.page for notice in group) else ""
    is_said = first.cause is None or first.cause in OF_CHECKS
    why = "" if is_said else in_plain_words(first.cause).rstrip(".")
    if first.shared is not None and first.audience is Recipient.ENGINEERS:
        why += f" ({first.shared})"
    return Message(
        headline=f"{page}{counted(len(names), 'dataset')} {_what(first)}"
        + (f": {why}" if why and first.kind is not NoticeKind.RESOLVED else ""),
        blocks=(
            block("The worst first", _lines(sorted(group, key=_rank)), listed=True),
            *_more(names),
            Block(label=FIRST, lines=(worst.message.headline,)),
            *worst.message.blocks,
        ),
    )


def _of_owners(group: list[Notice], worst: Notice) -> Message:
    """An API of several owners, where all read one message."""
    return Message(
        headline=f"{worst.message.headline} (one of {len(group)} owners)",
        blocks=(
            block("Owners", _lines(sorted(group, key=_rank)), listed=True),
            *worst.message.blocks,
        ),
    )


_ENDED = {
    "not_promised": "are no longer promised",
    "removed": "were removed",
    "closed": "were closed by hand",
    "false_alarm": "were false alarms",
}


_OTHERWISE: Mapping[str, tuple[str, str]] = {
    "pass": ("at risk", "no longer at risk"),
    "unknown": ("cannot be judged", "can be read again"),
}
"""What is said of datasets that are not late: while it is so, and when it is over."""
_MISJUDGED = ("were misjudged", "are judged rightly again")


def _what(notice: Notice) -> str:
    """What is said of all that leave together: also of those that are not late."""
    if notice.ended_by in _ENDED:
        return _ENDED[notice.ended_by]
    is_over = notice.kind is NoticeKind.RESOLVED
    if notice.cause in OF_CHECKS:
        return "pass their checks again" if is_over else "fail checks"
    if notice.cause == "monitor_misread":
        return _MISJUDGED[is_over]
    if notice.kind is NoticeKind.PROMISED:
        return notice.message.headline.removeprefix(f"{notice.dataset} is ")
    if notice.state in _OTHERWISE:
        return _OTHERWISE[notice.state][is_over]
    return _WORDS.get(notice.kind, "")


def _lines(group: list[Notice]) -> list[str]:
    return list(dict.fromkeys(one.line or one.dataset for one in group))[:_NAMED]


def _more(names: list[str]) -> list[Block]:
    more = names[_NAMED:]
    if not more:
        return []
    shown = ", ".join(more[:_COUNTED])
    if len(more) > _COUNTED:
        shown += f" … and {len(more) - _COUNTED} more"
    return [block("And", [shown])]
