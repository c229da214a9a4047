"""What the landing bucket tells of its objects, and to whom."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.adapters.fresh_policy import once_allowed
from lambdas.core.errors import LandingError
from lambdas.core.ports import Clock

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import TopicConfigurationTypeDef

_REFUSALS = (HTTPStatus.FORBIDDEN, HTTPStatus.BAD_REQUEST)
"""The second while the topic's policy does not count yet: S3 tries the topic ("Granting
permissions to publish event notification messages to a destination")."""


class ObjectEvents:
    """The notifications of `bucket`: a bucket has one configuration, set whole."""

    def __init__(self, *, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def tell(self, topic_arn: str, prefixes: Iterable[str], *, clock: Clock) -> None:
        """Tell the topic of every object that is created below `prefixes`.

        Raises LandingError.
        """
        told: list[TopicConfigurationTypeDef] = [
            {
                "TopicArn": topic_arn,
                "Events": ["s3:ObjectCreated:*"],
                "Filter": {
                    "Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}
                },
            }
            for prefix in prefixes
        ]
        try:
            once_allowed(
                lambda: self._s3.put_bucket_notification_configuration(
                    Bucket=self._bucket,
                    NotificationConfiguration={"TopicConfigurations": told},
                ),
                clock=clock,
                refusals=_REFUSALS,
            )
        except (BotoCoreError, ClientError) as error:
            raise LandingError(
                f"the bucket {self._bucket} cannot tell {topic_arn} of its objects: "
                f"{error}"
            ) from error
