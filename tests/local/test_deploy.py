from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local.aws.cloud import Cloud
from local.aws.deploy import deploy
from local.aws.intrinsics import TemplateNotUnderstood
from local.aws.invoke import FunctionError, FunctionHost
from local.aws.resources.registry import DeployFailed, NotHandled
from tests.local.conftest import Assembly, error_of, function, role, statement


def _landing(unique: str) -> dict[str, Any]:
    """Bucket → topic → queue, as the CDK writes it."""
    return {
        "Resources": {
            "Bucket": {
                "Type": "AWS::S3::Bucket",
                "DependsOn": ["Policy"],
                "Properties": {
                    "NotificationConfiguration": {
                        "TopicConfigurations": [
                            {
                                "Event": "s3:ObjectCreated:*",
                                "Filter": {
                                    "S3Key": {
                                        "Rules": [{"Name": "prefix", "Value": "raw/"}]
                                    }
                                },
                                "Topic": {"Ref": "Topic"},
                            }
                        ]
                    },
                    "LifecycleConfiguration": {
                        "Rules": [
                            {
                                "Id": "old",
                                "Status": "Enabled",
                                "Prefix": "raw/",
                                "ExpirationInDays": 400,
                            },
                            {
                                "Id": "left",
                                "Status": "Enabled",
                                "AbortIncompleteMultipartUpload": {
                                    "DaysAfterInitiation": 7
                                },
                            },
                        ]
                    },
                    "VersioningConfiguration": {"Status": "Enabled"},
                    "PublicAccessBlockConfiguration": {"BlockPublicAcls": True},
                },
            },
            "Http": {
                "Type": "AWS::S3::BucketPolicy",
                "Properties": {
                    "Bucket": {"Ref": "Bucket"},
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Effect": "Deny",
                                "Principal": {"AWS": "*"},
                                "Action": "s3:*",
                                "Resource": {"Fn::GetAtt": ["Bucket", "Arn"]},
                                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                            }
                        ],
                    },
                },
            },
            "Topic": {"Type": "AWS::SNS::Topic"},
            "Policy": {
                "Type": "AWS::SNS::TopicPolicy",
                "Properties": {
                    "Topics": [{"Ref": "Topic"}],
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Effect": "Allow",
                                "Principal": {"Service": "s3.amazonaws.com"},
                                "Action": "sns:Publish",
                                "Resource": {"Ref": "Topic"},
                            }
                        ],
                    },
                },
            },
            "Table": {
                "Type": "AWS::DynamoDB::Table",
                "Properties": {
                    "AttributeDefinitions": [
                        {"AttributeName": "pk", "AttributeType": "S"}
                    ],
                    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                    "BillingMode": "PAY_PER_REQUEST",
                    "TimeToLiveSpecification": {
                        "AttributeName": "expires_at",
                        "Enabled": True,
                    },
                    "PointInTimeRecoverySpecification": {
                        "PointInTimeRecoveryEnabled": True
                    },
                    "SSESpecification": {"SSEEnabled": True},
                },
            },
        },
        "Outputs": {
            "BucketName": {
                "Value": {"Ref": "Bucket"},
                "Export": {"Name": f"{unique}:bucket"},
            },
            "TopicArn": {
                "Value": {"Ref": "Topic"},
                "Export": {"Name": f"{unique}:topic"},
            },
        },
    }


def _reader(unique: str) -> dict[str, Any]:
    bucket = {"Fn::ImportValue": f"{unique}:bucket"}
    grant = statement(
        "s3:PutObject", {"Fn::Sub": ["arn:aws:s3:::${B}/*", {"B": bucket}]}
    )
    return {
        "Resources": {
            "Queue": {"Type": "AWS::SQS::Queue"},
            "Subscription": {
                "Type": "AWS::SNS::Subscription",
                "Properties": {
                    "TopicArn": {"Fn::ImportValue": f"{unique}:topic"},
                    "Protocol": "sqs",
                    "Endpoint": {"Fn::GetAtt": ["Queue", "Arn"]},
                    "RawMessageDelivery": True,
                },
            },
            "Role": role(grant),
            "Put": function("put"),
        }
    }


