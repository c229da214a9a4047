"""One action taken away, then one resource: the call fails and names the action."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from local.aws.cloud import Cloud
from tests.local.conftest import ADMITS_ALL, error_of, statement


@dataclass(frozen=True, kw_only=True)
class Called:
    """A call, and what it needs. Keywords may hold `{unique}` and `{queue}`."""

    service: str
    call: str
    arguments: Callable[[Cloud, str], dict[str, Any]]
    action: str
    resource: str
    code: str
    other_resource: str


def _put_item(table: str) -> dict[str, Any]:
    return {"Put": {"TableName": table, "Item": {"pk": {"S": "x"}}}}


def _check_item(table: str) -> dict[str, Any]:
    check = {
        "TableName": table,
        "Key": {"pk": {"S": "y"}},
        "ConditionExpression": "attribute_not_exists(pk)",
    }
    return {"ConditionCheck": check}


def _queue_url(cloud: Cloud, name: str) -> str:
    return f"{cloud.endpoint_url}/{cloud.account}/{name}"


AT = "us-east-1:123456789012"

CALLS = {
    "S3": Called(
        service="s3",
        call="put_object",
        arguments=lambda _, name: {"Bucket": f"iam-{name}", "Key": "a b", "Body": b""},
        action="s3:PutObject",
        resource="arn:aws:s3:::iam-{unique}/a b",
        other_resource="arn:aws:s3:::iam-{unique}/b",
        code="AccessDenied",
    ),
    "S3 list": Called(
        service="s3",
        call="list_objects_v2",
        arguments=lambda _, name: {"Bucket": f"iam-{name}", "Prefix": "raw/"},
        action="s3:ListBucket",
        resource="arn:aws:s3:::iam-{unique}",
        other_resource="arn:aws:s3:::iam-{unique}/*",
        code="AccessDenied",
    ),
    "S3 delete": Called(
        service="s3",
        call="delete_objects",
        arguments=lambda _, name: {
            "Bucket": f"iam-{name}",
            "Delete": {"Objects": [{"Key": "manifests/1"}]},
        },
        action="s3:DeleteObject",
        resource="arn:aws:s3:::iam-{unique}/manifests/*",
        other_resource="arn:aws:s3:::iam-{unique}/raw/*",
        code="AccessDenied",
    ),
    "SQS": Called(
        service="sqs",
        call="send_message_batch",
        arguments=lambda cloud, name: {
            "QueueUrl": _queue_url(cloud, name),
            "Entries": [{"Id": "1", "MessageBody": "x"}],
        },
        action="sqs:SendMessage",
        resource=f"arn:aws:sqs:{AT}:{{unique}}",
        other_resource=f"arn:aws:sqs:{AT}:{{unique}}-other",
        code="AccessDenied",
    ),
    "SNS": Called(
        service="sns",
        call="publish",
        arguments=lambda _, name: {
            "TopicArn": f"arn:aws:sns:{AT}:{name}",
            "Message": "x",
        },
        action="sns:Publish",
        resource=f"arn:aws:sns:{AT}:{{unique}}",
        other_resource=f"arn:aws:sns:{AT}:{{unique}}-other",
        code="AuthorizationError",
    ),
    "DynamoDB": Called(
        service="dynamodb",
        call="get_item",
        arguments=lambda _, name: {"TableName": name, "Key": {"pk": {"S": "x"}}},
        action="dynamodb:GetItem",
        resource=f"arn:aws:dynamodb:{AT}:table/{{unique}}",
        other_resource=f"arn:aws:dynamodb:{AT}:table/{{unique}}-other",
        code="AccessDeniedException",
    ),
    "DynamoDB transaction": Called(
        service="dynamodb",
        call="transact_write_items",
        arguments=lambda _, name: {"TransactItems": [_put_item(name)]},
        action="dynamodb:PutItem",
        resource=f"arn:aws:dynamodb:{AT}:table/{{unique}}",
        other_resource=f"arn:aws:dynamodb:{AT}:table/{{unique}}-other",
        code="AccessDeniedException",
    ),
    "Secrets Manager": Called(
        service="secretsmanager",
        call="get_secret_value",
        arguments=lambda _, name: {"SecretId": name},
        action="secretsmanager:GetSecretValue",
        resource=f"arn:aws:secretsmanager:{AT}:secret:{{unique}}-??????",
        other_resource=f"arn:aws:secretsmanager:{AT}:secret:{{unique}}",
        code="AccessDeniedException",
    ),
    "EventBridge": Called(
        service="events",
        call="put_events",
        arguments=lambda _, name: {
            "Entries": [
                {
                    "Source": "catflap",
                    "DetailType": "x",
                    "Detail": "{}",
                    "EventBusName": name,
                }
            ]
        },
        action="events:PutEvents",
        resource=f"arn:aws:events:{AT}:event-bus/{{unique}}",
        other_resource=f"arn:aws:events:{AT}:event-bus/default",
        code="AccessDeniedException",
    ),
    "CloudWatch": Called(
        service="cloudwatch",
        call="put_metric_data",
        arguments=lambda _, name: {
            "Namespace": name,
            "MetricData": [{"MetricName": "x", "Value": 1}],
        },
        action="cloudwatch:PutMetricData",
        resource="*",
        other_resource="arn:aws:cloudwatch:::x",
        code="AccessDeniedException",
    ),
}


@pytest.fixture
def resources(cloud: Cloud, unique: str) -> None:
    """One of each, by the test's own name."""
    cloud.client("s3").create_bucket(Bucket=f"iam-{unique}")
    cloud.client("sqs").create_queue(QueueName=unique)
    cloud.client("sns").create_topic(Name=unique)
    cloud.client("events").create_event_bus(Name=unique)
    cloud.client("secretsmanager").create_secret(Name=unique, SecretString="sesame")
    for name in (unique, f"{unique}-other"):
        cloud.client("dynamodb").create_table(
            TableName=name,
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )


