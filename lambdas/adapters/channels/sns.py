"""SNS: mail, pagers, and whatever else subscribes to the two topics."""

from __future__ import annotations

import json
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


MOST_BYTES = 250_000
"""SNS takes 256 KB, attributes included. JSON writes all else than ASCII as escapes."""
TEXT_OF_DOCUMENT = 10_000
INCIDENTS = 200
FILTERS = 5
"""Beside the five that every message has: SQS takes ten attributes of a raw message."""


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
        attributes |= _filtered_by(batch)
        try:
            self._sns.publish(
                TopicArn=self._topics[first.audience],
                Subject=subject,
                MessageStructure="json",
                Message=_by_protocol(batch, body),
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


def _filtered_by(batch: NoticeBatch) -> dict[str, str]:
    """What a subscription can filter on, as far as all of it has the same."""
    first = batch.first
    named = {
        "state": first.state,
        "team": first.team,
        "ended_by": first.ended_by,
        "cause": first.cause or "",
    }
    if len(batch.notices) == 1 and first.dataset:
        named |= {"dataset": first.dataset, "incident_id": first.incident_id}
    teams = {one.team for one in batch.notices}
    if len(teams) > 1:
        del named["team"]
    found = [(name, value) for name, value in named.items() if value]
    return dict(found[:FILTERS])


def _by_protocol(batch: NoticeBatch, body: str) -> str:
    """Mail and queues get the text; what is called over HTTPS, and functions, a
    document.
    """
    document = json.dumps(document_of(batch, body))
    texts = {"default": body, **dict.fromkeys(("http", "https", "lambda"), document)}
    whole = json.dumps(texts)
    return whole if len(whole) <= MOST_BYTES else json.dumps({"default": body})


def document_of(batch: NoticeBatch, body: str) -> dict[str, object]:
    """The message for programs, `catflap.notice/1`. A later version adds fields, or
    has another number.
    """
    first = batch.first
    return {
        "schema": "catflap.notice/1",
        "notice_id": batch.batch_id,
        "audience": first.audience.value,
        "kind": first.kind.value,
        "page": batch.page,
        "state": first.state,
        "cause": first.cause,
        "ended_by": first.ended_by or None,
        "headline": batch.message.headline,
        "text": body[:TEXT_OF_DOCUMENT],
        "incidents": [
            {
                "incident_id": one.incident_id,
                "dataset": one.dataset,
                "team": one.team,
                "state": one.state,
                "page": one.page,
            }
            for one in batch.notices[:INCIDENTS]
            if one.dataset
        ],
        "datasets": sum(1 for one in batch.notices if one.dataset),
        "created_at": first.created_at.isoformat(),
    }


def make(tools: Tools) -> SnsChannel:
    """With the topics of the settings."""
    topics = {
        Recipient.ENGINEERS: tools.settings.engineers_topic_arn,
        Recipient.STAKEHOLDERS: tools.settings.stakeholders_topic_arn,
    }
    return SnsChannel(sns=tools.sns, topics=topics)


def _string(value: str) -> MessageAttributeValueTypeDef:
    return {"DataType": "String", "StringValue": value}
