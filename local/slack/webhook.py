"""Slack on loopback: a webhook and a Web API that take and refuse what Slack's do, and
a page that shows what was posted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.loopback import Answer, Asked, LoopbackServer
from local.slack.limits import MAX_BODY_BYTES, TEXT_CUT, refusal
from local.slack.page import Post, page
from local.slack.workspace import BOT_TOKEN, SIGNING_SECRET, MethodError, Workspace

_REFRESH_S = 5
_PATH = "/services/T0/B0/XYZ"
_API = "/api/"


class SlackLookAlike:
    """A webhook, and the workspace of an app. `is_down` makes both answer 503; `now`
    dates posts.
    """

    def __init__(
        self, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.workspace = Workspace(now=now)
        self.is_down = False
        self._now = now
        self._server = LoopbackServer(self._answer)
        self._server.start()

    @property
    def all(self) -> list[Post]:
        """Every message, refused ones of the webhook included."""
        return self.workspace.posts

    def _answer(self, asked: Asked) -> Answer | None:
        if asked.path.startswith(_API):
            return self._called(asked)
        if asked.method == "POST":
            status, word = self.take(asked.path, asked.body)
            kind, body = "text/plain", word
        else:
            status, body = 200, page(self.all, refresh_s=_REFRESH_S)
            kind = "text/html; charset=utf-8"
        headers = {"Content-Type": kind}
        return Answer(status=status, body=body.encode(), headers=headers)

    def _called(self, asked: Asked) -> Answer | None:
        """A method of the Web API; None: the answer is lost on its way."""
        method = asked.path.removeprefix(_API)
        put_off = self.workspace.busy.get(method)
        if self.is_down:
            return Answer(status=503, body=b"service_unavailable")
        if put_off:
            headers = {"Retry-After": str(put_off.pop(0))}
            body = b'{"ok":false,"error":"ratelimited"}'
            return Answer(status=429, body=body, headers=headers)
        try:
            _authorize(asked)
            answer = self.workspace.call(method, asked.json)
        except MethodError as error:
            answer = error.answer
        except ValueError:
            answer = {"ok": False, "error": "invalid_json"}
        if method == "chat.postMessage" and self.workspace.lost_answers:
            self.workspace.lost_answers -= 1
            return None
        return Answer(body=json.dumps(answer).encode())

    def take(self, path: str, body: bytes) -> tuple[int, str]:
        """Take or refuse a post: the status and the word that Slack answers."""
        if self.is_down:
            return 503, "service_unavailable"
        if path != _PATH:
            return 404, "no_service"
        try:
            message = json.loads(body[: MAX_BODY_BYTES + 1])
        except ValueError:
            return 400, "invalid_payload"
        word = refusal(message)
        if isinstance(message, dict):
            text = message.get("text")
            if isinstance(text, str):
                message["text"] = text[:TEXT_CUT]
            self.all.append(Post(at=self._now(), message=message, refused=word))
        return (200, "ok") if word is None else (400, word)

    @property
    def posts(self) -> list[dict[str, Any]]:
        """The messages that were taken."""
        return [dict(one.message) for one in self.all if one.refused is None]

    @property
    def url(self) -> str:
        """Where a person looks."""
        return self._server.url

    @property
    def api_url(self) -> str:
        """For `SLACK_API_URL`."""
        return f"{self.url.rstrip('/')}{_API}"

    @property
    def app_secret(self) -> dict[str, str]:
        """What stands in the Slack secret, for an app."""
        return {"bot_token": BOT_TOKEN, "signing_secret": SIGNING_SECRET}

    @property
    def webhook_url(self) -> str:
        """What stands in the Slack secret."""
        return f"{self.url.rstrip('/')}{_PATH}"

    def texts(self) -> Sequence[str]:
        """The fallback text of each post: what a phone's notification shows."""
        return [str(post.get("text", "")) for post in self.posts]

    def write(self, path: Path) -> None:
        """Keep the page as a file."""
        path.write_text(page(self.all))

    def close(self) -> None:
        """Stop listening."""
        self._server.stop()


def _authorize(asked: Asked) -> None:
    if asked.headers.get("authorization") != f"Bearer {BOT_TOKEN}":
        raise MethodError("invalid_auth")
