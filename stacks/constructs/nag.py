"""AwsSolutions' rules at every synth, and the reasons where we differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aws_cdk import Acknowledgment, App, CfnResource, Stack, Validations
from cdk_nag import AwsSolutionsChecks
from constructs import IConstruct

CHECKOV: Mapping[str, Mapping[str, str]] = {
    "AWS::SQS::Queue": {
        "CKV_AWS_27": "SSE-SQS encrypts; a key of the account's own would cost a "
        "request to KMS for each message, which holds names and times only",
    },
    "AWS::Logs::LogGroup": {
        "CKV_AWS_158": "CloudWatch encrypts; logs hold counts and causes, no rows and "
        "no secrets",
    },
    "AWS::Lambda::Function": {
        "CKV_AWS_115": "a reserved concurrency sends good messages to the dead ones; "
        "the event source bounds pulls",
        "CKV_AWS_116": "fed by a queue, whose dead letters are its own, or called "
        "synchronously; all others have one",
        "CKV_AWS_117": "a VPC by option: `network` in environments/",
        "CKV_AWS_173": "variables hold names and no secret, and Lambda encrypts them",
    },
    "AWS::Lambda::Url": {
        "CKV_AWS_258": "Slack cannot sign for IAM; the function refuses a request "
        "without Slack's own signature",
    },
    "AWS::S3::Bucket": {
        "CKV_AWS_18": "the state records each object; data events are CloudTrail's",
    },
    "AWS::DynamoDB::Table": {
        "CKV_AWS_119": "encrypted under AWS's key; rows of data are never in it",
    },
}
"""What checkov finds and we keep, by type of resource, each with its reason."""


def explain(resource: CfnResource) -> None:
    """Let the template say to checkov why we differ."""
    kept = CHECKOV.get(resource.cfn_resource_type)
    if kept is not None:
        skips = [{"id": rule, "comment": reason} for rule, reason in kept.items()]
        resource.add_metadata("checkov", {"skip": skips})


def check(app: App) -> None:
    """Let cdk-nag read every stack; a finding nobody acknowledged stops the synth."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app, verbose=True))


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Say why `rule` does not hold for `construct` and what is below it."""
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))


def acknowledge_keys_below(
    construct: IConstruct,
    bucket_stack: Stack,
    bucket_arn: str,
    prefixes: Iterable[str],
) -> None:
    """Say why `construct` may name objects by prefix in a bucket of another stack.

    cdk-nag wants each wildcard acknowledged by its own resource, as the template
    writes it: with the name under which the bucket's stack exports the bucket.
    """
    exported = bucket_stack.resolve(bucket_stack.export_value(bucket_arn))
    for prefix in prefixes:
        acknowledge(
            construct,
            f"AwsSolutions-IAM5[Resource::{exported['Fn::ImportValue']}/{prefix}*]",
            f"objects below {prefix} get their names run by run",
        )
