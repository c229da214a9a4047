"""A queue for what could not be done, and the alarm that says so.

One alarm a queue, on the queue's own metric: it works when none of our code does.
"""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.constructs.nag import acknowledge

RETENTION = Duration.days(14)
"""The longest there is (SQS, MessageRetentionPeriod)."""


class DeadLetters(Construct):
    """A dead-letter queue; `meaning` says to an engineer what lies in it."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        meaning: str,
        engineers: sns.ITopic,
        fifo: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        self.queue = sqs.Queue(
            self,
            "Queue",
            fifo=True if fifo else None,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=RETENTION,
        )
        acknowledge(
            self.queue, "AwsSolutions-SQS3", "this is where dead letters are kept"
        )
        alarm = cloudwatch.Alarm(
            self,
            "Alarm",
            alarm_description=meaning,
            metric=self.queue.metric_approximate_number_of_messages_visible(
                period=Duration.minutes(5), statistic="Maximum"
            ),
            threshold=1,
            evaluation_periods=1,
            comparison_operator=(
                cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
            ),
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(engineers))