def test_an_object_that_a_function_puts_is_told_through_topic_and_queue(
    cloud: Cloud, host: FunctionHost, assembly: Assembly, unique: str
) -> None:
    assembly.stacks = {f"a-{unique}": _reader(unique), f"b-{unique}": _landing(unique)}
    assembly.dependencies = {f"a-{unique}": [f"b-{unique}"]}
    deployment = deploy(cloud, assembly.write(), host=host)
    assert deployment.total_resources == 9
    bucket = deployment.outputs[f"b-{unique}"]["BucketName"]
    host.invoke(deployment.functions["Put"], {"bucket": bucket, "key": "raw/a b.gz"})
    host.invoke(deployment.functions["Put"], {"bucket": bucket, "key": "other/x"})
    queue = deployment.physical_id(f"a-{unique}", "Queue")
    messages = cloud.client("sqs").receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10
    )["Messages"]
    records = [
        record["s3"]["object"]["key"]
        for message in messages
        for record in json.loads(message["Body"]).get("Records", [])
    ]
    assert records == ["raw/a+b.gz"]


def test_deploying_the_same_again_changes_nothing(
    cloud: Cloud, host: FunctionHost, assembly: Assembly, unique: str
) -> None:
    assembly.stacks = {unique: _landing(unique)}
    folder = assembly.write()
    deployment = deploy(cloud, folder, host=host)
    assert len(deployment.changed) == deployment.total_resources == 5
    deployment = deploy(cloud, folder, host=host, previous=deployment)
    assert deployment.changed == []


def test_an_action_taken_from_a_role_is_missed_at_once(
    cloud: Cloud, host: FunctionHost, assembly: Assembly, unique: str
) -> None:
    cloud.client("s3").create_bucket(Bucket=f"role-{unique}")
    everything = f"arn:aws:s3:::role-{unique}/*"

    def stack(action: str) -> dict[str, Any]:
        granted = role(statement(action, everything))
        return {"Resources": {"Role": granted, "Put": function("put")}}

    event = {"bucket": f"role-{unique}", "key": "k"}
    assembly.stacks = {unique: stack("s3:PutObject")}
    deployment = deploy(cloud, assembly.write(), host=host)
    host.invoke(deployment.functions["Put"], event)
    assembly.stacks = {unique: stack("s3:GetObject")}
    deployment = deploy(cloud, assembly.write(), host=host, previous=deployment)
    assert deployment.changed == [f"{unique}/Role (AWS::IAM::Role)"]
    with pytest.raises(FunctionError, match=r"not authorized to perform: s3:PutObject"):
        host.invoke(deployment.functions["Put"], event)


@pytest.mark.parametrize(
    ("resource", "named"),
    [
        ({"Type": "AWS::EC2::Instance"}, "AWS::EC2::Instance"),
        (
            {"Type": "AWS::S3::Bucket", "Properties": {"WebsiteConfiguration": {}}},
            "WebsiteConfiguration",
        ),
        (
            {
                "Type": "AWS::S3::Bucket",
                "Properties": {
                    "LifecycleConfiguration": {
                        "Rules": [{"Status": "Enabled", "TagFilters": []}]
                    }
                },
            },
            "TagFilters",
        ),
    ],
)
def test_what_is_not_handled_is_refused_by_name(  # noqa: PLR0917 - fixtures
    resource: dict[str, Any],
    named: str,
    cloud: Cloud,
    host: FunctionHost,
    assembly: Assembly,
    unique: str,
) -> None:
    assembly.stacks = {unique: {"Resources": {"Odd": resource}}}
    with pytest.raises(NotHandled, match=named) as refused:
        deploy(cloud, assembly.write(), host=host)
    assert f"{unique}/Odd" in str(refused.value)


def test_a_change_that_would_replace_is_refused_by_name(
    cloud: Cloud, host: FunctionHost, assembly: Assembly, unique: str
) -> None:
    assembly.stacks = {unique: _landing(unique)}
    deployment = deploy(cloud, assembly.write(), host=host)
    table = assembly.stacks[unique]["Resources"]["Table"]["Properties"]
    table["BillingMode"] = "PROVISIONED"
    with pytest.raises(NotHandled, match="BillingMode"):
        deploy(cloud, assembly.write(), host=host, previous=deployment)


