"""Opens the channels that are configured, each by the `make` of its file."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import urllib3

from lambdas.core.incidents.channels import configured
from lambdas.core.incidents.ports import Bus, Channel
from lambdas.core.ports import Clock, Secrets
from lambdas.core.settings import FreshnessSettings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sns import SNSClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a channel may be made from."""

    settings: FreshnessSettings
    sns: SNSClient
    dynamodb: DynamoDBClient
    events: Bus
    http: urllib3.PoolManager
    secrets: Secrets
    clock: Clock

    def reference(self, channel: str, key: str) -> str:
        """Where a channel's secret holds its `key`."""
        return f"secret:{self.settings.secrets_of_channels[channel]}#{key}"


def channels(tools: Tools) -> dict[str, Channel]:
    """The channels that are configured, by name."""
    return {
        name: import_module(f"lambdas.adapters.channels.{name}").make(tools)
        for name in configured(tools.settings.secrets_of_channels)
    }
