"""Snowflake's side of AWS: its own user, its queue, and the customer's role.

Snowflake reads a bucket by assuming the role of a storage integration, so that what
the role's policy or trust lacks shows here as it would there. moto answers AssumeRole
whatever the trust says; the trust is read and judged here instead.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote_plus

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from snowflake.connector.errors import ProgrammingError

from local.snowflake.account import Stage, StorageIntegration
from local.snowflake.process import QUEUE

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

USER = "snowflake-embedded"
_SUBSCRIBE = "sns:Subscribe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """An object that an S3 event announced."""

    topic_arn: str
    bucket: str
    key: str


class PermissionMissing(Exception):
    """The customer's AWS does not let Snowflake do what it has to do."""


class SnowflakeAws:
    """What Snowflake does in AWS. Created once, before anything is deployed."""

    def __init__(
        self, *, endpoint_url: str, region: str, access_key: str, secret_key: str
    ) -> None:
        self._endpoint_url = endpoint_url
        self._region = region
        first = self._session(access_key, secret_key)
        iam = first.client("iam", endpoint_url=endpoint_url)
        try:
            user = iam.create_user(UserName=USER)["User"]
        except iam.exceptions.EntityAlreadyExistsException:
            user = iam.get_user(UserName=USER)["User"]
        iam.put_user_policy(
            UserName=USER,
            PolicyName="own",
            PolicyDocument=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": [
                                "sts:*", "sqs:*", "iam:GetRole",
                                _SUBSCRIBE, "sns:GetTopicAttributes",
                                "sns:ListSubscriptionsByTopic",
                            ],
                            "Resource": "*",
                        }
                    ],
                }
            ),
        )  # fmt: skip
        # a user has two keys at most; an earlier Snowflake beside this AWS is gone
        for old in iam.list_access_keys(UserName=USER)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=USER, AccessKeyId=old["AccessKeyId"])
        key = iam.create_access_key(UserName=USER)["AccessKey"]
        self.user_arn = user["Arn"]
        self._own = self._session(key["AccessKeyId"], key["SecretAccessKey"])
        self._config = Config(retries={"total_max_attempts": 2})
        self._sqs = self._own.client("sqs", endpoint_url=endpoint_url)
        self._sns = self._own.client("sns", endpoint_url=endpoint_url)
        self._sts = self._own.client("sts", endpoint_url=endpoint_url)
        self._iam = self._own.client("iam", endpoint_url=endpoint_url)
        self._queue_url = self._sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
        self.queue_arn = self._sqs.get_queue_attributes(
            QueueUrl=self._queue_url, AttributeNames=["QueueArn"]
        )["Attributes"]["QueueArn"]
        self._subscribed: set[str] = set()
        self._assumed: dict[StorageIntegration, tuple[S3Client, datetime]] = {}

    def _session(
        self, access_key: str, secret_key: str, token: str | None = None
    ) -> boto3.Session:
        return boto3.Session(
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            aws_session_token=token,
            region_name=self._region,
        )

    def sns_policy(self, topic_arn: str) -> str:
        """What SYSTEM$GET_AWS_SNS_IAM_POLICY answers."""
        return json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": "1",
                        "Effect": "Allow",
                        "Principal": {"AWS": self.user_arn},
                        "Action": [_SUBSCRIBE],
                        "Resource": [topic_arn],
                    }
                ],
            }
        )

    def subscribe(self, topic_arn: str) -> None:
        """Subscribe the queue; ProgrammingError if the topic's policy forbids it."""
        if topic_arn in self._subscribed:
            return
        try:
            attributes = self._sns.get_topic_attributes(TopicArn=topic_arn)
        except ClientError as error:
            raise _refused(f"the topic {topic_arn} cannot be read") from error
        policy = json.loads(attributes["Attributes"].get("Policy", "{}"))
        if not any(
            statement.get("Effect") == "Allow"
            and self.user_arn in _principals(statement)
            and _SUBSCRIBE.lower() in _lower(statement.get("Action"))
            for statement in policy.get("Statement", [])
        ):
            raise _refused(
                f"the policy of {topic_arn} does not let {self.user_arn} subscribe; "
                "add the statement of SYSTEM$GET_AWS_SNS_IAM_POLICY"
            )
        self._sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=self.queue_arn)
        self._subscribed.add(topic_arn)

    def arrivals(self) -> Iterator[tuple[Arrival, ...]]:
        """The objects of ten messages at a time, which are deleted once they are taken.

        Other messages (`s3:TestEvent`, foreign texts) hold none.
        """
        while messages := self._sqs.receive_message(
            QueueUrl=self._queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=0
        ).get("Messages", []):
            yield tuple(
                arrival
                for message in messages
                for arrival in _arrivals(message["Body"])
            )
            self._sqs.delete_message_batch(
                QueueUrl=self._queue_url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                    for number, message in enumerate(messages)
                ],
            )

    def read(
        self, integration: StorageIntegration, bucket: str, key: str, now: datetime
    ) -> bytes | None:
        """An object, or None if it is gone. Raises PermissionMissing."""
        try:
            answer = self._s3(integration, now).get_object(Bucket=bucket, Key=key)
            return answer["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise PermissionMissing(f"s3://{bucket}/{key}: {error}") from error

    def listing(
        self, integration: StorageIntegration, stage: Stage, path: str, now: datetime
    ) -> list[tuple[str, datetime]]:
        """Keys below a path of a stage and when each was written."""
        pages = self._s3(integration, now).get_paginator("list_objects_v2")
        try:
            return [
                (found["Key"], found["LastModified"])
                for page in pages.paginate(
                    Bucket=stage.bucket, Prefix=stage.prefix + path
                )
                for found in page.get("Contents", [])
            ]
        except ClientError as error:
            message = f"s3://{stage.bucket}/{stage.prefix}{path}: {error}"
            raise PermissionMissing(message) from error

    def caller(self, headers: Mapping[str, str]) -> str | None:
        """Whose signed GetCallerIdentity this is: the role's ARN, or None."""
        import urllib3  # noqa: PLC0415 - only a login with workload identity needs it

        answer = urllib3.request(
            "POST",
            f"{self._endpoint_url}/?Action=GetCallerIdentity&Version=2011-06-15",
            headers={name: headers[name] for name in headers},
            retries=False,
        )
        text = answer.data.decode()
        _, _, rest = text.partition("<Arn>")
        arn = rest.partition("</Arn>")[0]
        return role_of(arn) if answer.status == 200 and arn else None  # noqa: PLR2004 - HTTP OK

    def _s3(self, integration: StorageIntegration, now: datetime) -> S3Client:
        held = self._assumed.get(integration)
        if held is not None and now < held[1]:
            return held[0]
        self._judge_trust(integration)
        try:
            credentials = self._sts.assume_role(
                RoleArn=integration.role_arn,
                RoleSessionName="snowflake",
                ExternalId=integration.external_id,
            )["Credentials"]
        except ClientError as error:
            message = f"cannot assume {integration.role_arn}: {error}"
            raise PermissionMissing(message) from error
        # One session for all: another would read botocore's service files anew, and
        # that every hour of a replay.
        client = self._own.client(
            "s3",
            endpoint_url=self._endpoint_url,
            config=self._config,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )
        self._assumed[integration] = (client, credentials["Expiration"])
        return client

    def _judge_trust(self, integration: StorageIntegration) -> None:
        name = integration.role_arn.rpartition("/")[2]
        try:
            role = self._iam.get_role(RoleName=name)["Role"]
        except ClientError as error:
            raise PermissionMissing(f"no role {integration.role_arn}") from error
        document = cast("dict[str, object]", role["AssumeRolePolicyDocument"])
        for statement in cast("list[dict[str, object]]", document["Statement"]):
            condition = json.dumps(statement.get("Condition", {}))
            if (
                self.user_arn in _principals(statement)
                and "sts:ExternalId" in condition
                and json.dumps(integration.external_id) in condition
            ):
                return
        raise PermissionMissing(
            f"the trust of {integration.role_arn} does not name {self.user_arn} with "
            f"the external id {integration.external_id!r}"
        )


def role_of(arn: str) -> str:
    """The role's own ARN behind an assumed-role session's."""
    if ":assumed-role/" not in arn:
        return arn
    account = arn.split(":")[4]
    return f"arn:aws:iam::{account}:role/{arn.split('/')[1]}"


def _arrivals(body: str) -> Iterator[Arrival]:
    envelope = json.loads(body)
    message = json.loads(envelope.get("Message", "{}"))
    for record in message.get("Records", []):
        if record.get("eventName", "").startswith("ObjectCreated:"):
            yield Arrival(
                topic_arn=envelope["TopicArn"],
                bucket=record["s3"]["bucket"]["name"],
                key=unquote_plus(record["s3"]["object"]["key"]),
            )


def _principals(statement: Mapping[str, object]) -> tuple[str, ...]:
    principal = statement.get("Principal")
    if isinstance(principal, dict):
        principal = principal.get("AWS")
    if isinstance(principal, str):
        return (principal,)
    return tuple(principal) if isinstance(principal, list) else ()


def _lower(action: object) -> tuple[str, ...]:
    actions = action if isinstance(action, list) else [action]
    return tuple(str(one).lower() for one in actions)


def _refused(why: str) -> ProgrammingError:
    return ProgrammingError(
        msg=f"SQL execution error: {why}", errno=91005, sqlstate="42501"
    )
