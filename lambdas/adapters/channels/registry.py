"""Which channels there are. A new one is a file beside this one, and a line below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import urllib3

from lambdas.adapters.channels.bus import BusChannel
from lambdas.adapters.channels.slack import SlackChannel
from lambdas.adapters.channels.sns import SnsChannel
from lambdas.core.incidents.incident import Recipient
from lambdas.core.incidents.notice import Routes
from lambdas.core.incidents.ports import Channel
from lambdas.core.ports import Clock, Events, Secrets
from lambdas.core.settings import FreshnessSettings

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a channel may be made from."""

    settings: FreshnessSettings
    sns: SNSClient
    events: Events
    http: urllib3.PoolManager
    secrets: Secrets
    clock: Clock


def _sns(tools: Tools) -> Channel:
    topics = {
        Recipient.ENGINEERS: tools.settings.engineers_topic_arn,
        Recipient.STAKEHOLDERS: tools.settings.stakeholders_topic_arn,
    }
    return SnsChannel(sns=tools.sns, topics=topics)


def _slack(tools: Tools) -> Channel:
    return SlackChannel(
        http=tools.http,
        secrets=tools.secrets,
        reference=f"secret:{tools.settings.slack_secret}#webhook_url",
        clock=tools.clock,
    )


def _bus(tools: Tools) -> Channel:
    return BusChannel(events=tools.events)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelKind:
    """A kind of channel: whom it reaches, and how one is made.

    `needs` is the setting without which there is none.
    """

    audiences: frozenset[Recipient]
    make: Callable[[Tools], Channel]
    needs: str | None = None

    def is_configured(self, settings: FreshnessSettings) -> bool:
        """Whether the settings ask for one."""
        return self.needs is None or getattr(settings, self.needs) is not None


REGISTRY: Mapping[str, ChannelKind] = {
    "sns": ChannelKind(audiences=SnsChannel.audiences, make=_sns),
    "slack": ChannelKind(
        audiences=SlackChannel.audiences, make=_slack, needs="slack_secret"
    ),
    "bus": ChannelKind(audiences=BusChannel.audiences, make=_bus),
}


def channels(tools: Tools) -> dict[str, Channel]:
    """The channels that are configured, by name."""
    return {
        name: kind.make(tools)
        for name, kind in REGISTRY.items()
        if kind.is_configured(tools.settings)
    }


def routes(settings: FreshnessSettings) -> Routes:
    """Which channels reach each audience."""
    return {
        audience: tuple(
            name
            for name, kind in REGISTRY.items()
            if audience in kind.audiences and kind.is_configured(settings)
        )
        for audience in Recipient
    }
