"""What the newest deploy has left to compare with: the datasets, and the templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from pydantic import ValidationError

from lambdas.core.dataset import Catalogue, catalogue_from_json
from lambdas.core.errors import BadInput
from lambdas.core.landing.names import CATALOGUE

if TYPE_CHECKING:
    from cli.deployed.environment import Deployed

_GONE = ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE")


def published_catalogue(reached: Deployed) -> Catalogue | None:
    """The datasets that functions have now; None if nothing is deployed.

    An upgrade leaves that of before beside it, so that the newest counts. Raises
    BadInput if another version of catflap wrote it in words that this one lacks, and
    what boto3 raises.
    """
    s3, bucket = reached.aws("s3"), reached.settings.landing_bucket
    try:
        answer = s3.list_objects_v2(Bucket=bucket, Prefix=CATALOGUE)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchBucket":
            return None
        raise
    stored = answer.get("Contents", [])
    if not stored:
        return None
    key = max(stored, key=lambda one: one["LastModified"])["Key"]
    content = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        return catalogue_from_json(content)
    except ValidationError as error:
        (first, *_) = error.errors(include_input=False)
        at = ".".join(map(str, first["loc"]))
        raise BadInput(
            f"s3://{bucket}/{key} was written by another version of catflap ({at}: "
            f"{first['msg']}); run the diff with that version, or `npx cdk diff`"
        ) from None


def deployed_templates(reached: Deployed) -> Mapping[str, Mapping[str, Any]]:
    """The templates of the environment's stacks by name, as they were deployed."""
    cloudformation = reached.aws("cloudformation")
    prefix = f"catflap-{reached.environment.name}-"
    return {
        stack["StackName"]: cloudformation.get_template(
            StackName=stack["StackName"], TemplateStage="Original"
        )["TemplateBody"]
        for page in cloudformation.get_paginator("describe_stacks").paginate()
        for stack in page["Stacks"]
        if stack["StackName"].startswith(prefix) and stack["StackStatus"] not in _GONE
    }
