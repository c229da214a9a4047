"""Keys, buckets, tables and secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from local.aws.resources.registry import (
    Created,
    DeployFailed,
    Existing,
    NotHandled,
    Request,
    Run,
    handles,
)

BUCKET_NAME_LIMIT = 63
TABLE_NAME_LIMIT = 255


def _delete_key(run: Run, existing: Existing) -> None:
    run.cloud.client("kms").schedule_key_deletion(KeyId=existing.created.physical_id)


@handles(
    "AWS::KMS::Key",
    properties="KeySpec KeyUsage",
    updatable="Description EnableKeyRotation KeyPolicy",
    ignored={"PendingWindowInDays": "a key that is deleted is not used again"},
    delete=_delete_key,
)
def key(request: Request) -> Created:
    """A customer's key; its policy is kept but not enforced."""
    kms = request.client("kms")
    if request.before is None:
        made = kms.create_key(
            Description=request.properties.get("Description", ""),
            **{
                name: request.properties[name]
                for name in ("KeySpec", "KeyUsage")
                if name in request.properties
            },
        )["KeyMetadata"]
        key_id, arn = made["KeyId"], made["Arn"]
    else:
        key_id = request.before.created.physical_id
        arn = str(request.before.created.attributes["Arn"])
    if request.properties.get("EnableKeyRotation"):
        kms.enable_key_rotation(KeyId=key_id)
    if "KeyPolicy" in request.properties:
        kms.put_key_policy(
            KeyId=key_id,
            PolicyName="default",
            Policy=json.dumps(request.properties["KeyPolicy"]),
        )
    return Created(physical_id=key_id, attributes={"Arn": arn, "KeyId": key_id})


@handles("AWS::KMS::Alias", properties="AliasName TargetKeyId")
def alias(request: Request) -> Created:
    """Another name of a key."""
    name = request.properties["AliasName"]
    request.client("kms").create_alias(
        AliasName=name, TargetKeyId=request.properties["TargetKeyId"]
    )
    return Created(physical_id=name)


def create_bucket(s3: Any, name: str, region: str) -> None:  # noqa: ANN401 - boto3's clients have no common type
    """An empty bucket; us-east-1 is named by not naming it."""
    where = {} if region == "us-east-1" else {"LocationConstraint": region}
    s3.create_bucket(
        Bucket=name, **({"CreateBucketConfiguration": where} if where else {})
    )


def _delete_bucket(run: Run, existing: Existing) -> None:
    """S3 deletes none that holds something, versions and markers included."""
    s3, name = run.cloud.client("s3"), existing.created.physical_id
    held = s3.list_object_versions(Bucket=name, MaxKeys=1)
    if held.get("Versions") or held.get("DeleteMarkers"):
        raise DeployFailed(f"the bucket {name} you tried to delete is not empty")
    s3.delete_bucket(Bucket=name)


