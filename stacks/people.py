"""What people do from Slack: a function URL that verifies and queues, and a function
that does what was asked.

Two functions: the one that anybody may call can read one secret and write to one queue,
and nothing else.
"""

from __future__ import annotations

from aws_cdk import App, CfnOutput, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from lambdas.core.dataset import catalogue_key
from lambdas.core.names import SLACK_URL
from lambdas.core.settings import PeopleSettings, SlackSettings
from project.environment import Environment
from stacks.catflap_stack import CatflapStack
from stacks.constructs.bundle import PEOPLE
from stacks.constructs.dead_letters import DeadLetters
from stacks.constructs.grants import allow, keep_edits, read_catalogue, read_secrets
from stacks.constructs.lambda_function import CatflapFunction
from stacks.landing import LandingStack
from stacks.notifications import NotificationsStack

AT_ONCE = 5
"""Requests answered at a time: it bounds what a flood costs, and what it takes away
from the account's other functions."""
WORK_TIMEOUT = Duration.minutes(2)


class PeopleStack(CatflapStack):
    """The URL that Slack calls, its queue, and who works it off."""

    def __init__(
        self,
        app: App,
        *,
        environment: Environment,
        landing: LandingStack,
        notifications: NotificationsStack,
        pulls: sqs.Queue,
    ) -> None:
        super().__init__(
            app, "people", environment=environment, description="what people do"
        )
        self._notifications = notifications
        queue = self._queue()
        self._front(environment, queue)
        self._worker(environment, queue, landing=landing, pulls=pulls)

    def _queue(self) -> sqs.Queue:
        dead = DeadLetters(
            self,
            "DeadRequests",
            meaning="What a person asked for in Slack failed again and again. The "
            "people function's log says why; `catflap incident` does the same.",
            engineers=self._notifications.engineers,
            fifo=True,
        )
        return sqs.Queue(
            self,
            "Requests",
            fifo=True,
            visibility_timeout=Duration.minutes(12),
            retention_period=Duration.days(1),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            dead_letter_queue=sqs.DeadLetterQueue(
                max_receive_count=5, queue=dead.queue
            ),
        )

    def _front(self, environment: Environment, queue: sqs.Queue) -> None:
        secret = environment.channel_secrets["slack"]
        front = CatflapFunction(
            self,
            "Slack",
            environment=environment,
            slice_name="slack",
            description="Verifies what Slack sends, and queues it",
            code=PEOPLE.code(),
            settings=SlackSettings(
                slack_secret=secret, people_queue_url=queue.queue_url
            ),
            timeout=Duration.seconds(10),
            # A whole processor: three seconds include a cold start.
            memory_mib=1769,
            failed_events=None,
            role_name=None,
            feeds_itself=False,
            at_once=AT_ONCE,
        )
        read_secrets(front.role, [secret], key=environment.secrets_key)
        queue.grant(front.role, "sqs:SendMessage")
        url = front.function.add_function_url(
            auth_type=lambda_.FunctionUrlAuthType.NONE
        )
        CfnOutput(self, SLACK_URL, value=url.url)
        self._watch(front)

    def _worker(
        self,
        environment: Environment,
        queue: sqs.Queue,
        *,
        landing: LandingStack,
        pulls: sqs.Queue,
    ) -> None:
        people = CatflapFunction(
            self,
            "People",
            environment=environment,
            slice_name="people",
            description="Does what people asked for in Slack",
            code=PEOPLE.code(),
            settings=PeopleSettings(
                state_table=landing.state.table_name,
                landing_bucket=landing.bucket.bucket_name,
                catalogue_key=catalogue_key(),
                pulls_queue_url=pulls.queue_url,
                channels=environment.channels_json,
            ),
            timeout=WORK_TIMEOUT,
            memory_mib=512,
            failed_events=None,
            role_name=None,
            feeds_itself=False,
        )
        queue.grant(
            people.role,
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
        )
        pulls.grant(people.role, "sqs:SendMessage")
        people.function.add_event_source_mapping(
            "Source",
            event_source_arn=queue.queue_arn,
            batch_size=1,
            max_concurrency=2,
            report_batch_item_failures=True,
        ).node.add_dependency(people.role)
        keep_edits(people.role, landing.state)
        read_catalogue(people.role, landing)
        allow(people.role, "UseKey", ["kms:Decrypt"], [landing.key.key_arn])
        read_secrets(
            people.role,
            [environment.channel_secrets["slack"]],
            key=environment.secrets_key,
        )

    def _watch(self, front: CatflapFunction) -> None:
        """Slack shows a person that a click failed, and nobody else."""
        alarm = cloudwatch.Alarm(
            self,
            "FailedClicks",
            alarm_description="Clicks in Slack are not taken. The slack function's log "
            "says why; `catflap incident` does the same.",
            metric=cloudwatch.Metric(
                namespace="AWS/Lambda",
                metric_name="Url5xxCount",
                dimensions_map={"FunctionName": front.function.function_name},
                statistic="Sum",
                period=Duration.minutes(5),
            ),
            threshold=1,
            evaluation_periods=1,
            comparison_operator=(
                cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
            ),
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self._notifications.engineers))
