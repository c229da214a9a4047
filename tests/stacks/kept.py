"""What every later version must find where it is: resources that hold something, or
that somebody outside knows, and the exports that other stacks import.

CloudFormation takes a resource of another logical id for another resource: it makes a
new one and deletes the old one, or fails since the name is taken. The same happens when
a property changes that cannot change in place.

`python -m tests.stacks.kept` adds what is new to `kept.txt`. It takes nothing out: what
is to go, a person deletes there, and says in `docs/deploying.md` what to do about it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from local.aws.strict.grants_used import general
from local.stack import synthesize
from tests.stacks.conftest import Templates, read_templates
from tests.stacks.grants import text_of

LISTED = Path(__file__).parent / "kept.txt"

KEPT: Mapping[str, tuple[str, ...]] = {
    "AWS::CloudWatch::Dashboard": ("DashboardName",),
    "AWS::DynamoDB::Table": ("TableName", "KeySchema", "LocalSecondaryIndexes"),
    "AWS::Events::EventBus": ("Name",),
    # the bucket, queue or topic of a deleted policy has none
    "AWS::S3::BucketPolicy": ("Bucket",),
    "AWS::SNS::TopicPolicy": (),
    "AWS::SQS::QueuePolicy": (),
    # one without a name is as good as another
    "AWS::IAM::Role": ("RoleName", "Path"),
    "AWS::KMS::Key": ("KeySpec", "KeyUsage", "MultiRegion"),
    # a queue takes no second one of the same function
    "AWS::Lambda::EventSourceMapping": ("EventSourceArn",),
    # Slack is told of its address once, by hand
    "AWS::Lambda::Url": ("TargetFunctionArn", "Qualifier"),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::S3::Bucket": ("BucketName",),
    "AWS::SNS::Topic": ("TopicName", "FifoTopic"),
    "AWS::SQS::Queue": ("QueueName", "FifoQueue"),
}
"""Types that hold something or are known by name, and the properties that make them
anew (CloudFormation template reference: "Update requires: Replacement").
"""
MADE_ANEW = frozenset(
    {
        "AWS::CloudWatch::Alarm",
        "AWS::Events::Rule",
        "AWS::IAM::Policy",
        "AWS::Lambda::Function",
        "AWS::Lambda::Permission",
        # a dataset's own, which `tests/stacks/test_schedules.py` keeps in its place
        "AWS::Scheduler::Schedule",
    }
)
"""Types of which another does as well. So does another custom resource of ours: its
deletion deletes nothing."""


def kept(templates: Templates) -> list[str]:
    """Stack, logical id or export, type, and what must stay as it is; sorted."""
    return sorted(
        general(" | ".join((part, *cells)))
        for part, template in templates.by_part.items()
        for cells in (*_resources(template), *_exports(template))
    )


def _resources(template: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for logical_id, resource in template["Resources"].items():
        kind, given = resource["Type"], resource.get("Properties", {})
        if kind in MADE_ANEW or kind.startswith("Custom::"):
            continue
        if kind == "AWS::IAM::Role" and "RoleName" not in given:
            continue
        said = {one: given[one] for one in KEPT[kind] if one in given}
        yield logical_id, kind, text_of(said)


def _exports(template: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for output in template.get("Outputs", {}).values():
        if "Export" in output:
            name = output["Export"]["Name"].rpartition(":")[2]
            yield name, "export", text_of(output["Value"])


def main() -> None:
    """Add what is new to the file."""
    with tempfile.TemporaryDirectory() as folder:
        synthesize(Path(folder))
        now = kept(read_templates(Path(folder)))
    lines = sorted({*LISTED.read_text().splitlines(), *now})
    LISTED.write_text("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    main()
