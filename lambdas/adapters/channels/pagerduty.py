"""PagerDuty, by its Events API v2: a page triggers, its end resolves.

One key for an incident's whole life, so that a second copy is none. PagerDuty drops an
acknowledgement and an end of what was never triggered. What is acknowledged there is
not heard here: that needs its webhooks.
"""

from __future__ import annotations

import re

import msgspec
import urllib3

from lambdas.adapters.channels.registry import Tools
from lambdas.core.errors import CatflapError, ChannelDown, DeliveryError
from lambdas.core.incidents.groups import NoticeBatch
from lambdas.core.incidents.incident import NoticeKind
from lambdas.core.incidents.message import as_mail, cut
from lambdas.core.incidents.notice import Notice
from lambdas.core.ports import Secrets

TIMEOUT_S = 10.0
SUMMARY = 1_024
DETAILS = 20_000
"""Characters; an event has 512 KB."""
ACCEPTED = 202
_OF_THE_EVENT = frozenset({400, 413})
_SEVERITY = {"error": "critical", "warn": "warning", "unknown": "error"}
_KEY = re.compile(r"[A-Za-z0-9]{32}")
_LINK = re.compile(r"https://[^\s<>\"]{1,2000}")


class PagerDutyChannel:
    """One event a notice."""

    def __init__(
        self,
        *,
        http: urllib3.PoolManager,
        secrets: Secrets,
        reference: str,
        url: str,
        environment: str,
    ) -> None:
        """`reference` is where the routing key stands."""
        self._http = http
        self._secrets = secrets
        self._reference = reference
        self._url = url
        self._environment = environment

    def deliver(self, batch: NoticeBatch) -> None:
        """Send it. Raises DeliveryError or ChannelDown, never naming the key."""
        for notice in batch.notices:
            event = event_of(notice, environment=self._environment)
            if event is not None:
                self._send(notice, {"routing_key": self._routing_key(), **event})

    def _routing_key(self) -> str:
        try:
            key = self._secrets.value(self._reference)
        except CatflapError as error:
            raise ChannelDown(
                f"PagerDuty's routing key at {self._reference} cannot be read: {error}"
            ) from error
        if _KEY.fullmatch(key) is None:
            raise ChannelDown(
                f"the value of {self._reference} is not a routing key; put the 32 "
                "characters of an Events API v2 integration there"
            )
        return key

    def _send(self, notice: Notice, event: dict[str, object]) -> None:
        status = self._post(notice, msgspec.json.encode(event))
        if status == ACCEPTED:
            return
        if status in _OF_THE_EVENT:
            raise DeliveryError(
                f"PagerDuty refused notice {notice.notice_id} ({status}); see the "
                f"routing key at {self._reference}"
            )
        raise ChannelDown(f"PagerDuty takes no events for now ({status})")

    def _post(self, notice: Notice, body: bytes) -> int:
        fault = ""
        try:
            answer = self._http.request(
                "POST",
                self._url,
                body=body,
                headers={"Content-Type": "application/json"},
                timeout=TIMEOUT_S,
                retries=False,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            fault = type(error).__name__
        else:
            return answer.status
        raise ChannelDown(
            f"PagerDuty did not answer about notice {notice.notice_id}: {fault}"
        )


def event_of(notice: Notice, *, environment: str) -> dict[str, object] | None:
    """What is sent for a notice; None: PagerDuty needs not to know."""
    event: dict[str, object] = {
        "dedup_key": f"catflap/{environment}/{notice.incident_id}"[:255],
        "client": f"catflap {environment}",
    }
    if notice.page:
        return {**event, "event_action": "trigger", **_described(notice, environment)}
    if notice.kind is NoticeKind.RESOLVED:
        return {**event, "event_action": "resolve"}
    if notice.kind is NoticeKind.EDITED and notice.acknowledged_by:
        return {**event, "event_action": "acknowledge"}
    return None


def _described(notice: Notice, environment: str) -> dict[str, object]:
    _, text = as_mail(notice.message)
    links = [
        line
        for item in notice.message.blocks
        if item.links
        for line in item.lines
        if _LINK.fullmatch(line)
    ]
    return {
        "payload": {
            "summary": cut(notice.message.headline, SUMMARY),
            "source": f"catflap {environment}",
            "severity": _SEVERITY.get(notice.state, "error"),
            "timestamp": notice.created_at.isoformat(),
            "component": notice.dataset,
            "group": notice.team,
            "class": notice.cause or "unknown",
            "custom_details": {"message": cut(text, DETAILS)},
        },
        "links": [{"href": link, "text": link} for link in links[:10]],
    }


def make(tools: Tools) -> PagerDutyChannel:
    """With the routing key of the environment's secret."""
    known = tools.settings
    host = known.option("pagerduty", "host")
    return PagerDutyChannel(
        http=tools.http,
        secrets=tools.secrets,
        reference=tools.reference("pagerduty", "routing_key"),
        url=known.pagerduty_url or f"https://{host}/v2/enqueue",
        environment=known.environment_name or "",
    )
