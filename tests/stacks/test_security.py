"""Who may do what, and what is encrypted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lambdas.core.dataset import catalogue_key
from tests.stacks.conftest import Templates

WILDCARDS_WITH_A_REASON = {
    ("xray:PutTelemetryRecords", "*"): "X-Ray knows no resource",
    ("xray:PutTraceSegments", "*"): "X-Ray knows no resource",
}
"""Actions on everything; objects below a prefix are no such thing."""

SLACK_SECRET = (
    "arn:aws:secretsmanager:us-east-1:000000000000:secret:catflap/slack-??????"
)

GRANTED = {
    "pull": {
        "dynamodb": {"DeleteItem", "GetItem", "PutItem"},
        "events": {"PutEvents"},
        "kms": {"Decrypt", "GenerateDataKey"},
        "logs": {"CreateLogStream", "PutLogEvents"},
        "s3": {
            "AbortMultipartUpload",
            "DeleteObject",
            "GetObject",
            "ListBucket",
            "PutObject",
        },
        "sqs": {
            "ChangeMessageVisibility",
            "DeleteMessage",
            "GetQueueAttributes",
            "ReceiveMessage",
            "SendMessage",
        },
        "xray": {"PutTelemetryRecords", "PutTraceSegments"},
    },
    "freshness": {
        "dynamodb": {
            "BatchGetItem",
            "BatchWriteItem",
            "ConditionCheckItem",
            "DeleteItem",
            "GetItem",
            "PutItem",
            "Query",
        },
        "events": {"PutEvents"},
        "kms": {"Decrypt", "GenerateDataKey"},
        "logs": {"CreateLogStream", "PutLogEvents"},
        "s3": {
            "DeleteObject",
            "GetObject",
            "ListBucket",
            "PutObject",
        },
        "scheduler": {"GetSchedule"},
        "secretsmanager": {"GetSecretValue"},
        "sns": {"Publish"},
        "sqs": {"SendMessage"},
        "xray": {"PutTelemetryRecords", "PutTraceSegments"},
    },
    "repair": {
        "dynamodb": {"DeleteItem", "PutItem", "Query"},
        "kms": {"Decrypt", "GenerateDataKey"},
        "logs": {"CreateLogStream", "PutLogEvents"},
        "s3": {
            "AbortMultipartUpload",
            "GetBucketNotification",
            "GetObject",
            "ListBucket",
            "PutObject",
        },
        "sns": {"ListSubscriptionsByTopic"},
        "sqs": {"SendMessage"},
        "xray": {"PutTelemetryRecords", "PutTraceSegments"},
    },
    "reports": {
        "dynamodb": {"GetItem", "PutItem", "Query"},
        "kms": {"Decrypt", "GenerateDataKey"},
        "logs": {"CreateLogStream", "PutLogEvents"},
        "s3": {"GetObject", "PutObject"},
        "sqs": {"SendMessage"},
        "xray": {"PutTelemetryRecords", "PutTraceSegments"},
    },
    "slack": {
        "logs": {"CreateLogStream", "PutLogEvents"},
        "secretsmanager": {"GetSecretValue"},
        "sqs": {"SendMessage"},
        "xray": {"PutTelemetryRecords", "PutTraceSegments"},
    },
    "people": {
        "dynamodb": {
            "BatchGetItem",
            "ConditionCheckItem",
            "DeleteItem",
            "GetItem",
            "PutItem",
        },
        "logs": {"CreateLogStream", "PutLogEvents"},
        "kms": {"Decrypt"},
        "s3": {"GetObject"},
        "secretsmanager": {"GetSecretValue"},
        "sqs": {
            "DeleteMessage",
            "GetQueueAttributes",
            "ReceiveMessage",
            "SendMessage",
        },
        "xray": {"PutTelemetryRecords", "PutTraceSegments"},
    },
    "warehouse": {
        "cloudformation": {"DescribeStacks"},
        "dynamodb": {"DeleteItem", "GetItem", "PutItem", "Query"},
        "kms": {"Decrypt", "GenerateDataKey"},
        "logs": {"CreateLogStream", "PutLogEvents"},
        "s3": {"GetObject", "PutBucketNotification", "PutObject"},
        "sqs": {"SendMessage"},
        "xray": {"PutTelemetryRecords", "PutTraceSegments"},
    },
}


EXPORT_HASH = 8
"""Characters that the CDK adds to the logical id of what a stack exports."""


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements_of(
    templates: Templates, part: str, role: str
) -> Iterator[dict[str, Any]]:
    for at, _, resource in templates.resources("AWS::IAM::Policy"):
        if at == part and {"Ref": role} in resource["Properties"]["Roles"]:
            yield from resource["Properties"]["PolicyDocument"]["Statement"]


def test_each_function_is_granted_exactly_these_actions(templates: Templates) -> None:
    granted: dict[str, dict[str, set[str]]] = {}
    for part, _, function in templates.resources("AWS::Lambda::Function"):
        role = function["Properties"]["Role"]["Fn::GetAtt"][0]
        name = function["Properties"]["Handler"].split(".")[1]
        for statement in statements_of(templates, part, role):
            assert statement["Effect"] == "Allow"
            for action in as_list(statement["Action"]):
                service, verb = action.split(":")
                services = granted.setdefault(name, {})
                services.setdefault(service, set()).add(verb)
    assert granted == GRANTED


def test_every_function_has_a_role_of_its_own(templates: Templates) -> None:
    roles = [
        (part, function["Properties"]["Role"]["Fn::GetAtt"][0])
        for part, _, function in templates.resources("AWS::Lambda::Function")
    ]
    assert len(set(roles)) == len(roles) == len(GRANTED)
    for _, _, role in templates.resources("AWS::IAM::Role"):
        assert "ManagedPolicyArns" not in role["Properties"]


def test_no_action_is_a_wildcard_and_no_resource_without_a_reason(
    templates: Templates,
) -> None:
    found = set()
    for _, _, resource in templates.resources("AWS::IAM::Policy"):
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
            for action in as_list(statement["Action"]):
                assert "*" not in action
                if "*" in as_list(statement["Resource"]):
                    found.add((action, "*"))
    assert found == set(WILDCARDS_WITH_A_REASON)


def test_deletion_is_granted_below_manifests_and_edges_only(
    templates: Templates,
) -> None:
    for _, _, resource in templates.resources("AWS::IAM::Policy"):
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
            if "s3:DeleteObject" in as_list(statement["Action"]):
                below = {
                    target["Fn::Join"][1][-1]
                    for target in as_list(statement["Resource"])
                }
                assert below == {"/manifests/*", "/edges/*"}


def test_only_the_warehouse_function_may_write_what_all_others_read(
    templates: Templates,
) -> None:
    writes = {
        (part, action)
        for part, _, resource in templates.resources("AWS::IAM::Policy")
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]
        for action in as_list(statement["Action"])
        if catalogue_key() in json.dumps(statement["Resource"])
    }
    assert writes == {
        *(
            (part, "s3:GetObject")
            for part in ("ingestion", "freshness", "repair", "reports", "people")
        ),
        ("warehouse", "s3:GetObject"),
        ("warehouse", "s3:PutObject"),
    }


def test_secrets_are_granted_by_name(templates: Templates) -> None:
    for _, _, resource in templates.resources("AWS::IAM::Policy"):
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
            if "secretsmanager:GetSecretValue" in as_list(statement["Action"]):
                assert as_list(statement["Resource"]) == [SLACK_SECRET]


def test_only_tls_reaches_bucket_queues_and_topics(templates: Templates) -> None:
    refused = {"Bool": {"aws:SecureTransport": "false"}}
    kinds = {
        "AWS::S3::Bucket": ("AWS::S3::BucketPolicy", "Bucket"),
        "AWS::SQS::Queue": ("AWS::SQS::QueuePolicy", "Queues"),
        "AWS::SNS::Topic": ("AWS::SNS::TopicPolicy", "Topics"),
    }
    for kind, (policy_kind, names) in kinds.items():
        guarded = {
            _named(part, reference)
            for part, _, policy in templates.resources(policy_kind)
            for reference in as_list(policy["Properties"][names])
            if any(
                statement["Effect"] == "Deny" and statement["Condition"] == refused
                for statement in policy["Properties"]["PolicyDocument"]["Statement"]
                if "Condition" in statement
            )
        }
        all_of_kind = {(part, name) for part, name, _ in templates.resources(kind)}
        assert guarded == all_of_kind, kind


def _named(part: str, reference: dict[str, str]) -> tuple[str, str]:
    """Stack and logical id of what a policy is about, which may be imported."""
    if "Ref" in reference:
        return part, reference["Ref"]
    stack, _, exported = reference["Fn::ImportValue"].partition(":ExportsOutputRef")
    return stack.removeprefix("catflap-dev-"), exported[:-EXPORT_HASH]


def test_all_that_is_kept_is_encrypted(templates: Templates) -> None:
    bucket = templates.one("landing", "AWS::S3::Bucket")["Properties"]
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["BucketKeyEnabled"] is True
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    table = templates.one("landing", "AWS::DynamoDB::Table")["Properties"]
    assert table["SSESpecification"]["SSEEnabled"] is True
    assert table["PointInTimeRecoverySpecification"] == {
        "PointInTimeRecoveryEnabled": True
    }
    for _, name, topic in templates.resources("AWS::SNS::Topic"):
        assert "KmsMasterKeyId" in topic["Properties"], name
    for _, name, queue in templates.resources("AWS::SQS::Queue"):
        assert queue["Properties"]["SqsManagedSseEnabled"] is True, name
    key = templates.one("landing", "AWS::KMS::Key")["Properties"]
    assert key["EnableKeyRotation"] is True


def test_key_admits_the_services_that_publish_to_its_topics(
    templates: Templates,
) -> None:
    key = templates.one("landing", "AWS::KMS::Key")["Properties"]
    services = {
        statement["Principal"].get("Service")
        for statement in key["KeyPolicy"]["Statement"]
    }
    assert {"s3.amazonaws.com", "cloudwatch.amazonaws.com"} <= services


def test_snowflake_only_reads_and_only_what_has_landed(templates: Templates) -> None:
    (role_id, role) = next(
        (logical_id, role["Properties"])
        for part, logical_id, role in templates.resources("AWS::IAM::Role")
        if role["Properties"].get("RoleName") == "catflap-dev-snowflake"
    )
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert "sts:ExternalId" in trust["Condition"]["StringEquals"]
    assert "AWS" in trust["Principal"]
    granted = {
        action
        for statement in statements_of(templates, "warehouse", role_id)
        for action in as_list(statement["Action"])
    }
    assert granted == {
        "kms:Decrypt",
        "s3:GetBucketLocation",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:ListBucket",
    }


def test_schedulers_roles_are_for_schedulers_of_this_account(
    templates: Templates,
) -> None:
    roles = [
        role["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]
        for _, _, role in templates.resources("AWS::IAM::Role")
        if "scheduler.amazonaws.com" in json.dumps(role)
    ]
    assert roles
    for trust in roles:
        assert trust["Condition"] == {
            "StringEquals": {"aws:SourceAccount": "000000000000"}
        }


def test_no_metric_has_a_dataset_dimension(templates: Templates) -> None:
    dimensions = {
        dimension["Name"]
        for _, _, alarm in templates.resources("AWS::CloudWatch::Alarm")
        for dimension in alarm["Properties"].get("Dimensions", [])
    }
    assert dimensions == {"FunctionName", "QueueName"}


def test_a_pull_reaches_its_own_partitions_of_the_state_and_no_others(
    templates: Templates,
) -> None:
    about_state = [
        statement
        for part, _, function in templates.resources("AWS::Lambda::Function")
        if function["Properties"]["Handler"] == "lambdas.pull.handler.handle"
        for statement in statements_of(
            templates, part, function["Properties"]["Role"]["Fn::GetAtt"][0]
        )
        if any("dynamodb" in action for action in as_list(statement["Action"]))
    ]
    (statement,) = about_state
    assert statement["Condition"] == {
        "ForAllValues:StringLike": {
            "dynamodb:LeadingKeys": [
                "DATASET#*", "COMMITTING", "LANDED", "RATE#*", "PLACES#*", "REPORTED",
            ]
        }
    }  # fmt: skip
