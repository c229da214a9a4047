"""SNS: mail, pagers, and whatever else subscribes to the two topics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.adapters.channels.registry import Tools
from lambdas.core.errors import ChannelDown, DeliveryError
from lambdas.core.incidents.groups import NoticeBatch
from lambdas.core.incidents.incident import Recipient
from lambdas.core.incidents.message import as_mail

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef

_OF_THE_LETTER = frozenset({"InvalidParameter", "InvalidParameterValue"})
"""Errors of SNS that concern what was sent, not the topic."""


class SnsChannel:
    """One topic an audience; `page` and `notice_id` are attributes to filter by."""

    def __init__(self, *, sns: SNSClient, topics: Mapping[Recipient, str]) -> None:
        self._sns = sns
        self._topics = topics

    def deliver(self, batch: NoticeBatch) -> None:
        """Publish it to its audience's topic. Raises DeliveryError or ChannelDown."""
        subject, body = as_mail(batch.message)
        first = batch.first
        attributes = {
            "notice_id": batch.batch_id,
            "audience": first.audience.value,
            "kind": first.kind.value,
            "page": "true" if batch.page else "false",
            "datasets": str(len(batch.notices)),
        }
        if first.cause is not None:
            attributes["cause"] = first.cause
        if len(batch.notices) == 1:
            attributes["dataset"] = first.dataset
            attributes["incident_id"] = first.incident_id
        try:
            self._sns.publish(
                TopicArn=self._topics[first.audience],
                Subject=subject,
                Message=body,
                MessageAttributes={
                    name: _string(value) for name, value in attributes.items()
                },
            )
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code"))
            kind = DeliveryError if code in _OF_THE_LETTER else ChannelDown
            raise kind(
                f"SNS did not take notice {batch.batch_id} for {first.audience}: "
                f"{code}; see the role's sns:Publish, the topic's policy and its key"
            ) from error
        except BotoCoreError as error:
            raise ChannelDown(
                f"SNS did not answer about notice {batch.batch_id}: "
                f"{type(error).__name__}"
            ) from error


def make(tools: Tools) -> SnsChannel:
    """With the topics of the settings."""
    topics = {
        Recipient.ENGINEERS: tools.settings.engineers_topic_arn,
        Recipient.STAKEHOLDERS: tools.settings.stakeholders_topic_arn,
    }
    return SnsChannel(sns=tools.sns, topics=topics)


def _string(value: str) -> MessageAttributeValueTypeDef:
    return {"DataType": "String", "StringValue": value}
