"""A person in the look-alike, who clicks and types: signed requests, as Slack sends.

Slack: "Handling user interaction", "Verifying requests from Slack".
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import urllib3

from lambdas.core.slack.signature import sign
from local.slack.page import Post
from local.slack.workspace import APP, SIGNING_SECRET, TEAM, Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackAnswer:
    """What Slack got for a click."""

    status: int
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body, {} if it is empty."""
        document: dict[str, Any] = json.loads(self.body or b"{}")
        return document


_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackPerson:
    """Clicks in a workspace whose app's request URL is `url`."""

    workspace: Workspace
    url: str
    user: str = "U0ANN"
    name: str = "ann"
    team: str = TEAM
    secret: str = SIGNING_SECRET
    http: urllib3.PoolManager = field(default_factory=urllib3.PoolManager)

    def click(self, post: Post, action: str) -> SlackAnswer:
        """Press the button `action` of a message."""
        return self.send({"payload": json.dumps(self.click_payload(post, action))})

    def click_payload(self, post: Post, action: str) -> dict[str, Any]:
        """What Slack sends of it."""
        (button,) = (
            element
            for block in post.message.get("blocks", ())
            if block["type"] == "actions"
            for element in block["elements"]
            if element["action_id"] == action
        )
        room = self.workspace.room(post.channel)
        pressed = {**button, "block_id": "catflap", "action_ts": f"{next(_numbers)}.1"}
        return {
            "type": "block_actions",
            "team": {"id": self.team},
            "user": {"id": self.user, "name": self.name, "team_id": self.team},
            "api_app_id": APP,
            "trigger_id": self.workspace.trigger(),
            "container": {"type": "message", "message_ts": post.ts},
            "channel": {"id": room.id, "name": room.name},
            "message": dict(post.message),
            "actions": [pressed],
        }

    def shortcut(self, post: Post, callback_id: str) -> SlackAnswer:
        """Choose a shortcut of the app's at a message."""
        room = self.workspace.room(post.channel)
        payload = {
            "type": "message_action",
            "callback_id": callback_id,
            "team": {"id": self.team},
            "user": {"id": self.user, "name": self.name, "team_id": self.team},
            "api_app_id": APP,
            "trigger_id": self.workspace.trigger(),
            "channel": {"id": room.id, "name": room.name},
            "message": dict(post.message),
        }
        return self.send({"payload": json.dumps(payload)})

    def submit(self, view: Mapping[str, Any], **values: object) -> SlackAnswer:
        """Fill a modal and send it; values are by block."""
        keys = {
            "datetimepicker": "selected_date_time",
            "static_select": "selected_option",
        }
        state = {
            block["block_id"]: {
                block["element"]["action_id"]: {
                    "type": block["element"]["type"],
                    keys.get(block["element"]["type"], "value"): values.get(
                        block["block_id"]
                    ),
                }
            }
            for block in view["blocks"]
            if block["type"] == "input"
        }
        payload = {
            "type": "view_submission",
            "team": {"id": self.team},
            "user": {"id": self.user, "name": self.name, "team_id": self.team},
            "api_app_id": APP,
            "view": {**view, "state": {"values": state}},
        }
        return self.send({"payload": json.dumps(payload)})

    def type(self, command: str, text: str, channel: str) -> SlackAnswer:
        """Type a slash command."""
        fields = {
            "command": command,
            "text": text,
            "user_id": self.user,
            "team_id": self.team,
            "channel_id": self.workspace.room(channel).id,
            "trigger_id": self.workspace.trigger(),
            "api_app_id": APP,
        }
        return self.send(fields)

    def send(
        self, form: Mapping[str, str], *, at: datetime | None = None
    ) -> SlackAnswer:
        """Post a form, signed `at` that time."""
        body = urlencode(form).encode()
        return self.post(body, self.signed(body, at=at))

    def signed(self, body: bytes, *, at: datetime | None = None) -> dict[str, str]:
        """The headers of Slack's."""
        stamp = str(int((at or self.workspace.now()).timestamp()))
        return {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": sign(
                b"v0:%s:%s" % (stamp.encode(), body), self.secret
            ),
        }

    def post(self, body: bytes, headers: Mapping[str, str]) -> SlackAnswer:
        """Post anything."""
        answer = self.http.request(
            "POST", self.url, body=body, headers=headers, retries=False, timeout=30.0
        )
        return SlackAnswer(status=answer.status, body=answer.data)