def test_a_name_that_does_not_exist_is_told(
    cloud: Cloud, host: FunctionHost, assembly: Assembly, unique: str
) -> None:
    topic = {
        "Type": "AWS::SNS::Topic",
        "Properties": {"DisplayName": {"Ref": "Nobody"}},
    }
    assembly.stacks = {unique: {"Resources": {"Topic": topic}}}
    with pytest.raises(TemplateNotUnderstood, match="Nobody"):
        deploy(cloud, assembly.write(), host=host)


def _with_custom(**properties: Any) -> dict[str, Any]:
    return {
        "Resources": {
            "Role": role(),
            "Function": function("custom"),
            "Made": {
                "Type": "Custom::Cats",
                "Properties": {
                    "ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]},
                    **properties,
                },
            },
        },
        "Outputs": {
            "Number": {"Value": {"Fn::GetAtt": ["Made", "Number"]}},
            "Kind": {"Value": {"Fn::GetAtt": ["Made", "Type"]}},
            "Id": {"Value": {"Ref": "Made"}},
        },
    }


def test_a_custom_resource_is_created_updated_and_deleted_by_its_function(
    cloud: Cloud, host: FunctionHost, assembly: Assembly, unique: str, counts: Path
) -> None:
    assembly.stacks = {unique: _with_custom(Number=1)}
    deployment = deploy(cloud, assembly.write(), host=host)
    # a number arrives as a text, as from CloudFormation
    expected = {"Number": "1", "Kind": "Custom::Cats", "Id": "the-one"}
    assert deployment.outputs[unique] == expected
    assembly.stacks = {unique: _with_custom(Number=2)}
    deployment = deploy(cloud, assembly.write(), host=host, previous=deployment)
    assert deployment.outputs[unique]["Number"] == "2"
    del assembly.stacks[unique]["Resources"]["Made"]
    del assembly.stacks[unique]["Outputs"]
    deployment = deploy(cloud, assembly.write(), host=host, previous=deployment)
    assert counts.read_text().split() == ["Create", "Update", "Delete"]
    assert (unique, "Made") not in deployment.resources


@pytest.mark.parametrize(
    ("properties", "reason"),
    [({"Fail": True}, "asked to"), ({"Silent": "yes"}, "without an answer")],
)
def test_a_custom_resource_that_fails_fails_the_deployment(  # noqa: PLR0917 - fixtures
    properties: dict[str, Any],
    reason: str,
    cloud: Cloud,
    host: FunctionHost,
    assembly: Assembly,
    unique: str,
) -> None:
    assembly.stacks = {unique: _with_custom(Number=1, **properties)}
    with pytest.raises(DeployFailed, match=reason):
        deploy(cloud, assembly.write(), host=host)


def test_an_assembly_for_another_account_is_refused(
    cloud: Cloud, host: FunctionHost, assembly: Assembly, unique: str
) -> None:
    assembly.stacks = {unique: {"Resources": {}}}
    folder = assembly.write()
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["artifacts"][unique]["environment"] = "aws://999999999999/us-east-1"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DeployFailed, match="999999999999"):
        deploy(cloud, folder, host=host)


