"""The secret of Slack: `{"bot_token", "signing_secret"}`, or `{"webhook_url"}`."""

from __future__ import annotations

import msgspec

from lambdas.core.errors import CatflapError, ChannelDown
from lambdas.core.ports import Secrets

ACCEPTED = (
    '{"bot_token": "xoxb-…", "signing_secret": "…"}, or {"webhook_url": "https://…"} '
    "for one channel without buttons"
)


class SlackSecret:
    """Read when it is first needed. No error names a value."""

    def __init__(self, *, secrets: Secrets, name: str) -> None:
        self._secrets = secrets
        self._name = name

    def is_app(self) -> bool:
        """Whether it is an app's. Raises ChannelDown."""
        return self.has("bot_token")

    def has(self, key: str) -> bool:
        """Whether it holds `key`. Raises ChannelDown."""
        return key in self._members()

    def value(self, key: str) -> str:
        """A member. Raises ChannelDown if it is not there."""
        found = self._members().get(key)
        if not isinstance(found, str) or not found:
            raise ChannelDown(
                f"the secret {self._name} holds no {key}; accepted: {ACCEPTED}"
            )
        return found

    def reference(self, key: str) -> str:
        """Where a member stands, for people."""
        return f"secret:{self._name}#{key}"

    def _members(self) -> dict[str, object]:
        try:
            text = self._secrets.value(f"secret:{self._name}")
        except CatflapError as error:
            raise ChannelDown(
                f"the secret {self._name} of Slack cannot be read: {error}"
            ) from error
        try:
            return msgspec.json.decode(text, type=dict[str, object])
        except msgspec.MsgspecError:
            pass  # its text may hold the secret: it is not chained
        raise ChannelDown(
            f"the secret {self._name} is not a JSON object; accepted: {ACCEPTED}"
        )
