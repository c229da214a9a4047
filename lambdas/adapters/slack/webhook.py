"""Slack, by an incoming webhook: one channel, which the secret's URL decides.

The URL is the whole secret: it stands in no error and no log, and no exception that
might hold it is chained.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
import urllib3

from lambdas.adapters.slack.api import (
    TIMEOUT_S,
    TOO_MANY,
    TRIES,
    WAIT_S,
    retry_after_s,
)
from lambdas.core.errors import ChannelDown, DeliveryError
from lambdas.core.incidents.groups import NoticeBatch
from lambdas.core.incidents.incident import NoticeKind
from lambdas.core.ports import Clock
from lambdas.core.slack.blocks import as_slack, reply

_PLAIN: dict[str, object] = {"unfurl_links": False, "unfurl_media": False}
"""An address in an API's error becomes no picture."""
_OF_THE_LETTER = frozenset({400, 413})
_WORD = re.compile(rb"[a-z_]{1,60}")
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost)(:\d+)?/")


class SlackWebhook:
    """A webhook. It cannot update, so each change of an incident is a new message."""

    def __init__(
        self,
        *,
        http: urllib3.PoolManager,
        url: Callable[[], str],
        reference: str,
        clock: Clock,
    ) -> None:
        """`url` raises ChannelDown if it cannot be read; `reference` says where it
        stands.
        """
        self._http = http
        self._read_url = url
        self._reference = reference
        self._clock = clock

    def deliver(self, batch: NoticeBatch) -> None:
        """Post it. Raises DeliveryError or ChannelDown, never naming the URL."""
        body = msgspec.json.encode(_body(batch))
        url = self._url()
        waited = 0.0
        for _ in range(TRIES):
            status, headers, answer = self._post(url, body, batch)
            if status != TOO_MANY:
                self._judge(status, answer, batch)
                return
            wait = retry_after_s(headers.get("Retry-After"), self._clock.now())
            waited += wait
            if waited > WAIT_S:
                break
            self._clock.sleep(wait)
        raise ChannelDown(
            f"Slack takes no more messages for now (429); notice {batch.batch_id} "
            "stays in the outbox for the next check"
        )

    def _url(self) -> str:
        url = self._read_url()
        if not url.startswith("https://") and _LOOPBACK.match(url) is None:
            raise ChannelDown(
                f"the value of {self._reference} is not an https URL; put the incoming "
                "webhook's URL there, whole"
            )
        return url

    def _post(
        self, url: str, body: bytes, batch: NoticeBatch
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
            f"Slack did not answer about notice {batch.batch_id}: {fault}"
        )

    def _judge(self, status: int, answer: bytes, batch: NoticeBatch) -> None:
        if status in range(200, 300):
            return
        said = answer.decode("ascii") if _WORD.fullmatch(answer) else "no reason"
        if status in _OF_THE_LETTER and said != "invalid_token":
            raise DeliveryError(
                f"Slack refused notice {batch.batch_id}: {status} ({said})"
            )
        raise ChannelDown(
            f"Slack took no message: {status} ({said}); if that stays so, make a new "
            f"incoming webhook and put its URL into {self._reference}"
        )


def _body(batch: NoticeBatch) -> dict[str, object]:
    """The message with its readers named: one webhook serves both audiences. What a
    person added is told in a sentence.
    """
    first = batch.first
    if first.kind is NoticeKind.EDITED:
        return {**reply(f"{first.dataset}: {first.news}"), **_PLAIN}
    note = f"for {first.audience.value}"
    return {**as_slack(batch.message, note=note), **_PLAIN}
