"""The roles and users of an AWS account with their policies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lambdas.core.reports.policies import Principal

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient


def principals(iam: IAMClient) -> Iterator[Principal]:
    """Each, with what is written in it, in its groups and in attached policies.

    `iam:GetAccountAuthorizationDetails` is a person's to call: no function may.
    """
    pages = list(iam.get_paginator("get_account_authorization_details").paginate())
    managed = {
        policy["Arn"]: version["Document"]
        for page in pages
        for policy in page["Policies"]
        for version in policy["PolicyVersionList"]
        if version["IsDefaultVersion"]
    }
    groups = {
        group["GroupName"]: _policies(group, "GroupPolicyList", managed)
        for page in pages
        for group in page["GroupDetailList"]
    }
    for page in pages:
        for role in page["RoleDetailList"]:
            yield Principal(
                kind="role",
                name=role["RoleName"],
                policies=tuple(_policies(role, "RolePolicyList", managed)),
            )
        for user in page["UserDetailList"]:
            of_groups = [
                policy
                for name in user.get("GroupList", ())
                for policy in groups.get(name, ())
            ]
            yield Principal(
                kind="user",
                name=user["UserName"],
                policies=(*_policies(user, "UserPolicyList", managed), *of_groups),
            )


def _policies(
    one: Mapping[str, Any], inline: str, managed: Mapping[str, Any]
) -> list[Any]:
    return [
        *(policy["PolicyDocument"] for policy in one.get(inline, ())),
        *(
            managed[policy["PolicyArn"]]
            for policy in one.get("AttachedManagedPolicies", ())
            if policy["PolicyArn"] in managed
        ),
    ]
