"""Snowflake's side, made in one deploy by a custom resource.

The order is Snowflake's own: an integration first, which says who will read the
bucket; then the role and the topic's policy that admit it; then stage, tables, pipes.
So there are custom resources of one function. The first gives functions the datasets:
if Snowflake refuses what follows, CloudFormation takes them back with it. The bucket's
notifications are one of them, since S3 tries the topic when they are set: set by the
bucket's own resource, they would ask for a policy before there is an integration, and a
topic whose policy is set twice loses one when the other is deleted or rolled back.
"""

from __future__ import annotations

from aws_cdk import App, CustomResource, Duration, RemovalPolicy
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from lambdas.core.custom_resource import (
    ACCESS_ROLE_ARN,
    CATALOGUE_STEP,
    CONTENTS,
    EVENTS_STEP,
    EXTERNAL_ID,
    IAM_USER_ARN,
    INTEGRATION_STEP,
    OBJECTS_STEP,
    PREFIXES,
    SNS_USER_ARN,
    SOURCE_BUCKET,
    SOURCE_KEY,
    STEP,
    setting_properties,
)
from lambdas.core.dataset import Catalogue, catalogue_key
from lambdas.core.names import EVENT_SOURCE, role_name
from lambdas.core.pull.column_events import COLUMNS_OBSERVED
from lambdas.core.settings import WarehouseSettings
from project.environment import Environment
from project.login import login_secrets, login_settings
from stacks.catflap_stack import CatflapStack
from stacks.constructs.bundle import Bundle, objects_digest
from stacks.constructs.catalogue_asset import catalogue_asset
from stacks.constructs.dead_letters import DeadLetters
from stacks.constructs.grants import (
    allow,
    keep_made,
    publish_catalogue,
    read_secrets,
    see_rollbacks,
    tell_of_objects,
)
from stacks.constructs.lambda_function import CatflapFunction
from stacks.constructs.nag import acknowledge_keys_below
from stacks.landing import NOTIFIED_PREFIXES, LandingStack
from stacks.notifications import NotificationsStack

TIMEOUT = Duration.minutes(15)
SERVICE_TIMEOUT = Duration.hours(1)
"""As long as CloudFormation waits at most. Lambda's own second and third try end before
(3 × 15 + 1 + 2 minutes), so that they go on where one invocation's time ended."""


