"""The freshness function, what wakes it, and who watches it.

The heartbeat's alarm publishes to the engineers by itself: it works when the function,
the state and Slack do not.
"""

from __future__ import annotations

from aws_cdk import App, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions

from lambdas.core.dataset import Catalogue, catalogue_key
from lambdas.core.names import role_name, schedule_prefix
from lambdas.core.settings import FreshnessSettings
from project.environment import Environment
from project.login import login_secrets, login_settings
from stacks.catflap_stack import CatflapStack
from stacks.constructs.bundle import Bundle
from stacks.constructs.dead_letters import DeadLetters
from stacks.constructs.grants import (
    finish_runs,
    keep_incidents,
    keep_runs,
    look_at_schedules,
    publish_notices,
    read_catalogue,
    read_secrets,
    renewed_names,
    secret_names,
    write_secrets,
)
from stacks.constructs.lambda_function import CatflapFunction
from stacks.constructs.wake_up import wake_every
from stacks.landing import LandingStack
from stacks.notifications import NotificationsStack

HEARTBEAT_NAMESPACE = "catflap"
HEARTBEAT_METRIC = "CatflapHeartbeat"
MISSED_CHECKS = 3


class FreshnessStack(CatflapStack):
    """A check every few minutes, and an alarm when checks stop."""

    def __init__(
        self,
        app: App,
        *,
        environment: Environment,
        bundle: Bundle,
        catalogue: Catalogue,
        landing: LandingStack,
        notifications: NotificationsStack,
    ) -> None:
        super().__init__(
            app, "freshness", environment=environment, description="what checks"
        )
        every = Duration.minutes(environment.check_every_minutes)
        failed_checks = DeadLetters(
            self,
            "FailedChecks",
            meaning="Freshness checks that failed. The function's log says why; the "
            "next check checks everything again.",
            engineers=notifications.engineers,
            fifo=False,
        ).queue
        login = environment.snowflake.reader
        freshness = CatflapFunction(
            self,
            "Freshness",
            environment=environment,
            slice_name="freshness",
            description="Says which dataset is late, and where it stopped",
            code=bundle.code(),
            settings=FreshnessSettings(
                **login_settings(environment.snowflake, login),
                state_table=landing.state.table_name,
                landing_bucket=landing.bucket.bucket_name,
                catalogue_key=catalogue_key(),
                event_bus=landing.bus.event_bus_name,
                engineers_topic_arn=notifications.engineers.topic_arn,
                stakeholders_topic_arn=notifications.stakeholders.topic_arn,
                channels=environment.channels_json,
                digests=environment.digests_json,
                environment_name=environment.name,
                runbook_url=environment.runbook_url,
                repository_url=environment.repository_url,
                check_every_s=environment.check_every_minutes * 60,
                allowed_origins=environment.allowed_origins_json(catalogue),
            ),
            timeout=Duration.minutes(min(15, max(5, environment.check_every_minutes))),
            memory_mib=512,
            failed_events=failed_checks,
            # Snowflake knows the reader by its role's name.
            role_name=role_name(environment.name, "freshness"),
            feeds_itself=False,
        )
        role = freshness.role
        keep_runs(role, landing.state)
        keep_incidents(role, landing.state)
        # The sweep completes what a crashed pull had recorded.
        finish_runs(role, landing)
        read_catalogue(role, landing)
        publish_notices(role, notifications.engineers, notifications.stakeholders)
        landing.bus.grant_put_events_to(role)
        look_at_schedules(role, schedule_prefix(environment.name))
        # It asks upstream for its newest record, as a pull would.
        secrets = {
            *secret_names(catalogue),
            *login_secrets(login),
            *environment.channel_secrets.values(),
        }
        read_secrets(role, sorted(secrets), key=environment.secrets_key)
        write_secrets(role, renewed_names(catalogue), key=environment.secrets_key)
        wake_every(
            self,
            "Check",
            every=every,
            function=freshness,
            description="Checks the freshness of every dataset that can be late",
            dead_letters=failed_checks,
        )
        self._watch_heartbeat(environment, notifications)

    def _watch_heartbeat(
        self, environment: Environment, notifications: NotificationsStack
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            "Heartbeat",
            alarm_description="No freshness check has finished for "
            f"{MISSED_CHECKS * environment.check_every_minutes} minutes: nobody would "
            "be told that data is late. Look at the freshness function's log.",
            metric=cloudwatch.Metric(
                namespace=HEARTBEAT_NAMESPACE,
                metric_name=HEARTBEAT_METRIC,
                statistic="SampleCount",
                period=Duration.minutes(environment.check_every_minutes),
            ),
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            evaluation_periods=MISSED_CHECKS,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(notifications.engineers))
        alarm.add_ok_action(actions.SnsAction(notifications.engineers))