class Caller:
    """A role whose policy changes."""

    def __init__(self, cloud: Cloud, name: str) -> None:
        self._cloud = cloud
        self._name = name
        self._arn = cloud.client("iam").create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps(ADMITS_ALL)
        )["Role"]["Arn"]

    def may(self, *statements: dict[str, Any]) -> None:
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        self._cloud.client("iam").put_role_policy(
            RoleName=self._name, PolicyName="p", PolicyDocument=json.dumps(document)
        )

    def client(self, service: str) -> Any:
        return self._cloud.role_client(
            self._arn, service, principal="lambda.amazonaws.com"
        )


@pytest.fixture
def caller(cloud: Cloud, unique: str) -> Caller:
    return Caller(cloud, unique)


@pytest.mark.usefixtures("resources")
@pytest.mark.parametrize("name", CALLS)
def test_a_call_needs_its_action_on_its_resource(
    name: str, cloud: Cloud, caller: Caller, unique: str
) -> None:
    called = CALLS[name]
    call = getattr(caller.client(called.service), called.call)
    arguments = called.arguments(cloud, unique)
    resource = called.resource.format(unique=unique)
    service = called.action.partition(":")[0]

    caller.may(statement(called.action, resource))
    assert error_of(call, **arguments) == ("", "")

    caller.may(statement(f"{service}:SomethingElse", resource))
    code, text = error_of(call, **arguments)
    assert (code, f"is not authorized to perform: {called.action}" in text) == (
        called.code,
        True,
    )

    caller.may(statement(called.action, called.other_resource.format(unique=unique)))
    code, text = error_of(call, **arguments)
    assert (code, called.action in text) == (called.code, True)

    denied = {**statement(called.action, "*"), "Effect": "Deny"}
    caller.may(statement(called.action, resource), denied)
    assert "explicit deny" in error_of(call, **arguments)[1]


@pytest.mark.usefixtures("resources")
def test_each_operation_of_a_transaction_needs_its_own_table(
    caller: Caller, unique: str
) -> None:
    table = f"arn:aws:dynamodb:{AT}:table/{unique}"
    call = caller.client("dynamodb").transact_write_items
    items = [_put_item(unique), _check_item(f"{unique}-other")]
    caller.may(
        statement("dynamodb:PutItem", table),
        statement("dynamodb:ConditionCheckItem", table),
    )
    code, text = error_of(call, TransactItems=items)
    assert code == "AccessDeniedException"
    assert f"dynamodb:ConditionCheckItem on resource: {table}-other" in text
    caller.may(
        statement("dynamodb:PutItem", table),
        statement("dynamodb:ConditionCheckItem", f"{table}-other"),
    )
    assert error_of(call, TransactItems=items)[0] == ""


