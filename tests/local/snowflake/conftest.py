from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from local.aws.cloud import Cloud
from local.snowflake.process import EmbeddedSnowflake
from tests.aws import make_state_table
from tests.local.snowflake.world import (
    ADMIN,
    ADMIN_ROLE,
    BUCKET,
    READER_ROLE,
    World,
    account,
    statements,
)

ROLE_NAME = "catflap-test-snowflake"


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with Cloud(log_file=tmp_path_factory.mktemp("cloud") / "cloud.log") as started:
        yield started


@pytest.fixture
def world(
    standing: tuple[World, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> World:
    """The world that stands for all tests; a test is in its shell, and nobody else:
    commands of other tests ask with credentials of their own.
    """
    made, shell = standing
    for name, value in shell.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture(scope="session")
def standing(cloud: Cloud) -> Iterator[tuple[World, dict[str, str]]]:
    s3, sns, iam = (cloud.client(name) for name in ("s3", "sns", "iam"))
    s3.create_bucket(Bucket=BUCKET)
    topic = sns.create_topic(Name="landed")["TopicArn"]
    admit = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
    }
    _set_policy(sns, topic, [admit])
    s3.put_bucket_notification_configuration(
        Bucket=BUCKET,
        NotificationConfiguration={
            "TopicConfigurations": [
                {"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}
            ]
        },
    )
    function_role = iam.create_role(
        RoleName="catflap-test-functions",
        AssumeRolePolicyDocument=_trust({"Service": "lambda.amazonaws.com"}),
    )["Role"]["Arn"]
    keep_state(cloud)
    access_key, secret_key, token = cloud.role_keys(
        function_role, principal="lambda.amazonaws.com", name="test"
    )
    with EmbeddedSnowflake.beside(cloud) as own, pytest.MonkeyPatch.context() as patch:
        shell = {
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": secret_key,
            "AWS_SESSION_TOKEN": str(token),
            "AWS_REGION": cloud.region,
            **own.environment(),
        }
        for name, value in shell.items():
            patch.setenv(name, value)
        role_arn = f"arn:aws:iam::{cloud.account}:role/{ROLE_NAME}"
        made = World(
            cloud=cloud,
            snowflake=own,
            topic_arn=topic,
            access_role_arn=role_arn,
            admin=None,  # type: ignore[arg-type]  # set below: it needs the world
        )
        own.administer(statements(account(function_role).bootstrap()))
        made.admin = made.warehouse(ADMIN, ADMIN_ROLE)
        attributes = made.provisioner().make_integration(role_arn)
        iam.create_role(
            RoleName=ROLE_NAME,
            AssumeRolePolicyDocument=_trust(
                {"AWS": attributes["IamUserArn"]}, attributes["ExternalId"]
            ),
        )
        allow_reading(cloud)
        subscribe = {
            "Effect": "Allow",
            "Principal": {"AWS": attributes["SnsUserArn"]},
            "Action": "sns:Subscribe",
            "Resource": topic,
        }
        _set_policy(sns, topic, [admit, subscribe])
        patch.undo()
        yield made, shell
        made.admin.close()


def keep_state(cloud: Cloud) -> None:
    """The state table, and what the warehouse function does with it."""
    make_state_table(cloud.client("dynamodb"), "state")
    cloud.client("iam").put_role_policy(
        RoleName="catflap-test-functions",
        PolicyName="state",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": [
                            "dynamodb:DeleteItem",
                            "dynamodb:GetItem",
                            "dynamodb:PutItem",
                            "dynamodb:Query",
                            "s3:GetObject",
                        ],
                        "Resource": "*",
                    }
                ],
            }
        ),
    )


def allow_reading(cloud: Cloud) -> None:
    bucket = f"arn:aws:s3:::{BUCKET}"
    cloud.client("iam").put_role_policy(
        RoleName=ROLE_NAME,
        PolicyName="read",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": ["s3:GetObject", "s3:GetObjectVersion"],
                        "Resource": [f"{bucket}/raw/*", f"{bucket}/runs/*"],
                    },
                    {
                        "Effect": "Allow",
                        "Action": "s3:ListBucket",
                        "Resource": bucket,
                        "Condition": {"StringLike": {"s3:prefix": ["raw/*", "runs/*"]}},
                    },
                ],
            }
        ),
    )


@pytest.fixture(scope="session")
def reader_role() -> str:
    return READER_ROLE


def _trust(principal: dict[str, str], external_id: str | None = None) -> str:
    statement: dict[str, object] = {
        "Effect": "Allow",
        "Principal": principal,
        "Action": "sts:AssumeRole",
    }
    if external_id is not None:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _set_policy(sns: object, topic: str, statements: list[dict[str, object]]) -> None:
    sns.set_topic_attributes(  # type: ignore[attr-defined]  # boto3's clients are made at run time
        TopicArn=topic,
        AttributeName="Policy",
        AttributeValue=json.dumps({"Version": "2012-10-17", "Statement": statements}),
    )
