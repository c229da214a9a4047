"""Slack, by an app: one message an incident, updated in place, its story in the thread.

::

    a first notice ──> a new message in the owner's channel
    a later one ─────> a reply in its thread, then the message is updated
    a page ──────────> always a new message: an edit wakes nobody
    many of one cause > one message, updated with those that are over

`chat.postMessage` takes no key that would drop a second copy. What was posted is
remembered right after it, so a copy is posted only if a function dies in between.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lambdas.adapters.slack.api import SlackApi, SlackRefused
from lambdas.adapters.slack.user_groups import user_groups
from lambdas.core.errors import DeliveryError
from lambdas.core.incidents.groups import NoticeBatch
from lambdas.core.incidents.incident import NoticeKind
from lambdas.core.incidents.notice import Notice
from lambdas.core.slack.blocks import as_slack, reply
from lambdas.core.slack.mentions import (
    UserGroupMemory,
    handles_in,
    is_person,
    mentioned,
)
from lambdas.core.slack.post import (
    SlackGroup,
    SlackPost,
    SlackPosts,
    actions_together,
    group_value,
    place_of,
)
from lambdas.core.slack.refusals import NOT_EDITABLE, OF_THE_CHANNEL

LOG = logging.getLogger("catflap.slack.app")

_QUIET: dict[str, object] = {
    "unfurl_links": False,
    "unfurl_media": False,
    "parse": "none",
    "link_names": False,
}
_TO_THE_CHANNEL = frozenset(
    {NoticeKind.PROMISED, NoticeKind.OVERDUE, NoticeKind.REOPENED, NoticeKind.REMINDER}
)
"""What asks something of its readers is shown in the channel beside the thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Posted:
    channel: str
    ts: str