@handles(
    "AWS::S3::Bucket",
    properties="BucketName",
    updatable="BucketEncryption LifecycleConfiguration NotificationConfiguration "
    "OwnershipControls PublicAccessBlockConfiguration VersioningConfiguration",
    delete=_delete_bucket,
)
def bucket(request: Request) -> Created:
    """A bucket; its notifications come last, since S3 tries each target."""
    s3, given = request.client("s3"), request.properties
    if request.before is None:
        name = given.get("BucketName") or request.name(BUCKET_NAME_LIMIT).lower()
        create_bucket(s3, name, request.run.cloud.region)
    else:
        name = request.before.created.physical_id
    if "VersioningConfiguration" in given:
        s3.put_bucket_versioning(
            Bucket=name, VersioningConfiguration=given["VersioningConfiguration"]
        )
    if "BucketEncryption" in given:
        rules = given["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        s3.put_bucket_encryption(
            Bucket=name,
            ServerSideEncryptionConfiguration={
                "Rules": [
                    {
                        (
                            "ApplyServerSideEncryptionByDefault" if part == by else part
                        ): one
                        for part, one in rule.items()
                    }
                    for by in ["ServerSideEncryptionByDefault"]
                    for rule in rules
                ]
            },
        )
    if "PublicAccessBlockConfiguration" in given:
        s3.put_public_access_block(
            Bucket=name,
            PublicAccessBlockConfiguration=given["PublicAccessBlockConfiguration"],
        )
    if "OwnershipControls" in given:
        s3.put_bucket_ownership_controls(
            Bucket=name, OwnershipControls=given["OwnershipControls"]
        )
    if "LifecycleConfiguration" in given:
        rules = [
            _lifecycle_rule(request, rule)
            for rule in given["LifecycleConfiguration"]["Rules"]
        ]
        s3.put_bucket_lifecycle_configuration(
            Bucket=name, LifecycleConfiguration={"Rules": rules}
        )
    if request.before is None or "NotificationConfiguration" in request.changed():
        configuration = _notifications(
            request, given.get("NotificationConfiguration", {})
        )
        request.run.late.append(
            lambda: s3.put_bucket_notification_configuration(
                Bucket=name, NotificationConfiguration=configuration
            )
        )
    host = f"{name}.s3.amazonaws.com"
    return Created(
        physical_id=name,
        attributes={
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": host,
            "RegionalDomainName": f"{name}.s3.{request.run.cloud.region}.amazonaws.com",
        },
    )


_SAME_IN_LIFECYCLE = {
    "AbortIncompleteMultipartUpload",
    "NoncurrentVersionExpiration",
    "Status",
}


def _lifecycle_rule(request: Request, rule: Mapping[str, Any]) -> dict[str, Any]:
    """CloudFormation's way to write a rule, in the API's."""
    made: dict[str, Any] = {"Filter": {"Prefix": rule.get("Prefix", "")}}
    for name, value in rule.items():
        match name:
            case "Prefix":
                pass
            case "Id":
                made["ID"] = value
            case "ExpirationInDays":
                made.setdefault("Expiration", {})["Days"] = int(value)
            case "ExpiredObjectDeleteMarker":
                made.setdefault("Expiration", {})[name] = value
            case "Transitions":
                made[name] = [
                    {
                        "Days": one["TransitionInDays"],
                        "StorageClass": one["StorageClass"],
                    }
                    for one in value
                ]
            case _ if name in _SAME_IN_LIFECYCLE:
                made[name] = value
            case _:
                raise NotHandled(f"{request.address}: lifecycle rule with `{name}`")
    return made


_NOTIFIED = {
    "TopicConfigurations": ("Topic", "TopicArn"),
    "QueueConfigurations": ("Queue", "QueueArn"),
}


def _notifications(request: Request, given: Mapping[str, Any]) -> dict[str, Any]:
    """CloudFormation's way to write notifications, in the API's."""
    made: dict[str, Any] = {}
    for name, value in given.items():
        if name == "EventBridgeConfiguration":
            made[name] = {}
            continue
        if name not in _NOTIFIED:
            raise NotHandled(f"{request.address}: notifications by `{name}`")
        theirs, ours = _NOTIFIED[name]
        made[name] = [
            {
                ours: one[theirs],
                "Events": [one["Event"]],
                **(
                    {
                        "Filter": {
                            "Key": {"FilterRules": one["Filter"]["S3Key"]["Rules"]}
                        }
                    }
                    if "Filter" in one
                    else {}
                ),
            }
            for one in value
        ]
    return made


def _delete_bucket_policy(run: Run, existing: Existing) -> None:
    name = existing.properties["Bucket"]
    run.cloud.client("s3").delete_bucket_policy(Bucket=name)


@handles(
    "AWS::S3::BucketPolicy",
    properties="Bucket",
    updatable="PolicyDocument",
    delete=_delete_bucket_policy,
)
def bucket_policy(request: Request) -> Created:
    """A bucket's policy, but for the refusal of HTTP.

    The stand-in counts every condition of a bucket policy as true, and the embedded
    AWS speaks HTTP on loopback: the usual Deny without aws:SecureTransport or with an
    old TLS would refuse everything. That it is in the template is for the tests of
    the stacks.
    """
    name = request.properties["Bucket"]
    document = request.properties["PolicyDocument"]
    kept = [one for one in document["Statement"] if not _refuses_http(one)]
    conditional = [one for one in kept if "Condition" in one]
    if conditional:
        raise NotHandled(
            f"{request.address}: a statement with a condition; the stand-in would take "
            f"it as unconditional: {conditional[0]}"
        )
    if kept:
        request.client("s3").put_bucket_policy(
            Bucket=name, Policy=json.dumps({**document, "Statement": kept})
        )
    return Created(physical_id=f"{name}-policy")


