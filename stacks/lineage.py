"""The function that tells a lineage service of runs, where there is one.

The rule tries each event once more if the function was throttled, and no more: nobody
waits for these.
"""

from __future__ import annotations

from aws_cdk import App, Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam

from lambdas.core.dataset import catalogue_key
from lambdas.core.lineage.documents import HEARD
from lambdas.core.names import EVENT_SOURCE
from lambdas.core.settings import LineageSettings
from project.environment import Environment
from stacks.catflap_stack import CatflapStack
from stacks.constructs.bundle import LOCK, Bundle
from stacks.constructs.dead_letters import DeadLetters
from stacks.constructs.grants import allow, read_catalogue, read_secrets
from stacks.constructs.lambda_function import CatflapFunction
from stacks.landing import LandingStack
from stacks.notifications import NotificationsStack


class LineageStack(CatflapStack):
    """From the bus to a lineage service."""

    def __init__(
        self,
        app: App,
        *,
        environment: Environment,
        landing: LandingStack,
        notifications: NotificationsStack,
    ) -> None:
        super().__init__(
            app, "lineage", environment=environment, description="what tells lineage"
        )
        secret = environment.openlineage.secret
        failed = DeadLetters(
            self,
            "FailedEvents",
            meaning="Events that the lineage function could not read. Its log says "
            "why; the lineage service lacks them, and nothing else does.",
            engineers=notifications.engineers,
            fifo=False,
        ).queue
        lineage = CatflapFunction(
            self,
            "Lineage",
            environment=environment,
            slice_name="lineage",
            description="Tells a lineage service of runs",
            code=Bundle(slices=("lineage",), lock=LOCK).code(),
            settings=LineageSettings(
                landing_bucket=landing.bucket.bucket_name,
                catalogue_key=catalogue_key(),
                environment_name=environment.name,
                snowflake_account=environment.snowflake.account,
                snowflake_database=environment.snowflake.database,
                lineage_url=environment.openlineage.url or "",
                lineage_secret=secret,
            ),
            timeout=Duration.minutes(1),
            memory_mib=256,
            failed_events=failed,
            role_name=None,
            feeds_itself=False,
        )
        read_catalogue(lineage.role, landing)
        allow(lineage.role, "UseKey", ["kms:Decrypt"], [landing.key.key_arn])
        read_secrets(
            lineage.role,
            [] if secret is None else [secret],
            key=environment.secrets_key,
        )
        rule = events.CfnRule(
            self,
            "Runs",
            description="Runs, loads and checks, for the lineage service",
            event_bus_name=landing.bus.event_bus_name,
            event_pattern={
                "account": [self.account],
                "source": [EVENT_SOURCE],
                "detail-type": [*HEARD],
            },
            targets=[
                events.CfnRule.TargetProperty(
                    id="Lineage",
                    arn=lineage.function.function_arn,
                    retry_policy=events.CfnRule.RetryPolicyProperty(
                        maximum_event_age_in_seconds=600, maximum_retry_attempts=1
                    ),
                )
            ],
        )
        lineage.function.add_permission(
            "Runs",
            principal=iam.ServicePrincipal("events.amazonaws.com"),
            source_arn=rule.attr_arn,
        )
