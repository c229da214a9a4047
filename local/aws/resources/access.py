"""Roles and policies. Trust and identity policies are enforced (see `local.strict`)."""

from __future__ import annotations

import json

from local.aws.resources.registry import (
    Created,
    Existing,
    NotHandled,
    Request,
    Run,
    handles,
)

ROLE_NAME_LIMIT = 64


def _delete_role(run: Run, existing: Existing) -> None:
    """IAM deletes none that has policies: CloudFormation takes its own away first."""
    iam, name = run.cloud.client("iam"), existing.created.physical_id
    for policy_name in _inline_names(dict(existing.properties)):
        iam.delete_role_policy(RoleName=name, PolicyName=policy_name)
    for arn in _managed_arns(dict(existing.properties)):
        iam.detach_role_policy(RoleName=name, PolicyArn=arn)
    iam.delete_role(RoleName=name)


@handles(
    "AWS::IAM::Role",
    properties="RoleName Path",
    updatable="AssumeRolePolicyDocument Description ManagedPolicyArns Policies "
    "MaxSessionDuration",
    delete=_delete_role,
)
def role(request: Request) -> Created:
    """A role with its inline and managed policies."""
    iam, given = request.client("iam"), request.properties
    trust = json.dumps(given["AssumeRolePolicyDocument"])
    if request.before is None:
        made = iam.create_role(
            RoleName=given.get("RoleName") or request.name(ROLE_NAME_LIMIT),
            Path=given.get("Path", "/"),
            AssumeRolePolicyDocument=trust,
            Description=given.get("Description", ""),
        )["Role"]
        created = Created(
            physical_id=made["RoleName"],
            attributes={"Arn": made["Arn"], "RoleId": made["RoleId"]},
        )
        before: dict[str, object] = {}
    else:
        created = request.before.created
        before = dict(request.before.properties)
        iam.update_assume_role_policy(
            RoleName=created.physical_id, PolicyDocument=trust
        )
    name = created.physical_id
    inline = {one["PolicyName"]: one for one in given.get("Policies", [])}
    for policy_name in _inline_names(before) - set(inline):
        iam.delete_role_policy(RoleName=name, PolicyName=policy_name)
    for policy_name, one in inline.items():
        iam.put_role_policy(
            RoleName=name,
            PolicyName=policy_name,
            PolicyDocument=json.dumps(one["PolicyDocument"]),
        )
    managed = set(given.get("ManagedPolicyArns", []))
    for arn in _managed_arns(before) - managed:
        iam.detach_role_policy(RoleName=name, PolicyArn=arn)
    for arn in sorted(managed):
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    return created


def _inline_names(properties: dict[str, object]) -> set[str]:
    policies = properties.get("Policies", [])
    return (
        {one["PolicyName"] for one in policies} if isinstance(policies, list) else set()
    )


def _managed_arns(properties: dict[str, object]) -> set[str]:
    arns = properties.get("ManagedPolicyArns", [])
    return set(arns) if isinstance(arns, list) else set()


def _delete_policy(run: Run, existing: Existing) -> None:
    for name in existing.properties["Roles"]:
        run.cloud.client("iam").delete_role_policy(
            RoleName=name, PolicyName=existing.properties["PolicyName"]
        )


@handles(
    "AWS::IAM::Policy",
    properties="PolicyName Roles",
    updatable="PolicyDocument",
    delete=_delete_policy,
)
def policy(request: Request) -> Created:
    """An inline policy of the roles it names."""
    given = request.properties
    if not given.get("Roles"):
        raise NotHandled(f"{request.address}: a policy of users or groups")
    for name in given["Roles"]:
        request.client("iam").put_role_policy(
            RoleName=name,
            PolicyName=given["PolicyName"],
            PolicyDocument=json.dumps(given["PolicyDocument"]),
        )
    return Created(physical_id=given["PolicyName"])


@handles(
    "AWS::IAM::ManagedPolicy",
    properties="ManagedPolicyName Path Description Roles",
    updatable="PolicyDocument",
)
def managed_policy(request: Request) -> Created:
    """A policy of its own, attached to the roles it names."""
    iam, given = request.client("iam"), request.properties
    document = json.dumps(given["PolicyDocument"])
    if request.before is not None:
        arn = request.before.created.physical_id
        iam.create_policy_version(
            PolicyArn=arn, PolicyDocument=document, SetAsDefault=True
        )
        return request.before.created
    arn = iam.create_policy(
        PolicyName=given.get("ManagedPolicyName") or request.name(128),
        Path=given.get("Path", "/"),
        Description=given.get("Description", ""),
        PolicyDocument=document,
    )["Policy"]["Arn"]
    for name in given.get("Roles", []):
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    return Created(physical_id=arn, attributes={"PolicyArn": arn})
