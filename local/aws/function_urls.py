"""Functions' URLs on loopback: what comes there is an event of payload format 2.0.

Lambda, "Invoking Lambda function URLs". A form's body comes in base64, as it does in
AWS; what a handler raises is 502.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from local.aws.invoke import DeployedFunction, FunctionError, FunctionHost
from local.loopback import Answer, Asked, LoopbackServer

MOST = 6 * 1024 * 1024
_TEXT = ("text/", "application/json", "application/xml", "application/javascript")


class FunctionUrls:
    """One server for all functions: `/<name>/` is a function's URL."""

    def __init__(
        self,
        host: FunctionHost,
        *,
        functions: Callable[[], Mapping[str, DeployedFunction]],
        now: Callable[[], datetime | None],
    ) -> None:
        self._host = host
        self._functions = functions
        self._now = now
        self._server = LoopbackServer(self._answer)
        self._server.start()

    def url(self, function: DeployedFunction) -> str:
        """Where a function answers."""
        return f"{self._server.url}{function.name}/"

    def close(self) -> None:
        """Stop listening."""
        self._server.stop()

    def _answer(self, asked: Asked) -> Answer:
        name, _, path = asked.path.lstrip("/").partition("/")
        found = [one for one in self._functions().values() if one.name == name]
        if not found:
            return Answer(status=403, body=b'{"Message":"Forbidden"}')
        if len(asked.body) > MOST:
            return Answer(status=413, body=b'{"Message":"Request Too Large"}')
        now = self._now()
        event = event_of(asked, path=f"/{path}", now=now or datetime.now(UTC))
        try:
            said = self._host.invoke(found[0], event, now=now)
        except FunctionError:
            return Answer(status=502, body=b"Internal Server Error")
        return answer_of(said)


def event_of(asked: Asked, *, path: str, now: datetime) -> dict[str, Any]:
    """What the function is given."""
    kind = asked.headers.get("content-type", "")
    is_text = not asked.body or kind.startswith(_TEXT)
    body = asked.body.decode() if is_text else base64.b64encode(asked.body).decode()
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": asked.target.partition("?")[2],
        "headers": dict(asked.headers),
        "requestContext": {
            "http": {"method": asked.method, "path": path, "sourceIp": "127.0.0.1"},
            "timeEpoch": int(now.timestamp() * 1000),
        },
        "body": body,
        "isBase64Encoded": not is_text,
    }


def answer_of(said: object) -> Answer:
    """What the caller gets: a document without a status is the body of a 200."""
    if not isinstance(said, dict) or "statusCode" not in said:
        return Answer(body=json.dumps(said).encode())
    body = str(said.get("body", ""))
    is_encoded = said.get("isBase64Encoded") is True
    return Answer(
        status=int(said["statusCode"]),
        body=base64.b64decode(body) if is_encoded else body.encode(),
        headers={str(k): str(v) for k, v in said.get("headers", {}).items()},
    )
