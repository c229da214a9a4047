"""A workspace of Slack's: its channels, people and groups, and the methods that an app
calls ("Web API methods"), with the errors that their pages name.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from local.slack.limits import TEXT_CUT, refusal
from local.slack.page import Post
from local.slack.views import view_fault

Json = Mapping[str, Any]

TRIGGER_LIVES = timedelta(seconds=3)
UPDATE_TEXT = 4_000
PAGE = 100
TEAM = "T0CATFLAP"
APP = "A0CATFLAP"
BOT_TOKEN = "xoxb-look-alike"  # noqa: S105 - of the look-alike
SIGNING_SECRET = "look-alike-signing"  # noqa: S105 - of the look-alike


class MethodError(Exception):
    """What a method answers as `error`."""

    def __init__(self, code: str, **more: object) -> None:
        super().__init__(code)
        self.answer = {"ok": False, "error": code, **more}


@dataclass(slots=True, kw_only=True)
class SlackChannelRoom:
    """A channel. `refuses` is the word with which it takes no message."""

    id: str
    name: str
    members: list[str] = field(default_factory=list)
    refuses: str | None = None


@dataclass(slots=True, kw_only=True)
class Workspace:
    """What stands in a workspace, and what an app may do there.

    A channel that nobody made is made when it is named, unless `is_strict`. `busy` is
    how long each next call of a method is put off, in seconds.
    """

    now: Callable[[], datetime]
    posts: list[Post] = field(default_factory=list)
    rooms: dict[str, SlackChannelRoom] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    busy: dict[str, list[int]] = field(default_factory=dict)
    views: list[dict[str, Any]] = field(default_factory=list)
    people: list[str] = field(default_factory=lambda: ["U0ANN", "U0BEN"])
    is_strict: bool = False
    edits_closed: bool = False
    lost_answers: int = 0
    """So many next posts are made, and their answers lost."""
    whispers: list[tuple[str, str]] = field(default_factory=list)
    """Who was told what that nobody else sees."""
    calls: list[str] = field(default_factory=list)
    _triggers: dict[str, datetime] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def room(self, name: str) -> SlackChannelRoom:
        """The channel of that name or id; it is made if there is none."""
        for one in self.rooms.values():
            if name in (one.id, one.name, f"#{one.name}"):
                return one
        if self.is_strict:
            raise MethodError("channel_not_found")
        made = SlackChannelRoom(
            id=f"C0{next(self._numbers):06d}",
            name=name.lstrip("#"),
            members=list(self.people),
        )
        self.rooms[made.id] = made
        return made

    def trigger(self) -> str:
        """What a click brings along: good for one view, for three seconds."""
        made = f"{next(self._numbers)}.trigger"
        self._triggers[made] = self.now() + TRIGGER_LIVES
        return made

    def call(self, method: str, given: Json) -> dict[str, Any]:
        """What a method answers. Raises MethodError."""
        self.calls.append(method)
        known = _METHODS.get(method)
        if known is None:
            raise MethodError("unknown_method")
        return {"ok": True, **known(self, given)}

    def post_message(self, given: Json) -> dict[str, Any]:
        """chat.postMessage."""
        room = self._writable(given)
        self._refuse_malformed(given)
        thread = given.get("thread_ts")
        if thread is not None and self._index(room, thread) is None:
            raise MethodError("thread_not_found")
        now = self.now()
        ts = f"{int(now.timestamp())}.{next(self._numbers):06d}"
        message = {"text": "", **_shown(given)}
        self.posts.append(
            Post(
                at=now,
                message={**message, "text": str(message["text"])[:TEXT_CUT]},
                channel=f"#{room.name}",
                ts=ts,
                thread_ts=thread,
                is_in_channel=thread is None or bool(given.get("reply_broadcast")),
            )
        )
        return {"channel": room.id, "ts": ts}

    def update(self, given: Json) -> dict[str, Any]:
        """chat.update; a channel's name is not accepted."""
        if given.get("channel") not in self.rooms:
            raise MethodError("channel_not_found")
        room = self._writable(given)
        self._refuse_malformed(given)
        if len(str(given.get("text", ""))) > UPDATE_TEXT:
            raise MethodError("msg_too_long")
        place = self._index(room, given.get("ts"))
        if place is None:
            raise MethodError("message_not_found")
        if self.edits_closed:
            raise MethodError("edit_window_closed")
        before = self.posts[place]
        # Without blocks in the request, those of the message are gone.
        self.posts[place] = dataclasses.replace(
            before, message=_shown(given), edits=before.edits + 1
        )
        return {"channel": room.id, "ts": before.ts}

    def open_view(self, given: Json) -> dict[str, Any]:
        """views.open."""
        trigger = str(given.get("trigger_id", ""))
        if trigger not in self._triggers:
            raise MethodError("invalid_trigger_id")
        if trigger in self._used:
            raise MethodError("exchanged_trigger_id")
        if self.now() > self._triggers[trigger]:
            raise MethodError("expired_trigger_id")
        fault = view_fault(given.get("view"))
        if fault is not None:
            messages = {"response_metadata": {"messages": [fault]}}
            raise MethodError("invalid_arguments", **messages)
        self._used.add(trigger)
        view = {**given["view"], "id": f"V{next(self._numbers)}", "hash": "1"}
        self.views.append(view)
        return {"view": view}

    def user_groups(self, _given: Json) -> dict[str, Any]:
        """usergroups.list."""
        found = [{"id": id_, "handle": handle} for handle, id_ in self.groups.items()]
        return {"usergroups": found}

    def members(self, given: Json) -> dict[str, Any]:
        """conversations.members, page by page."""
        if given.get("channel") not in self.rooms:
            raise MethodError("channel_not_found")
        room = self.rooms[str(given["channel"])]
        start = int(str(given.get("cursor") or "0"))
        limit = min(int(given.get("limit", PAGE)), PAGE)
        more = start + limit < len(room.members)
        return {
            "members": room.members[start : start + limit],
            "response_metadata": {"next_cursor": str(start + limit) if more else ""},
        }

    def post_ephemeral(self, given: Json) -> dict[str, Any]:
        """chat.postEphemeral: one person sees it."""
        room = self._writable(given)
        if given.get("user") not in room.members:
            raise MethodError("user_not_in_channel")
        self.whispers.append((str(given["user"]), str(given.get("text", ""))))
        return {"message_ts": "1.0"}

    def authentication(self, _given: Json) -> dict[str, Any]:
        """auth.test."""
        return {"team_id": TEAM, "bot_id": "B0CATFLAP"}

    def of(self, channel: str) -> Sequence[Post]:
        """What stands in a channel, threads included."""
        return [one for one in self.posts if one.channel == channel]

    def _writable(self, given: Json) -> SlackChannelRoom:
        name = given.get("channel")
        if not isinstance(name, str) or not name:
            raise MethodError("channel_not_found")
        room = self.room(name)
        if room.refuses is not None:
            raise MethodError(room.refuses)
        return room

    def _refuse_malformed(self, given: Json) -> None:
        word = refusal(dict(given))
        if word is not None:
            raise MethodError(word)

    def _index(self, room: SlackChannelRoom, ts: object) -> int | None:
        for place, one in enumerate(self.posts):
            if one.ts == ts and one.channel == f"#{room.name}":
                return place
        return None


def _shown(given: Json) -> dict[str, Any]:
    return {key: given[key] for key in ("text", "blocks", "metadata") if key in given}


_METHODS: Mapping[str, Callable[[Workspace, Json], dict[str, Any]]] = {
    "chat.postMessage": Workspace.post_message,
    "chat.update": Workspace.update,
    "chat.postEphemeral": Workspace.post_ephemeral,
    "auth.test": Workspace.authentication,
    "views.open": Workspace.open_view,
    "usergroups.list": Workspace.user_groups,
    "conversations.members": Workspace.members,
}
