"""PagerDuty, by its Events API v2: a page triggers, its end resolves.

One key for an incident's whole life, so that a second copy is none. Incidents that page
together for the first time share one alert, which is resolved with the last of them: a
cause that stops a thousand datasets rings once. PagerDuty drops an acknowledgement and
an end of what was never triggered. What is acknowledged there is not heard here: that
needs its webhooks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
import urllib3

from lambdas.adapters.channels.registry import Tools
from lambdas.adapters.state.posts import SharedAlertTable
from lambdas.adapters.state.writes import TableWriter
from lambdas.core.errors import CatflapError, ChannelDown, DeliveryError
from lambdas.core.incidents.groups import NoticeBatch
from lambdas.core.incidents.incident import NoticeKind
from lambdas.core.incidents.message import Message, as_mail, cut
from lambdas.core.incidents.notice import Notice
from lambdas.core.incidents.ports import SharedAlerts
from lambdas.core.ports import Secrets

TIMEOUT_S = 10.0
SUMMARY = 1_024
DETAILS = 20_000
"""Characters; an event has 512 KB."""
ACCEPTED = 202
_OF_THE_EVENT = frozenset({400, 413})
_SEVERITY = {"error": "critical", "warn": "warning", "unknown": "error"}
_WORST_FIRST = ("critical", "error", "warning")
_KEY = re.compile(r"[A-Za-z0-9]{32}")
_LINK = re.compile(r"https://[^\s<>\"]{1,2000}")


class PagerDutyChannel:
    """One event an alert."""

    def __init__(
        self,
        *,
        http: urllib3.PoolManager,
        secrets: Secrets,
        reference: str,
        url: str,
        environment: str,
        alerts: SharedAlerts,
    ) -> None:
        """`reference` is where the routing key stands."""
        self._http = http
        self._secrets = secrets
        self._reference = reference
        self._url = url
        self._environment = environment
        self._alerts = alerts

    def deliver(self, batch: NoticeBatch) -> None:
        """Send it. Raises DeliveryError or ChannelDown, never naming the key."""
        first = batch.first
        if batch.page:
            self._trigger(batch)
        elif first.kind is NoticeKind.RESOLVED:
            self._resolve(batch)
        elif first.kind is NoticeKind.EDITED and first.acknowledged_by:
            known = self._alerts.all()
            incidents = [one.incident_id for one in batch.notices]
            for alert in dict.fromkeys(known.get(one, one) for one in incidents):
                self._send(first, alert, {"event_action": "acknowledge"})

    def _trigger(self, batch: NoticeBatch) -> None:
        known = dict(self._alerts.all())
        paging = [one for one in batch.notices if one.page]
        new = [
            one.incident_id
            for one in paging
            if not one.has_paged and one.incident_id not in known
        ]
        if len(new) > 1:
            alert = f"{new[0]}/and-others"
            self._alerts.keep(alert, new)
            known |= dict.fromkeys(new, alert)
        by_alert: dict[str, list[Notice]] = {}
        for one in paging:
            alert = known.get(one.incident_id, one.incident_id)
            by_alert.setdefault(alert, []).append(one)
        for alert, notices in by_alert.items():
            message = notices[0].message if len(notices) == 1 else batch.message
            said = _described(notices, message, self._environment)
            self._send(notices[0], alert, {"event_action": "trigger", **said})

    def _resolve(self, batch: NoticeBatch) -> None:
        """An alert ends with the last incident that it shows."""
        known = self._alerts.all()
        over = {one.incident_id: one for one in batch.notices}
        shared = [incident for incident in over if incident in known]
        open_still = {
            alert for incident, alert in known.items() if incident not in over
        }
        alerts = {
            known.get(incident, incident): one
            for incident, one in over.items()
            if incident in known or one.has_paged
        }
        for alert, one in alerts.items():
            if alert not in open_still:
                self._send(one, alert, {"event_action": "resolve"})
        if shared:
            self._alerts.drop(shared)

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

    def _send(self, notice: Notice, alert: str, said: dict[str, object]) -> None:
        event = {
            "routing_key": self._routing_key(),
            "dedup_key": f"catflap/{self._environment}/{alert}"[:255],
            "client": f"catflap {self._environment}",
            **said,
        }
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


def _described(
    notices: Sequence[Notice], message: Message, environment: str
) -> dict[str, object]:
    _, text = as_mail(message)
    links = [
        line
        for item in message.blocks
        if item.links
        for line in item.lines
        if _LINK.fullmatch(line)
    ]
    first = notices[0]
    severities = [_SEVERITY.get(one.state, "error") for one in notices]
    teams = {one.team for one in notices}
    return {
        "payload": {
            "summary": cut(message.headline, SUMMARY),
            "source": f"catflap {environment}",
            "severity": min(severities, key=_WORST_FIRST.index),
            "timestamp": first.created_at.isoformat(),
            "component": first.dataset
            if len(notices) == 1
            else f"{len(notices):,} datasets",
            "group": first.team if len(teams) == 1 else f"{len(teams)} teams",
            "class": first.cause or "unknown",
            "custom_details": {"message": cut(text, DETAILS)},
        },
        "links": [{"href": link, "text": link} for link in links[:10]],
    }


def make(tools: Tools) -> PagerDutyChannel:
    """With the routing key of the environment's secret."""
    known = tools.settings
    host = known.option("pagerduty", "host")
    writer = TableWriter(dynamodb=tools.dynamodb, table=known.state_table)
    return PagerDutyChannel(
        http=tools.http,
        secrets=tools.secrets,
        reference=tools.reference("pagerduty", "routing_key"),
        url=known.pagerduty_url or f"https://{host}/v2/enqueue",
        environment=known.environment_name or "",
        alerts=SharedAlertTable(
            dynamodb=tools.dynamodb, table=known.state_table, writer=writer
        ),
    )
