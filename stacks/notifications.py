"""Who is told: one topic for engineers, one for stakeholders.

The alarms publish to the engineers' topic by themselves, without a function of ours.
"""

from __future__ import annotations

from aws_cdk import App
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions

from project.environment import Environment
from stacks.catflap_stack import CatflapStack


class NotificationsStack(CatflapStack):
    """The topics `engineers` and `stakeholders`, and who reads them by e-mail."""

    def __init__(
        self,
        app: App,
        *,
        environment: Environment,
        key: kms.IKey,
    ) -> None:
        super().__init__(
            app, "notifications", environment=environment, description="who is told"
        )
        teams = environment.teams.values()
        self.engineers = self._topic(
            "Engineers", key, {address for team in teams for address in team.engineers}
        )
        self.stakeholders = self._topic(
            "Stakeholders",
            key,
            {address for team in teams for address in team.stakeholders},
        )
        self.engineers.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsPublish",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.engineers.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )

    def _topic(self, name: str, key: kms.IKey, addresses: set[str]) -> sns.Topic:
        # A key of the account's own: an alarm cannot use the key alias/aws/sns.
        topic = sns.Topic(self, name, master_key=key, enforce_ssl=True)
        for address in sorted(addresses):
            topic.add_subscription(subscriptions.EmailSubscription(address))
        return topic