def _refuses_http(statement: Mapping[str, Any]) -> bool:
    keys = {
        key for operator in statement.get("Condition", {}).values() for key in operator
    }
    return (
        statement["Effect"] == "Deny"
        and bool(keys)
        and keys <= {"aws:SecureTransport", "s3:TlsVersion"}
    )


def _delete_table(run: Run, existing: Existing) -> None:
    name = existing.created.physical_id
    run.cloud.client("dynamodb").delete_table(TableName=name)


@handles(
    "AWS::DynamoDB::Table",
    properties="TableName AttributeDefinitions KeySchema BillingMode SSESpecification "
    "GlobalSecondaryIndexes StreamSpecification",
    updatable="TimeToLiveSpecification PointInTimeRecoverySpecification",
    ignored={"DeletionProtectionEnabled": "no template of ours sets it"},
    delete=_delete_table,
)
def table(request: Request) -> Created:
    """A table with its expiry."""
    dynamodb, given = request.client("dynamodb"), request.properties
    if request.before is None:
        name = given.get("TableName") or request.name(TABLE_NAME_LIMIT)
        extra = {
            part: given[part]
            for part in ("GlobalSecondaryIndexes", "StreamSpecification")
            if part in given
        }
        if "SSESpecification" in given:
            wanted = given["SSESpecification"]
            extra["SSESpecification"] = {
                "Enabled": wanted["SSEEnabled"],
                **{part: one for part, one in wanted.items() if part != "SSEEnabled"},
            }
        described = dynamodb.create_table(
            TableName=name,
            AttributeDefinitions=given["AttributeDefinitions"],
            KeySchema=given["KeySchema"],
            BillingMode=given.get("BillingMode", "PAY_PER_REQUEST"),
            **extra,
        )["TableDescription"]
        attributes: Mapping[str, object] = {
            "Arn": described["TableArn"],
            "StreamArn": described.get("LatestStreamArn"),
        }
    else:
        name = request.before.created.physical_id
        attributes = request.before.created.attributes
    if "TimeToLiveSpecification" in request.changed():
        dynamodb.update_time_to_live(
            TableName=name, TimeToLiveSpecification=given["TimeToLiveSpecification"]
        )
    if "PointInTimeRecoverySpecification" in request.changed():
        dynamodb.update_continuous_backups(
            TableName=name,
            PointInTimeRecoverySpecification=given["PointInTimeRecoverySpecification"],
        )
    return Created(physical_id=name, attributes=attributes)


@handles(
    "AWS::SecretsManager::Secret",
    properties="Name KmsKeyId GenerateSecretString",
    updatable="Description SecretString",
)
def secret(request: Request) -> Created:
    """A secret; a generated value is made by the service."""
    manager, given = request.client("secretsmanager"), request.properties
    if request.before is not None:
        arn = request.before.created.physical_id
        if "SecretString" in request.changed():
            manager.put_secret_value(SecretId=arn, SecretString=given["SecretString"])
        return request.before.created
    value = given.get("SecretString")
    if value is None:
        wanted = dict(given.get("GenerateSecretString", {}))
        template = wanted.pop("SecretStringTemplate", None)
        field = wanted.pop("GenerateStringKey", None)
        value = manager.get_random_password(**wanted)["RandomPassword"]
        if template is not None and field is not None:
            value = json.dumps({**json.loads(template), field: value})
    made = manager.create_secret(
        Name=given.get("Name") or request.name(512),
        Description=given.get("Description", ""),
        SecretString=value,
    )
    return Created(physical_id=made["ARN"], attributes={"Id": made["ARN"]})
