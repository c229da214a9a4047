"""Who hears of landed objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.core.errors import LandingError

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


class Subscriptions:
    """The subscriptions of one topic."""

    def __init__(self, *, sns: SNSClient, topic_arn: str) -> None:
        self._sns = sns
        self._topic_arn = topic_arn

    def endpoints(self) -> frozenset[str]:
        """Where its messages go. Raises LandingError."""
        try:
            pages = self._sns.get_paginator("list_subscriptions_by_topic").paginate(
                TopicArn=self._topic_arn
            )
            return frozenset(
                str(one["Endpoint"])
                for page in pages
                for one in page.get("Subscriptions", ())
            )
        except (BotoCoreError, ClientError) as error:
            raise LandingError(
                f"the subscriptions of {self._topic_arn} cannot be listed: {error}"
            ) from error