class WarehouseStack(CatflapStack):
    """The function, the role Snowflake reads with, and what is made in Snowflake."""

    def __init__(
        self,
        app: App,
        *,
        environment: Environment,
        catalogue: Catalogue,
        bundle: Bundle,
        landing: LandingStack,
        notifications: NotificationsStack,
    ) -> None:
        super().__init__(
            app, "warehouse", environment=environment, description="Snowflake's side"
        )
        login = environment.snowflake.admin
        settings = WarehouseSettings(
            **login_settings(environment.snowflake, login),
            state_table=landing.state.table_name,
            landing_bucket=landing.bucket.bucket_name,
            catalogue_key=catalogue_key(),
            landed_topic_arn=landing.landed.topic_arn,
            reader_role=environment.snowflake.reader.role,
            repairer_role=environment.snowflake.repair_login.role,
        )
        failed_changes = DeadLetters(
            self,
            "FailedChanges",
            meaning="Changes of Snowflake's objects that failed: a deploy that ended "
            "without an answer to CloudFormation, or columns that a relation has not "
            "got yet. The function's log says why; the next deploy tries again.",
            engineers=notifications.engineers,
            fifo=False,
        ).queue
        warehouse = CatflapFunction(
            self,
            "Warehouse",
            environment=environment,
            slice_name="warehouse",
            description="Makes stages, tables, views and pipes in Snowflake",
            code=bundle.code(),
            settings=settings,
            timeout=TIMEOUT,
            memory_mib=512,
            failed_events=failed_changes,
            # Snowflake knows the admin by its role's name.
            role_name=role_name(environment.name, "warehouse"),
            feeds_itself=False,
        )
        read_secrets(warehouse.role, login_secrets(login), key=environment.secrets_key)
        keep_made(warehouse.role, landing.state)
        see_rollbacks(warehouse.role)
        tell_of_objects(warehouse.role, landing)
        self._remake_relations(landing, warehouse, failed_changes)
        asset = catalogue_asset(self, catalogue)
        publish_catalogue(warehouse.role, landing, asset)

        def resource(name: str, **properties: str) -> CustomResource:
            return CustomResource(
                self,
                name,
                resource_type=f"Custom::Catflap{name}",
                service_token=warehouse.function.function_arn,
                service_timeout=SERVICE_TIMEOUT,
                removal_policy=RemovalPolicy.DESTROY,
                properties={**setting_properties(settings), **properties},
            )

        published = resource(
            "Catalogue",
            **{
                STEP: CATALOGUE_STEP,
                SOURCE_BUCKET: asset.s3_bucket_name,
                SOURCE_KEY: asset.s3_object_key,
            },
        )
        # Named, so that the integration can be told of it before it exists.
        access_role_name = role_name(environment.name, "snowflake")
        integration = resource(
            "Integration",
            **{
                STEP: INTEGRATION_STEP,
                ACCESS_ROLE_ARN: self.format_arn(
                    service="iam",
                    region="",
                    resource="role",
                    resource_name=access_role_name,
                ),
            },
        )
        user_arn = integration.get_att_string(IAM_USER_ARN)
        access = self._access_role(
            access_role_name,
            landing,
            user_arn=user_arn,
            external_id=integration.get_att_string(EXTERNAL_ID),
        )
        topic_policy = sns.TopicPolicy(
            self,
            "LandedAccess",
            topics=[landing.landed],
            policy_document=iam.PolicyDocument(
                statements=_landed_statements(
                    landing.landed,
                    account=self.account,
                    subscriber_arn=integration.get_att_string(SNS_USER_ARN),
                )
            ),
        )
        # Deleted, it would set the topic back to SNS's own policy, which admits no S3
        # (AWS::SNS::TopicPolicy): a failed first deploy would deafen the pipes.
        topic_policy.apply_removal_policy(RemovalPolicy.RETAIN)
        events_of_objects = resource(
            "Events", **{STEP: EVENTS_STEP, PREFIXES: ",".join(NOTIFIED_PREFIXES)}
        )
        events_of_objects.node.add_dependency(topic_policy)
        objects = resource(
            "Objects", **{STEP: OBJECTS_STEP, CONTENTS: objects_digest(catalogue)}
        )
        objects.node.add_dependency(published, access, events_of_objects)

    def _remake_relations(
        self, landing: LandingStack, warehouse: CatflapFunction, failed: sqs.IQueue
    ) -> None:
        """Relations made of the data are made anew when its columns change."""
        # Not the CDK's own target: it names its permission after the environment.
        rule = events.CfnRule(
            self,
            "ColumnsObserved",
            description="Creates a relation again when its data has other columns",
            event_bus_name=landing.bus.event_bus_name,
            event_pattern={
                "account": [self.account],
                "source": [EVENT_SOURCE],
                "detail-type": [COLUMNS_OBSERVED],
            },
            targets=[
                events.CfnRule.TargetProperty(
                    id="Warehouse",
                    arn=warehouse.function.function_arn,
                    dead_letter_config=events.CfnRule.DeadLetterConfigProperty(
                        arn=failed.queue_arn
                    ),
                    retry_policy=events.CfnRule.RetryPolicyProperty(
                        maximum_event_age_in_seconds=6 * 3600,
                        maximum_retry_attempts=8,
                    ),
                )
            ],
        )
        by_rule = iam.ServicePrincipal("events.amazonaws.com")
        warehouse.function.add_permission(
            "ColumnsObserved", principal=by_rule, source_arn=rule.attr_arn
        )
        failed.add_to_resource_policy(
            iam.PolicyStatement(
                sid="UndeliverableEvents",
                principals=[by_rule],
                actions=["sqs:SendMessage"],
                resources=[failed.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": rule.attr_arn}},
            )
        )

    def _access_role(
        self, name: str, landing: LandingStack, *, user_arn: str, external_id: str
    ) -> iam.Role:
        """The role Snowflake takes to read what has landed."""
        role = iam.Role(
            self,
            "Access",
            role_name=name,
            assumed_by=iam.PrincipalWithConditions(
                iam.ArnPrincipal(user_arn),
                {"StringEquals": {"sts:ExternalId": external_id}},
            ),
            description="Lets Snowflake read what catflap has landed",
        )
        below = [f"{prefix}*" for prefix in NOTIFIED_PREFIXES]
        # The actions are Snowflake's own list ("Option 1: Configuring a Snowflake
        # storage integration to access Amazon S3"), reading only.
        allow(
            role,
            "ReadObjects",
            ["s3:GetObject", "s3:GetObjectVersion"],
            [landing.bucket.arn_for_objects(keys) for keys in below],
        )
        allow(
            role,
            "ListObjects",
            ["s3:ListBucket"],
            [landing.bucket.bucket_arn],
            conditions={
                "StringLike": {"s3:prefix": [f"{name}*" for name in NOTIFIED_PREFIXES]}
            },
        )
        allow(
            role, "LocateBucket", ["s3:GetBucketLocation"], [landing.bucket.bucket_arn]
        )
        allow(role, "Decrypt", ["kms:Decrypt"], [landing.key.key_arn])
        acknowledge_keys_below(
            role, landing, landing.bucket.bucket_arn, NOTIFIED_PREFIXES
        )
        return role


def _landed_statements(
    topic: sns.ITopic, *, account: str, subscriber_arn: str
) -> list[iam.PolicyStatement]:
    """The whole policy of the topic `landed`."""
    return [
        iam.PolicyStatement(
            sid="BucketPublishes",
            principals=[iam.ServicePrincipal("s3.amazonaws.com")],
            actions=["sns:Publish"],
            resources=[topic.topic_arn],
            conditions={"StringEquals": {"aws:SourceAccount": account}},
        ),
        iam.PolicyStatement(
            sid="OnlyOverTls",
            effect=iam.Effect.DENY,
            principals=[iam.StarPrincipal()],
            actions=["sns:Publish"],
            resources=[topic.topic_arn],
            conditions={"Bool": {"aws:SecureTransport": "false"}},
        ),
        iam.PolicyStatement(
            sid="SnowpipeSubscribes",
            principals=[iam.ArnPrincipal(subscriber_arn)],
            actions=["sns:Subscribe"],
            resources=[topic.topic_arn],
        ),
    ]
