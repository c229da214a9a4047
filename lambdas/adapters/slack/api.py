"""Slack's Web API, as far as we call it. The token stands in no error and no log.

Not slack-sdk's client: it sends `chat.postMessage` a second time when a connection
breaks, which posts twice, and sleeps without a bound when it is told to wait.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec
import urllib3

from lambdas.core.errors import ChannelDown, DeliveryError
from lambdas.core.ports import Clock
from lambdas.core.slack.refusals import LATER, OF_THE_APP

BASE_URL = "https://slack.com/api/"
TIMEOUT_S = 10.0
WAIT_S = 20.0
"""The longest that one call waits for Slack to take it; then the next check does."""
TRIES = 3
TOO_MANY = 429
_WORD = re.compile(r"[a-z_]{1,60}")


class SlackRefused(DeliveryError):
    """Slack said no to one call; `code` is its word for it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class SlackApi:
    """Calls methods with the app's token."""

    def __init__(
        self,
        *,
        http: urllib3.PoolManager,
        token: Callable[[], str],
        clock: Clock,
        base_url: str | None = None,
        wait_s: float = WAIT_S,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """`token` raises ChannelDown if it cannot be read; `wait_s` bounds waiting."""
        self._timeout_s = timeout_s
        self._http = http
        self._token = token
        self._clock = clock
        self._base_url = base_url or BASE_URL
        self._wait_s = wait_s

    def call(self, method: str, arguments: Mapping[str, object]) -> dict[str, Any]:
        """What Slack answers. Raises SlackRefused, or ChannelDown if no other call
        would pass either.
        """
        body = msgspec.json.encode(arguments)
        token = self._token()
        waited = 0.0
        for _ in range(TRIES):
            status, headers, answer = self._post(method, body, token)
            if status != TOO_MANY:
                return self._judged(method, status, answer)
            wait = retry_after_s(headers.get("Retry-After"), self._clock.now())
            waited += wait
            if waited > self._wait_s:
                break
            self._clock.sleep(wait)
        raise ChannelDown(
            f"Slack takes no more calls of {method} for now (429); the next check "
            "tries again"
        )

    def _post(
        self, method: str, body: bytes, token: str
    ) -> tuple[int, urllib3.HTTPHeaderDict, bytes]:
        fault = ""
        try:
            answer = self._http.request(
                "POST",
                f"{self._base_url}{method}",
                body=body,
                headers={
                    "Content-Type": "application/json; charset=utf-8",
                    "Authorization": f"Bearer {token}",
                },
                timeout=self._timeout_s,
                retries=False,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            fault = type(error).__name__
        else:
            return answer.status, answer.headers, answer.data
        raise ChannelDown(f"Slack did not answer {method}: {fault}")

    def _judged(self, method: str, status: int, answer: bytes) -> dict[str, Any]:
        try:
            said: object = msgspec.json.decode(answer)
        except msgspec.DecodeError:
            said = None
        if not isinstance(said, dict):
            raise ChannelDown(f"Slack answered {method} with {status} and no JSON")
        if said.get("ok") is True:
            return said
        raise _refusal(method, said)


def _refusal(method: str, said: Mapping[str, Any]) -> DeliveryError:
    word = str(said.get("error", ""))
    code = word if _WORD.fullmatch(word) else "no reason"
    if code in LATER:
        return ChannelDown(f"Slack cannot take {method} for now ({code})")
    if code in OF_THE_APP:
        needed = str(said.get("needed", ""))
        scope = f": {needed}" if re.fullmatch(r"[a-z:,._]{1,200}", needed) else ""
        return ChannelDown(
            f"Slack refuses {method}: {OF_THE_APP[code]} ({code}{scope}); "
            "docs/slack.md says how to install the app again"
        )
    return SlackRefused(code, f"Slack refuses {method} ({code})")


def retry_after_s(value: str | None, now: datetime) -> float:
    """Seconds to wait: a number, or an HTTP date; one second if it is neither."""
    if value is None:
        return 1.0
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return 1.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
