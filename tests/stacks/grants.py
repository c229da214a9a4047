"""What templates allow, a line for each action on each resource.

`python -m tests.stacks.grants` writes `grants.txt`, which a test compares.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from local.aws.strict.grants_used import general
from local.stack import synthesize
from tests.stacks.conftest import Resource, Templates, read_templates

LISTED = Path(__file__).parent / "grants.txt"

_POLICIES = {
    "AWS::IAM::Policy": "Roles",
    "AWS::KMS::Key": None,
    "AWS::S3::BucketPolicy": "Bucket",
    "AWS::SNS::TopicPolicy": "Topics",
    "AWS::SQS::QueuePolicy": "Queues",
}
"""Types that hold a policy, and the property that says whose."""


def grants(templates: Templates) -> list[str]:
    """Stack, whose, effect, who, action, resource, conditions; sorted."""
    return sorted(
        general(" | ".join((part, *cells)))
        for part, template in templates.by_part.items()
        for logical_id, resource in template["Resources"].items()
        for cells in _cells(logical_id, resource)
    )


def _cells(logical_id: str, resource: Resource) -> Iterator[tuple[str, ...]]:
    kind, given = resource["Type"], resource.get("Properties", {})
    if kind == "AWS::Lambda::Permission":
        only = {
            name: value
            for name, value in given.items()
            if name not in {"Action", "FunctionName", "Principal"}
        }
        yield (
            text_of(given["FunctionName"]), "Allow", text_of(given["Principal"]),
            given["Action"], "itself", text_of(only),
        )  # fmt: skip
    elif kind == "AWS::IAM::Role":
        for key in ("ManagedPolicyArns", "Policies", "PermissionsBoundary"):
            assert key not in given, f"{logical_id}: {key} is not read here"
        yield from _statements(f"trust of {logical_id}", given, "AssumeRolePolicy")
    elif kind in _POLICIES:
        whose = _POLICIES[kind]
        name = logical_id if whose is None else text_of(given[whose])
        policy = "Key" if whose is None else "Policy"
        yield from _statements(name, given, policy)
    else:
        assert "Statement" not in json.dumps(given), f"{logical_id} holds a policy"


def _statements(
    whose: str, given: Mapping[str, Any], policy: str
) -> Iterator[tuple[str, ...]]:
    document = given.get(f"{policy}Document") or given[f"{policy}Policy"]
    for one in document["Statement"]:
        for action in listed(one["Action"]):
            for on in listed(one.get("Resource", "itself")):
                yield (
                    whose, one["Effect"], text_of(one.get("Principal", "")), action,
                    text_of(on), text_of(one.get("Condition", "")),
                )  # fmt: skip


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def text_of(value: Any) -> str:
    """Intrinsics by what they name."""
    match value:
        case str():
            text = value
        case {"Ref": str(name)}:
            text = name
        case {"Fn::GetAtt": [name, attribute]}:
            text = f"{name}.{attribute}"
        case {"Fn::ImportValue": str(name)}:
            text = name.replace(":ExportsOutput", ":")
        case {"Fn::Join": [between, parts]}:
            text = str(between).join(map(text_of, parts))
        case list():
            text = ", ".join(map(text_of, value))
        case dict():
            text = "; ".join(f"{name} = {text_of(one)}" for name, one in value.items())
        case _:
            text = json.dumps(value)
    return text


def main() -> None:
    """Write the file anew."""
    with tempfile.TemporaryDirectory() as folder:
        synthesize(Path(folder))
        lines = grants(read_templates(Path(folder)))
    LISTED.write_text("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    main()
