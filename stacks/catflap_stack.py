"""What every stack has in common: its name, its account, its tags."""

from __future__ import annotations

from aws_cdk import App, DefaultStackSynthesizer, Stack, Tags
from aws_cdk import Environment as AwsEnvironment
from aws_cdk import aws_iam as iam

from project.environment import Environment


class CatflapStack(Stack):
    """A stack called `catflap-<environment>-<part>`."""

    def __init__(
        self, app: App, part: str, *, environment: Environment, description: str
    ) -> None:
        super().__init__(
            app,
            f"catflap-{environment.name}-{part}",
            description=f"catflap {environment.name}: {description}",
            env=AwsEnvironment(account=environment.account, region=environment.region),
            # The command line checks the bootstrap's version from the manifest.
            synthesizer=DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
        )
        if environment.permissions_boundary is not None:
            boundary = iam.ManagedPolicy.from_managed_policy_arn(
                self, "Boundary", environment.permissions_boundary
            )
            iam.PermissionsBoundary.of(self).apply(boundary)
        for name, value in sorted(environment.tags.items()):
            Tags.of(self).add(name, value)
