"""Where rows land, what says so, and what is remembered about it.

Neither the topic's policy is here nor what the bucket tells the topic: a topic has one
policy, and Snowflake's user, whom it admits, is known only once the warehouse stack has
made the integration. Both stand there, once.
"""

from __future__ import annotations

from aws_cdk import App, Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns

from lambdas.core.dataset import Catalogue
from lambdas.core.landing.names import RAW, RUNS
from lambdas.core.names import event_bus_name, landing_bucket_name, state_table_name
from project.environment import Environment
from stacks.catflap_stack import CatflapStack
from stacks.constructs.expiry import expiry_rules
from stacks.constructs.nag import acknowledge

NOTIFIED_PREFIXES = (RAW, RUNS)
"""What Snowpipe loads: records, and the run files that say a run is complete."""


class LandingStack(CatflapStack):
    """Key, bucket, topic `landed`, state table and bus."""

    def __init__(
        self,
        app: App,
        *,
        environment: Environment,
        catalogue: Catalogue,
    ) -> None:
        super().__init__(
            app, "landing", environment=environment, description="where rows land"
        )
        # What holds data outlives its stack; but a first deploy that failed must leave
        # nothing, or the second finds its names taken.
        removal = (
            RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
            if environment.keep_data
            else RemovalPolicy.DESTROY
        )
        self.key = kms.Key(
            self,
            "Key",
            description="catflap: landed objects and topics",
            enable_key_rotation=True,
            removal_policy=removal,
        )
        self._admit_services_to_key()
        self.landed = sns.Topic(self, "Landed", master_key=self.key)
        self.bucket = self._make_bucket(environment, catalogue, removal)
        self.state = dynamodb.Table(
            self,
            "State",
            table_name=state_table_name(environment.name),
            partition_key=dynamodb.Attribute(
                name="pk", type=dynamodb.AttributeType.STRING
            ),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            time_to_live_attribute="expires_at",
            removal_policy=removal,
        )
        self.bus = events.EventBus(
            self,
            "Bus",
            event_bus_name=event_bus_name(environment.name),
            description="What catflap tells: dataset.landed, dataset.late, ...",
        )

    def _admit_services_to_key(self) -> None:
        """S3 and CloudWatch publish to topics that are encrypted with the key.

        SNS developer guide: "Enable compatibility between event sources from AWS
        services and encrypted topics".
        """
        for service in ("s3", "cloudwatch"):
            self.key.add_to_resource_policy(
                iam.PolicyStatement(
                    sid=f"Publish{service.capitalize()}",
                    principals=[iam.ServicePrincipal(f"{service}.amazonaws.com")],
                    actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                    resources=["*"],
                    conditions={"StringEquals": {"aws:SourceAccount": self.account}},
                )
            )

    def _make_bucket(
        self, environment: Environment, catalogue: Catalogue, removal: RemovalPolicy
    ) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "Bucket",
            bucket_name=landing_bucket_name(
                environment.name,
                account=environment.account,
                region=environment.region,
            ),
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self.key,
            bucket_key_enabled=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            # A name is never written twice: versions are for a deletion by mistake.
            versioned=True,
            removal_policy=removal,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="uploads-nobody-recorded",
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                ),
                s3.LifecycleRule(
                    id="what-was-deleted",
                    noncurrent_version_expiration=Duration.days(7),
                    expired_object_delete_marker=True,
                ),
                *expiry_rules(catalogue),
            ],
        )
        acknowledge(
            bucket,
            "AwsSolutions-S1",
            "One role writes here and the state records each run and object it wrote; "
            "reads are in CloudTrail's data events, an account's own choice",
        )
        return bucket
