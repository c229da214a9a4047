"""One schedule a dataset, and nothing else of a dataset's in any template.

A stack takes 500 resources, so schedules are spread over a number of stacks that is
fixed per environment; which one is a hash of the name, so that a new dataset moves
no other.
"""

from __future__ import annotations

import json

from aws_cdk import App
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from lambdas.core.dataset import Dataset
from lambdas.core.names import schedule_prefix
from lambdas.core.schedule.expressions import expression
from project.environment import Environment
from stacks.catflap_stack import CatflapStack

SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"
"""Replaced by EventBridge Scheduler; the same for every attempt, unlike the execution
id, so that a repeated tick is the same message."""


class SchedulesStack(CatflapStack):
    """The schedules of `datasets`, sending to the queue `pulls`."""

    def __init__(
        self,
        app: App,
        *,
        number: int,
        environment: Environment,
        datasets: list[Dataset],
        pulls: sqs.IQueue,
        lost_ticks: sqs.IQueue,
    ) -> None:
        super().__init__(
            app,
            f"schedules-{number}",
            environment=environment,
            description="when datasets are pulled",
        )
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            ),
            description="Lets EventBridge Scheduler queue pulls",
        )
        pulls.grant(role, "sqs:SendMessage")
        lost_ticks.grant(role, "sqs:SendMessage")
        # A scope of their own: at the top level `a_b` and `ab` would be one id.
        ticks = Construct(self, "Ticks")
        for dataset in datasets:
            schedule = scheduler.CfnSchedule(
                ticks,
                dataset.name,
                name=f"{schedule_prefix(environment.name)}{dataset.name}",
                description=f"Pulls {dataset.name}",
                flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(
                    mode="OFF"
                ),
                state="DISABLED" if dataset.schedule.paused else "ENABLED",
                schedule_expression=expression(dataset.schedule),
                schedule_expression_timezone=dataset.schedule.timezone,
                target=scheduler.CfnSchedule.TargetProperty(
                    arn=pulls.queue_arn,
                    role_arn=role.role_arn,
                    input=json.dumps(
                        {
                            "dataset": dataset.name,
                            "reason": "schedule",
                            "due_at": SCHEDULED_TIME,
                        }
                    ),
                    sqs_parameters=scheduler.CfnSchedule.SqsParametersProperty(
                        message_group_id=dataset.name
                    ),
                    retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                        maximum_event_age_in_seconds=86_400,
                        maximum_retry_attempts=185,
                    ),
                    dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(
                        arn=lost_ticks.queue_arn
                    ),
                ),
            )
            # Created before its role may send, it would lose its first tick.
            schedule.node.add_dependency(role.node.find_child("DefaultPolicy"))
