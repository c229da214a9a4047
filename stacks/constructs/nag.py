"""AwsSolutions' rules at every synth, and the reasons where we differ."""

from __future__ import annotations

from collections.abc import Iterable

from aws_cdk import Acknowledgment, App, Stack, Validations
from cdk_nag import AwsSolutionsChecks
from constructs import IConstruct


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
