"""Who is a member of what: kept for some minutes, and never asked for in a hurry."""

from __future__ import annotations

from lambdas.adapters.slack.api import SlackApi
from lambdas.core.ports import Clock

KEPT_S = 300.0
PAGES = 50
"""Of 200 members each; whoever stands behind them is not known."""


class Members:
    """The members of channels, and the workspace."""

    def __init__(self, *, api: SlackApi, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._team: str | None = None
        self._known: dict[str, tuple[float, frozenset[str]]] = {}

    def team(self) -> str:
        """The workspace of the app's token. Raises DeliveryError."""
        if self._team is None:
            self._team = str(self._api.call("auth.test", {})["team_id"])
        return self._team

    def of(self, channel: str) -> frozenset[str]:
        """The members of a channel, by id. Raises DeliveryError."""
        at, members = self._known.get(channel, (0.0, frozenset()))
        if not members or self._clock.monotonic() - at > KEPT_S:
            members = self._read(channel)
            self._known[channel] = (self._clock.monotonic(), members)
        return members

    def _read(self, channel: str) -> frozenset[str]:
        found: set[str] = set()
        cursor = ""
        for _ in range(PAGES):
            arguments = {"channel": channel, "limit": 200, "cursor": cursor}
            answer = self._api.call("conversations.members", arguments)
            found |= {str(one) for one in answer.get("members", [])}
            cursor = str(answer.get("response_metadata", {}).get("next_cursor", ""))
            if not cursor:
                break
        return frozenset(found)
