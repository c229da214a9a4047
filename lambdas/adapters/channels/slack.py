"""Slack: an app if the secret holds a bot token, else an incoming webhook."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from lambdas.adapters.channels.registry import Tools
from lambdas.adapters.slack.api import SlackApi
from lambdas.adapters.slack.app import SlackApp
from lambdas.adapters.slack.secret import SlackSecret
from lambdas.adapters.slack.user_groups import user_groups
from lambdas.adapters.slack.webhook import SlackWebhook
from lambdas.adapters.state.posts import SlackPostTable, UserGroupTable
from lambdas.core.incidents.groups import NoticeBatch
from lambdas.core.slack.manifest import bot_name


class SlackChannel:
    """Whichever of the two the secret is for, once it is read."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._secret = SlackSecret(
            secrets=tools.secrets, name=tools.settings.secrets_of_channels["slack"]
        )

    def deliver(self, batch: NoticeBatch) -> None:
        """Post it. Raises DeliveryError or ChannelDown, never naming a secret."""
        if self._secret.is_app():
            self._app.deliver(batch)
        elif any(one.copy_of is None for one in batch.notices):  # it has one place
            self._webhook.deliver(batch)

    def groups(self) -> Mapping[str, str] | None:
        """Ids of user groups by handle; None: a webhook knows of none. Raises
        DeliveryError.
        """
        return user_groups(self._api) if self._secret.is_app() else None

    @cached_property
    def _api(self) -> SlackApi:
        return SlackApi(
            http=self._tools.http,
            token=lambda: self._secret.value("bot_token"),
            clock=self._tools.clock,
            base_url=self._tools.settings.slack_api_url,
        )

    @cached_property
    def _app(self) -> SlackApp:
        tools = self._tools
        return SlackApp(
            api=self._api,
            groups=UserGroupTable(
                dynamodb=tools.dynamodb, table=tools.settings.state_table
            ),
            posts=SlackPostTable(
                dynamodb=tools.dynamodb, table=tools.settings.state_table
            ),
            default_channel=tools.settings.option("slack", "default_channel"),
            has_buttons=self._secret.has("signing_secret"),
            app_name=bot_name(tools.settings.environment_name or "local"),
        )

    @cached_property
    def _webhook(self) -> SlackWebhook:
        return SlackWebhook(
            http=self._tools.http,
            url=lambda: self._secret.value("webhook_url"),
            reference=self._secret.reference("webhook_url"),
            clock=self._tools.clock,
        )


def make(tools: Tools) -> SlackChannel:
    """With the environment's secret."""
    return SlackChannel(tools)
