"""The one place where a function's runtime, logs, tracing and last resort are decided.

A stack says what a function needs to know (its typed settings), how long it may take
and how much memory it has; what it may do is granted in `stacks.constructs.grants`.
"""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from lambdas.core.settings import FunctionSettings
from project.environment import Environment
from stacks.constructs.nag import acknowledge
from stacks.constructs.network import join

RUNTIME = lambda_.Runtime.PYTHON_3_13
ARCHITECTURE = lambda_.Architecture.ARM_64

_RETENTION = {
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
}


class CatflapFunction(Construct):
    """A function of the slice `slice_name`, with a role and a log group of its own.

    `role_name` is set only where Snowflake must know the role. `failed_events` takes
    what an asynchronous invocation could not do; a function that is fed by a queue
    leaves it to the queue's own dead letters. `at_once` bounds its invocations.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        slice_name: str,
        description: str,
        code: lambda_.Code,
        settings: FunctionSettings,
        timeout: Duration,
        memory_mib: int,
        failed_events: sqs.IQueue | None,
        role_name: str | None,
        feeds_itself: bool,
        at_once: int | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.slice_name, self.timeout = slice_name, timeout
        log_group = logs.LogGroup(
            self,
            "Logs",
            retention=_RETENTION[environment.log_retention_days],
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.role = iam.Role(
            self,
            "Role",
            role_name=role_name,
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"What catflap's {slice_name} function may do",
        )
        log_group.grant_write(self.role)
        self.function = lambda_.Function(
            self,
            "Function",
            description=description,
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
            handler=f"lambdas.{slice_name}.handler.handle",
            code=code,
            role=self.role,
            timeout=timeout,
            memory_size=memory_mib,
            environment=settings.to_environment(),
            log_group=log_group,
            tracing=lambda_.Tracing.ACTIVE,
            dead_letter_queue=failed_events,
            reserved_concurrent_executions=at_once,
            # Lambda ends a loop through SQS after about 16 hops; the function bounds
            # its own continuations.
            recursive_loop=lambda_.RecursiveLoop.ALLOW if feeds_itself else None,
        )
        if environment.network.vpc is not None:
            join(self.function, self.role, environment.network)
        acknowledge(
            self.role,
            "AwsSolutions-IAM5[Resource::*]",
            "X-Ray's PutTraceSegments and PutTelemetryRecords know no resource",
        )
        acknowledge(
            self.function,
            "AwsSolutions-L1",
            "3.13 lives as long as 3.14, to June 2029, and every package we lock has "
            "wheels for it",
        )