class SlackApp:
    """Posts as the app's bot."""

    def __init__(
        self,
        *,
        api: SlackApi,
        posts: SlackPosts,
        groups: UserGroupMemory,
        default_channel: str | None,
        has_buttons: bool,
        app_name: str = "catflap",
    ) -> None:
        self._api = api
        self._posts = posts
        self._groups = groups
        self._default = default_channel
        self._has_buttons = has_buttons
        self._app_name = app_name

    def deliver(self, batch: NoticeBatch) -> None:
        """Post what is new, then update what shows it. Raises DeliveryError or
        ChannelDown.
        """
        address = batch.first.address or self._default
        if address is None:
            raise DeliveryError(
                f"no channel of Slack's is named for "
                f"{batch.first.dataset or batch.first.team}: set "
                "`slack.default_channel` in the environment's YAML, or the dataset's "
                "`owner`"
            )
        if all(self._stands_there(one, address) for one in batch.notices):
            return
        place = place_of(address, batch.first.audience)
        known = dict(self._posts.of(place, [one.incident_id for one in batch.notices]))
        new = [one for one in batch.notices if not _was_sent(one, known)]
        if new:
            known |= self._told(address, place, batch, new, known)
        for notice in batch.notices:
            self._shown(place, notice, known[notice.incident_id])
        many = {post.ts for post in known.values() if post.members > 1}
        for ts in sorted(many):
            theirs = [x for x in batch.notices if known[x.incident_id].ts == ts]
            self._shown_together(place, ts, theirs)

    def _stands_there(self, one: Notice, address: str) -> bool:
        """Whether it is a copy, and the owner's own message is in that channel."""
        return one.copy_of is not None and (one.copy_of or self._default) == address

    def _told(
        self,
        address: str,
        place: str,
        batch: NoticeBatch,
        new: Sequence[Notice],
        known: Mapping[str, SlackPost],
    ) -> dict[str, SlackPost]:
        """Say what is new: in the one thread that all of it belongs to, or to the
        channel.
        """
        roots = [known.get(one.incident_id) for one in new]
        root = roots[0]
        posted = None
        if root is not None and {one and one.ts for one in roots} == {root.ts}:
            posted = self._replied(root, batch)
        if posted is None:
            posted = self._posted(address, place, batch)
            root = None
        made = {
            one.incident_id: _after(
                one, known.get(one.incident_id), posted, new, is_reply=root is not None
            )
            for one in new
        }
        here = sum(post.ts == posted.ts for post in made.values())
        if root is None and here > 1:
            group = SlackGroup(
                channel=posted.channel,
                ts=posted.ts,
                members=here,
                message=batch.message,
                incidents=tuple(
                    one for one, post in made.items() if post.ts == posted.ts
                )
                if self._buttons_of(batch)
                else (),
            )
            self._posts.keep_group(place, group)
        self._posts.keep(place, list(made.values()))
        return made

    def _replied(self, root: SlackPost, batch: NoticeBatch) -> _Posted | None:
        """A reply in the incident's thread; None if there is no thread any more."""
        first = batch.first
        news = first.news if len(batch.notices) == 1 else ""
        if news and root.members > 1 and first.dataset:
            news = f"{first.dataset}: {news}"
        if first.kind is NoticeKind.PROMISED:
            news = "\n".join(filter(None, [batch.message.headline, first.news]))
        said = reply(news or batch.message.headline, mention=self._mention(batch))
        if batch.page:
            said = as_slack(batch.message, mention=self._mention(batch))
        to_channel = batch.page or first.kind in _TO_THE_CHANNEL
        try:
            answer = self._api.call(
                "chat.postMessage",
                {
                    **said,
                    **_QUIET,
                    "channel": root.channel,
                    "thread_ts": root.ts,
                    "reply_broadcast": to_channel,
                },
            )
        except SlackRefused as error:
            if error.code in NOT_EDITABLE or error.code in OF_THE_CHANNEL:
                return None
            raise
        return _Posted(channel=str(answer["channel"]), ts=str(answer["ts"]))

    def _posted(self, address: str, place: str, batch: NoticeBatch) -> _Posted:
        """A new message: in the owner's channel, or in the default one if the owner's
        takes none.
        """
        try:
            return self._sent(address, place, batch, note="")
        except SlackRefused as error:
            if is_person(address):  # who has left; nobody hears it in their place
                LOG.warning("could not tell %s of the end: %s", address, error)
                return _Posted(channel=address, ts="")
            why = OF_THE_CHANNEL.get(error.code)
            if why is None:
                raise
            said = why.format(app=self._app_name)
            where = f"Slack channel {address} {said} ({error.code})"
            if self._default is None or self._default == address:
                raise DeliveryError(where) from None
            note = f"for {batch.first.audience.value} in {address}: {where}"
        return self._sent(self._default, place, batch, note=note)

    def _sent(
        self, channel: str, place: str, batch: NoticeBatch, *, note: str
    ) -> _Posted:
        said = as_slack(
            batch.message,
            mention=self._mention(batch),
            actions=self._buttons_of(batch),
            incident_id=group_value(place)
            if len(batch.notices) > 1
            else batch.first.incident_id,
            note=note,
        )
        arguments = {**said, **_QUIET, "channel": channel}
        answer = self._api.call("chat.postMessage", arguments)
        return _Posted(channel=str(answer["channel"]), ts=str(answer["ts"]))

    def _buttons_of(self, batch: NoticeBatch) -> tuple[str, ...]:
        """Those of a new message, where every reader may do something about it."""
        if not self._has_buttons or not all(one.actions for one in batch.notices):
            return ()
        many = len({one.incident_id for one in batch.notices})
        return batch.first.actions if many == 1 else actions_together(many)

    def _shown(self, place: str, notice: Notice, post: SlackPost) -> None:
        """Update the message that shows one incident."""
        if post.shown == notice.notice_id or post.members > 1:
            return
        said = as_slack(
            notice.message,
            actions=notice.actions if self._has_buttons else (),
            incident_id=notice.incident_id,
        )
        if self._edited(post.channel, post.ts, said):
            shown = dataclasses.replace(post, shown=notice.notice_id)
            self._posts.keep(place, [shown])

    def _shown_together(self, place: str, ts: str, notices: Sequence[Notice]) -> None:
        """Update the message that shows many, if some of them are over by now."""
        before = self._posts.group(place, ts)
        if before is None:
            return
        after = before.after(notices)
        if after == before:
            return
        said = as_slack(
            after.shown, actions=after.actions, incident_id=group_value(place)
        )
        if self._edited(after.channel, ts, said):
            self._posts.keep_group(place, after)

    def _edited(self, channel: str, ts: str, said: Mapping[str, object]) -> bool:
        """Not where it cannot be any more: the thread has said what is new."""
        where = {"channel": channel, "ts": ts, "parse": "none"}
        try:
            self._api.call("chat.update", {**said, **where})
        except SlackRefused as error:
            if error.code not in NOT_EDITABLE and error.code not in OF_THE_CHANNEL:
                raise
            return False
        return True

    def _mention(self, batch: NoticeBatch) -> str:
        """Who is mentioned: on a page, whoever its datasets' owners name."""
        named = dict.fromkeys(
            one.mention for one in batch.notices if one.page and one.mention
        )
        return " ".join(self._one_mention(one) for one in list(named)[:10])

    def _one_mention(self, mention: str) -> str:
        """By the ids that are remembered; only what is not is asked for now."""
        handles = handles_in(mention)
        known = self._groups.read() if handles else None
        ids = {} if known is None else known.ids
        if all(one in ids for one in handles):
            return mentioned(mention, ids, ())
        try:
            return mentioned(mention, user_groups(self._api), handles)
        except DeliveryError:
            return mentioned(mention, ids, () if known is None else known.unknown)


def _was_sent(notice: Notice, known: Mapping[str, SlackPost]) -> bool:
    post = known.get(notice.incident_id)
    return post is not None and notice.notice_id in post.sent


def _after(
    notice: Notice,
    before: SlackPost | None,
    posted: _Posted,
    new: Sequence[Notice],
    *,
    is_reply: bool,
) -> SlackPost:
    """What is remembered of an incident once a notice of it was posted.

    A new message shows an incident from then on, unless it is one of many there and has
    a message of its own.
    """
    if before is not None and (is_reply or len(new) > 1):
        return before.having(notice.notice_id)
    return SlackPost(
        incident_id=notice.incident_id,
        channel=posted.channel,
        ts=posted.ts,
        members=len(new),
        shown=notice.notice_id,
        sent=before.sent if before is not None else (),
    ).having(notice.notice_id)
