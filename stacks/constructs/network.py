"""Functions in a network of the account's own."""

from __future__ import annotations

from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from project.environment import Network


def join(function: lambda_.Function, role: iam.Role, network: Network) -> None:
    """Let the function's traffic leave by the subnets of `network`.

    Lambda makes network interfaces with the function's role, and these actions know no
    resource but `*` (Lambda, "Giving Lambda functions access to resources in an Amazon
    VPC"); the function's own code is refused them, as that page recommends.
    """
    actions = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
    ]
    role.add_to_policy(
        iam.PolicyStatement(sid="JoinNetwork", actions=actions, resources=["*"])
    )
    role.add_to_policy(
        iam.PolicyStatement(
            sid="NotByItsCode",
            effect=iam.Effect.DENY,
            actions=actions,
            resources=["*"],
            conditions={"Null": {"lambda:SourceFunctionArn": "false"}},
        )
    )
    template = function.node.default_child
    assert isinstance(template, lambda_.CfnFunction)  # noqa: S101 - narrows for mypy
    template.vpc_config = lambda_.CfnFunction.VpcConfigProperty(
        subnet_ids=list(network.subnets),
        security_group_ids=list(network.security_groups),
    )
