"""Slack, by an incoming webhook: one channel, which the secret's URL decides.

The URL is the whole secret: it stands in no error and no log, and no exception that
might hold it is chained.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec
import urllib3

from lambdas.adapters.channels.registry import Tools
from lambdas.core.errors import CatflapError, ChannelDown, DeliveryError
from lambdas.core.incidents.groups import NoticeBatch
from lambdas.core.incidents.message import Message, as_slack, block
from lambdas.core.ports import Clock, Secrets

TIMEOUT_S = 10.0
WAIT_S = 20.0
"""The longest that one letter waits for Slack to take it; then the next check does."""
_TRIES = 3
_TOO_MANY = 429
_OF_THE_LETTER = frozenset({400, 413})
_WORD = re.compile(rb"[a-z_]{1,60}")
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost)(:\d+)?/")


class SlackChannel:
    """A webhook. It cannot update, so each change of an incident is a new message."""

    def __init__(
        self,
        *,
        http: urllib3.PoolManager,
        secrets: Secrets,
        reference: str,
        clock: Clock,
    ) -> None:
        """`reference` is `secret:NAME#KEY`, where the webhook's URL stands."""
        self._http = http
        self._secrets = secrets
        self._reference = reference
        self._clock = clock

    def deliver(self, letter: NoticeBatch) -> None:
        """Post it. Raises DeliveryError or ChannelDown, never naming the URL."""
        body = msgspec.json.encode(as_slack(_addressed(letter)))
        url = self._url()
        waited = 0.0
        for _ in range(_TRIES):
            status, headers, answer = self._post(url, body, letter)
            if status != _TOO_MANY:
                self._judge(status, answer, letter)
                return
            wait = _retry_after_s(headers.get("Retry-After"), self._clock.now())
            waited += wait
            if waited > WAIT_S:
                break
            self._clock.sleep(wait)
        raise ChannelDown(
            f"Slack takes no more messages for now (429); notice {letter.letter_id} "
            "stays in the outbox for the next check"
        )

    def _url(self) -> str:
        try:
            url = self._secrets.value(self._reference)
        except CatflapError as error:
            raise ChannelDown(
                f"the Slack webhook at {self._reference} cannot be read: {error}"
            ) from error
        if not url.startswith("https://") and _LOOPBACK.match(url) is None:
            raise ChannelDown(
                f"what stands at {self._reference} is no https URL; put the incoming "
                "webhook's URL there, whole"
            )
        return url

    def _post(
        self, url: str, body: bytes, letter: NoticeBatch
    ) -> tuple[int, urllib3.HTTPHeaderDict, bytes]:
        fault = ""
        try:
            answer = self._http.request(
                "POST",
                url,
                body=body,
                headers={"Content-Type": "application/json; charset=utf-8"},
                timeout=TIMEOUT_S,
                retries=False,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            fault = type(error).__name__  # its text holds the URL
        else:
            return answer.status, answer.headers, answer.data
        raise ChannelDown(
            f"Slack did not answer about notice {letter.letter_id}: {fault}"
        )

    def _judge(self, status: int, answer: bytes, letter: NoticeBatch) -> None:
        if status in range(200, 300):
            return
        said = answer.decode("ascii") if _WORD.fullmatch(answer) else "no reason"
        if status in _OF_THE_LETTER and said != "invalid_token":
            raise DeliveryError(
                f"Slack refused notice {letter.letter_id}: {status} ({said})"
            )
        raise ChannelDown(
            f"Slack took no message: {status} ({said}); if that stays so, make a new "
            f"incoming webhook and put its URL into {self._reference}"
        )


def _addressed(letter: NoticeBatch) -> Message:
    """The message with its readers named: one webhook serves both audiences."""
    message = letter.message
    for_whom = f"for {letter.first.audience.value}"
    return Message(
        headline=message.headline,
        blocks=(*message.blocks, block(None, [for_whom], aside=True)),
    )


def _retry_after_s(value: str | None, now: datetime) -> float:
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


def make(tools: Tools) -> SlackChannel:
    """With the webhook of the environment's secret."""
    return SlackChannel(
        http=tools.http,
        secrets=tools.secrets,
        reference=tools.reference("slack", "webhook_url"),
        clock=tools.clock,
    )