def test_every_other_type_is_made(
    cloud: Cloud, host: FunctionHost, assembly: Assembly, unique: str
) -> None:
    def arn(name: str) -> dict[str, Any]:
        return {"Fn::GetAtt": [name, "Arn"]}

    allow = {
        "Version": "2012-10-17",
        "Statement": [statement("sqs:SendMessage", arn("Queue"))],
    }
    everyone = {
        "Version": "2012-10-17",
        "Statement": [{**allow["Statement"][0], "Principal": {"AWS": "*"}}],  # type: ignore[dict-item]  # JSON by hand
    }
    made: dict[str, tuple[str, dict[str, Any]]] = {
        "Key": ("AWS::KMS::Key", {"EnableKeyRotation": True, "KeyPolicy": everyone}),
        "Alias": (
            "AWS::KMS::Alias",
            {"AliasName": f"alias/{unique}", "TargetKeyId": {"Ref": "Key"}},
        ),
        "Queue": ("AWS::SQS::Queue", {"VisibilityTimeout": 60}),
        "QueuePolicy": (
            "AWS::SQS::QueuePolicy",
            {"Queues": [{"Ref": "Queue"}], "PolicyDocument": everyone},
        ),
        "Policy": (
            "AWS::IAM::Policy",
            {"PolicyName": "p", "Roles": [{"Ref": "Role"}], "PolicyDocument": allow},
        ),
        "Managed": (
            "AWS::IAM::ManagedPolicy",
            {"Roles": [{"Ref": "Role"}], "PolicyDocument": allow},
        ),
        "Retries": (
            "AWS::Lambda::EventInvokeConfig",
            {
                "FunctionName": {"Ref": "Function"},
                "Qualifier": "$LATEST",
                "MaximumRetryAttempts": 1,
                "DestinationConfig": {"OnFailure": {"Destination": arn("Queue")}},
            },
        ),
        "Url": (
            "AWS::Lambda::Url",
            {"TargetFunctionArn": arn("Function"), "AuthType": "NONE"},
        ),
        "Permission": (
            "AWS::Lambda::Permission",
            {
                "FunctionName": {"Ref": "Function"},
                "Action": "lambda:InvokeFunctionUrl",
                "Principal": "*",
            },
        ),
        "Version": ("AWS::Lambda::Version", {"FunctionName": {"Ref": "Function"}}),
        "Live": (
            "AWS::Lambda::Alias",
            {
                "Name": "live",
                "FunctionName": {"Ref": "Function"},
                "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]},
            },
        ),
        "Logs": ("AWS::Logs::LogGroup", {"RetentionInDays": 14}),
        "Group": ("AWS::Scheduler::ScheduleGroup", {"Name": unique}),
        "Bus": ("AWS::Events::EventBus", {"Name": unique}),
        "Rule": (
            "AWS::Events::Rule",
            {
                "EventBusName": {"Ref": "Bus"},
                "EventPattern": {"source": ["catflap"]},
                "Targets": [{"Id": "q", "Arn": arn("Queue")}],
            },
        ),
        "Alarm": (
            "AWS::CloudWatch::Alarm",
            {
                "ComparisonOperator": "LessThanThreshold",
                "EvaluationPeriods": 1,
                "MetricName": "Heartbeat",
                "Namespace": "catflap",
                "Period": 300,
                "Statistic": "Sum",
                "Threshold": 1,
            },
        ),
        "Secret": ("AWS::SecretsManager::Secret", {"SecretString": "sesame"}),
        "Metadata": ("AWS::CDK::Metadata", {"Analytics": "v2"}),
    }
    resources = {
        name: {"Type": kind, "Properties": properties}
        for name, (kind, properties) in made.items()
    }
    resources |= {"Role": role(), "Function": function("environment")}
    assembly.stacks = {unique: {"Resources": resources}}
    deployment = deploy(cloud, assembly.write(), host=host)
    assert deployment.total_resources == len(resources)
    known = deployment.functions["Function"]
    queue_arn = f"arn:aws:sqs:{cloud.region}:{cloud.account}:{unique}-Queue"
    assert (1, queue_arn) == (known.max_retries, known.failed_events)
    secret = cloud.client("secretsmanager").get_secret_value(
        SecretId=deployment.physical_id(unique, "Secret")
    )
    assert secret["SecretString"] == "sesame"
    cloud.client("events").put_events(
        Entries=[
            {
                "Source": "catflap",
                "DetailType": "dataset.landed",
                "Detail": json.dumps({"at": datetime.now(UTC).isoformat()}),
                "EventBusName": unique,
            }
        ]
    )
    got = cloud.client("sqs").receive_message(
        QueueUrl=deployment.physical_id(unique, "Queue")
    )["Messages"]
    assert json.loads(got[0]["Body"])["detail-type"] == "dataset.landed"
    code, _ = error_of(
        cloud.client("sqs").get_queue_attributes,
        QueueUrl=deployment.physical_id(unique, "Queue"),
        AttributeNames=["All"],
    )
    assert code == ""