@pytest.mark.usefixtures("resources")
def test_partitions_of_a_table_are_what_a_condition_may_be_about(
    caller: Caller, unique: str
) -> None:
    dynamodb = caller.client("dynamodb")
    table = f"arn:aws:dynamodb:{AT}:table/{unique}"
    condition = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["DATASET#*"]}}
    caller.may(
        {**statement("dynamodb:PutItem", table), "Condition": condition},
        {**statement("dynamodb:Query", table), "Condition": condition},
    )

    def put(pk: str) -> str:
        item = {"pk": {"S": pk}, "sk": {"S": "x"}}
        return error_of(dynamodb.put_item, TableName=unique, Item=item)[0]

    def query(pk: str) -> str:
        return error_of(
            dynamodb.query,
            TableName=unique,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
        )[0]

    assert (put("DATASET#cats"), query("DATASET#cats")) == ("", "")
    refused = "AccessDeniedException"
    assert (put("MONITOR"), query("MONITOR")) == (refused, refused)


@pytest.mark.usefixtures("resources")
def test_a_listing_is_bound_to_its_prefix(caller: Caller, unique: str) -> None:
    condition = {"StringLike": {"s3:prefix": ["raw/*", "runs/*"]}}
    bucket = f"iam-{unique}"
    grant = statement("s3:ListBucket", f"arn:aws:s3:::{bucket}")
    caller.may({**grant, "Condition": condition})
    call = caller.client("s3").list_objects_v2
    assert error_of(call, Bucket=bucket, Prefix="raw/flights/")[0] == ""
    for elsewhere in ({"Prefix": "manifests/"}, {}):
        code, text = error_of(call, Bucket=bucket, **elsewhere)
        assert (code, "s3:ListBucket" in text) == ("AccessDenied", True)


def test_a_metric_is_bound_to_its_namespace(caller: Caller) -> None:
    condition = {"StringEquals": {"cloudwatch:namespace": "catflap"}}
    caller.may({**statement("cloudwatch:PutMetricData", "*"), "Condition": condition})
    call = caller.client("cloudwatch").put_metric_data
    data = [{"MetricName": "x", "Value": 1}]
    assert error_of(call, Namespace="catflap", MetricData=data)[0] == ""
    code, _ = error_of(call, Namespace="other", MetricData=data)
    assert code == "AccessDeniedException"


@pytest.mark.usefixtures("resources")
def test_a_topic_under_a_key_needs_the_key(
    cloud: Cloud, caller: Caller, unique: str
) -> None:
    topic = f"arn:aws:sns:{AT}:{unique}"
    key = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    cloud.client("sns").set_topic_attributes(
        TopicArn=topic, AttributeName="KmsMasterKeyId", AttributeValue=key
    )
    call = caller.client("sns").publish
    caller.may(statement("sns:Publish", topic))
    assert "kms:GenerateDataKey" in error_of(call, TopicArn=topic, Message="x")[1]
    caller.may(
        statement("sns:Publish", topic),
        {**statement("kms:Decrypt", key), "Action": ["kms:Decrypt", "kms:Generate*"]},
    )
    assert error_of(call, TopicArn=topic, Message="x")[0] == ""


def test_a_secret_under_a_key_needs_the_key_by_the_service(
    cloud: Cloud, caller: Caller, unique: str
) -> None:
    key = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    secret = cloud.client("secretsmanager").create_secret(
        Name=unique, SecretString="sesame", KmsKeyId=key
    )["ARN"]
    call = caller.client("secretsmanager").get_secret_value
    by_secrets = {"kms:ViaService": f"secretsmanager.{cloud.region}.amazonaws.com"}
    by_s3 = {"kms:ViaService": f"s3.{cloud.region}.amazonaws.com"}
    read, use = (
        statement("secretsmanager:GetSecretValue", secret),
        statement("kms:Decrypt", key),
    )
    for more in ([], [{**use, "Condition": {"StringEquals": by_s3}}]):
        caller.may(read, *more)
        assert "kms:Decrypt" in error_of(call, SecretId=unique)[1]
    caller.may(read, {**use, "Condition": {"StringEquals": by_secrets}})
    assert call(SecretId=unique)["SecretString"] == "sesame"


def test_iam_can_be_switched_off_and_on(cloud: Cloud, caller: Caller) -> None:
    call = caller.client("sqs").list_queues
    assert error_of(call)[0] == "AccessDenied"
    cloud.enforce_iam(on=False)
    try:
        assert error_of(call)[0] == ""
    finally:
        cloud.enforce_iam(on=True)
    assert error_of(call)[0] == "AccessDenied"
