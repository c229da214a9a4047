"""What is between the bucket and Snowflake's queue, looked at from our side."""

from __future__ import annotations

from typing import Protocol

from lambdas.core.landing.names import RAW, RUNS

NEEDED = frozenset({RAW, RUNS})
_MEANWHILE = "until then each check loads what has landed by REFRESH"
_DEPLOY = (
    "deploy the landing stack again: it sets the bucket's notifications; " + _MEANWHILE
)
_SUBSCRIBE = (
    "Snowflake subscribes again when a pipe is created 72 hours after the subscription "
    "went, or at once if the topic has another name: rename it, deploy the landing and "
    "warehouse stacks; " + _MEANWHILE
)
"""Snowflake: "Troubleshooting Snowpipe", on a deleted SNS subscription."""


class NotifiedPrefixes(Protocol):
    """The bucket's notifications."""

    def notified_prefixes(self) -> frozenset[str]:
        """The prefixes of which the bucket tells a topic."""


class TopicEndpoints(Protocol):
    """The topic's subscriptions."""

    def endpoints(self) -> frozenset[str]:
        """Where its messages go."""


class LandingNotifications:
    """The bucket's notifications and the topic's subscription."""

    def __init__(self, *, bucket: NotifiedPrefixes, topic: TopicEndpoints) -> None:
        self._bucket = bucket
        self._topic = topic

    def missing(self, channel: str | None) -> tuple[str, str] | None:
        """What of it is gone, and what to do; None if all is there.

        `channel` is the queue that the pipes listen to, by their own word.
        """
        untold = ", ".join(sorted(NEEDED - self._bucket.notified_prefixes()))
        if untold:
            return f"the bucket notifies nobody of objects under {untold}", _DEPLOY
        if channel is not None and channel not in self._topic.endpoints():
            said = f"Snowflake's queue {channel} is not subscribed to the topic"
            return said, _SUBSCRIBE
        return None
