"""What wakes a function every few minutes, and where a tick goes that nobody took."""

from __future__ import annotations

import json
from collections.abc import Mapping

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.constructs.lambda_function import CatflapFunction
from stacks.schedules import SCHEDULED_TIME


def wake_every(
    scope: Construct,
    construct_id: str,
    *,
    every: Duration,
    function: CatflapFunction,
    description: str,
    dead_letters: sqs.IQueue,
) -> iam.Role:
    """A schedule of whole minutes, and the role that it wakes `function` by.

    A tick that is not taken before the next one is given up: the next does its work.
    """
    role = iam.Role(
        scope,
        "SchedulerRole",
        assumed_by=iam.ServicePrincipal(
            "scheduler.amazonaws.com",
            conditions={"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}},
        ),
        description=f"What EventBridge Scheduler may do. {description}",
    )
    role.add_to_policy(
        iam.PolicyStatement(
            actions=["lambda:InvokeFunction"],
            resources=[function.function.function_arn],
        )
    )
    role.add_to_policy(
        iam.PolicyStatement(
            actions=["sqs:SendMessage"], resources=[dead_letters.queue_arn]
        )
    )
    minutes = int(every.to_minutes())
    _schedule(
        scope,
        construct_id,
        expression=f"rate({minutes} minute{'s' if minutes > 1 else ''})",
        says={"reason": "schedule"},
        tried_for=max(Duration.minutes(1), every, key=Duration.to_seconds),
        role=role,
        function=function,
        description=description,
        dead_letters=dead_letters,
    )
    return role


def wake_at(
    scope: Construct,
    construct_id: str,
    *,
    at: str,
    timezone: str,
    day_of_month: int | None = None,
    day_of_week: str | None = None,
    says: Mapping[str, str],
    role: iam.Role,
    function: CatflapFunction,
    description: str,
    dead_letters: sqs.IQueue,
) -> None:
    """A schedule of every day at `at` (`HH:MM`) on a zone's clock, or of one day of
    every month or week (`MON`).
    """
    hour, minute = map(int, at.split(":"))
    days = f"? * {day_of_week}" if day_of_week else f"{day_of_month or '*'} * ?"
    _schedule(
        scope,
        construct_id,
        expression=f"cron({minute} {hour} {days} *)",
        timezone=timezone,
        says=says,
        tried_for=Duration.hours(12),
        role=role,
        function=function,
        description=description,
        dead_letters=dead_letters,
    )


def _schedule(
    scope: Construct,
    construct_id: str,
    *,
    expression: str,
    says: Mapping[str, str],
    tried_for: Duration,
    role: iam.Role,
    function: CatflapFunction,
    description: str,
    dead_letters: sqs.IQueue,
    timezone: str | None = None,
) -> None:
    schedule = scheduler.CfnSchedule(
        scope,
        construct_id,
        description=description,
        flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(
            mode="OFF"
        ),
        schedule_expression=expression,
        schedule_expression_timezone=timezone,
        target=scheduler.CfnSchedule.TargetProperty(
            arn=function.function.function_arn,
            role_arn=role.role_arn,
            input=json.dumps({**says, "due_at": SCHEDULED_TIME}),
            retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                maximum_event_age_in_seconds=int(tried_for.to_seconds()),
                maximum_retry_attempts=2,
            ),
            dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(
                arn=dead_letters.queue_arn
            ),
        ),
    )
    # Created before its role may invoke, it would lose its first tick.
    schedule.node.add_dependency(role.node.find_child("DefaultPolicy"))
