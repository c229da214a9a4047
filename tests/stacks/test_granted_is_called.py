"""What a role may do is what the code under it calls: no less, and no more.

The calls are read from every module that a handler can reach by imports.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

import app
from tests.stacks.import_graph import file_of, modules_below
from tests.stacks.test_security import GRANTED

ACTIONS_OF_CALL = {
    "abort_multipart_upload": {"s3:AbortMultipartUpload"},
    "batch_get_item": {"dynamodb:BatchGetItem"},
    "batch_write_item": {"dynamodb:BatchWriteItem"},
    "change_message_visibility": {"sqs:ChangeMessageVisibility"},
    "complete_multipart_upload": {"s3:PutObject"},
    "copy_object": {"s3:GetObject", "s3:PutObject"},
    "create_multipart_upload": {"s3:PutObject"},
    "describe_stacks": {"cloudformation:DescribeStacks"},
    "delete_object": {"s3:DeleteObject"},
    "delete_item": {"dynamodb:DeleteItem"},
    "get_bucket_notification_configuration": {"s3:GetBucketNotification"},
    "get_item": {"dynamodb:GetItem"},
    "get_object": {"s3:GetObject"},
    "get_schedule": {"scheduler:GetSchedule"},
    "get_secret_value": {"secretsmanager:GetSecretValue"},
    "head_object": {"s3:GetObject"},
    "list_objects_v2": {"s3:ListBucket"},
    "list_subscriptions_by_topic": {"sns:ListSubscriptionsByTopic"},
    "publish": {"sns:Publish"},
    "put_bucket_notification_configuration": {"s3:PutBucketNotification"},
    "put_events": {"events:PutEvents"},
    "put_item": {"dynamodb:PutItem"},
    "put_object": {"s3:PutObject"},
    "put_secret_value": {"secretsmanager:PutSecretValue"},
    "query": {"dynamodb:Query"},
    "send_message": {"sqs:SendMessage"},
    "transact_write_items": set(),  # its parts, below
    "upload_part": {"s3:PutObject"},
}
"""AWS: "Actions, resources, and condition keys", service by service."""

ACTIONS_OF_PART = {
    "ConditionCheck": "dynamodb:ConditionCheckItem",
    "Delete": "dynamodb:DeleteItem",
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
}

CLIENTS = {
    "_client",
    "_cloudformation",
    "_dynamodb",
    "_events",
    "_s3",
    "_scheduler",
    "_sns",
    "_sqs",
}
"""How adapters and slices call their boto3 clients."""

OURS = {("_events", "publish"), ("_events", "publish_all")}
"""The bus is a port of ours, of the same name as a client."""

WITHOUT_A_CALL = {
    "pull": {
        "kms:Decrypt": "a multipart upload under SSE-KMS",
        "kms:GenerateDataKey": "an upload under SSE-KMS",
        "sqs:DeleteMessage": "the event source",
        "sqs:GetQueueAttributes": "the event source",
        "sqs:ReceiveMessage": "the event source",
    },
    "freshness": {
        "kms:Decrypt": "as for pull, and for topics under the same key",
        "kms:GenerateDataKey": "as for pull, and for topics under the same key",
        "sqs:SendMessage": "Lambda, of a check that failed",
    },
    "repair": {
        "kms:Decrypt": "as for pull",
        "kms:GenerateDataKey": "as for pull",
        "sqs:SendMessage": "Lambda, of a look that failed",
    },
    "reports": {
        "kms:Decrypt": "as for pull",
        "kms:GenerateDataKey": "as for pull",
        "sqs:SendMessage": "Lambda, of a report that failed",
    },
    "warehouse": {
        "dynamodb:Query": "what it reports, by `items_of`",
        "kms:Decrypt": "as for pull",
        "kms:GenerateDataKey": "as for pull",
        "sqs:SendMessage": "Lambda, of a change that failed",
    },
    "slack": {},
    "people": {
        "sqs:DeleteMessage": "the event source",
        "sqs:GetQueueAttributes": "the event source",
        "sqs:ReceiveMessage": "the event source",
        "kms:Decrypt": "the datasets, under SSE-KMS",
    },
}
LOGGED = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}

_SECRETS = {"secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"}
NEVER_READ = {
    # With workload identity there is no key to read, and so no grant.
    "warehouse": _SECRETS,
    # It shares the landing bucket's adapter, and drops no manifests; of the state it
    # reads lists.
    "repair": {*_SECRETS, "s3:DeleteObject", "dynamodb:GetItem"},
    # It reads by the adapters that others write by, and signs in as `warehouse` does.
    "reports": {
        *_SECRETS,
        "dynamodb:BatchGetItem",
        "dynamodb:BatchWriteItem",
        "dynamodb:ConditionCheckItem",
        "dynamodb:DeleteItem",
    },
    # They write no secret, and no datasets; the first reads none. What is listed, and
    # written many at once, is the check's.
    "slack": {"secretsmanager:PutSecretValue", "s3:GetObject", "s3:PutObject"},
    "people": {
        "secretsmanager:PutSecretValue",
        "s3:PutObject",
        "dynamodb:BatchWriteItem",
        "dynamodb:Query",
    },
    # No dataset of the repository needs a secret; the sweep is the check's.
    "pull": {*_SECRETS, "dynamodb:Query"},
    # It reads Slack's; no dataset has a refresh token; what a pull began it completes
    # and never gives up.
    "freshness": {"secretsmanager:PutSecretValue", "s3:AbortMultipartUpload"},
}


def trees_below(handler: str) -> Iterator[ast.Module]:
    for module in modules_below(handler):
        yield ast.parse((app.ROOT / file_of(module)).read_text())


def calls_in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        holder = node.func.value
        name = holder.attr if isinstance(holder, ast.Attribute) else None
        if name not in CLIENTS or (name, node.func.attr) in OURS:
            continue
        if node.func.attr == "get_paginator":
            (operation,) = node.args
            assert isinstance(operation, ast.Constant)
            yield str(operation.value)
        else:
            yield node.func.attr


def called(handler: str) -> set[str]:
    trees = list(trees_below(handler))
    calls = {call for tree in trees for call in calls_in(tree)}
    unknown = calls - set(ACTIONS_OF_CALL)
    assert not unknown, f"say which action {unknown} needs"
    actions = {action for call in calls for action in ACTIONS_OF_CALL[call]}
    if "transact_write_items" in calls:
        actions |= {part for tree in trees for part in parts_in(tree)}
    return actions


def parts_in(tree: ast.Module) -> Iterator[str]:
    """The actions of a transaction's parts, wherever they are written."""
    for node in ast.walk(tree):
        for key in node.keys if isinstance(node, ast.Dict) else ():
            if isinstance(key, ast.Constant) and key.value in ACTIONS_OF_PART:
                yield ACTIONS_OF_PART[str(key.value)]


@pytest.mark.parametrize("slice_name", GRANTED)
def test_a_function_is_granted_what_it_calls_and_nothing_else(slice_name: str) -> None:
    granted = {
        f"{service}:{verb}"
        for service, verbs in GRANTED[slice_name].items()
        for verb in verbs
    }
    used = called(f"lambdas.{slice_name}.handler") - NEVER_READ.get(slice_name, set())
    assert granted == used | set(WITHOUT_A_CALL[slice_name]) | LOGGED


def test_pull_reaches_no_module_that_needs_the_connector() -> None:
    assert "lambdas.adapters.snowflake.warehouse" not in modules_below(
        "lambdas.pull.handler"
    )
