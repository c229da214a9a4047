"""The pull function and the queues that wake it.

FIFO, one message group a dataset: a dataset is pulled by one function at a time, in
order, and datasets do not wait for each other. Backfills have a queue of their own,
one message group a slice, and an event source that bounds them: however many slices
wait, live pulls do not wait for them.
"""

from __future__ import annotations

from aws_cdk import App, Duration
from aws_cdk import aws_sqs as sqs

from lambdas.core.dataset import Catalogue, catalogue_key
from lambdas.core.names import backfills_queue_name, pulls_queue_name
from lambdas.core.settings import PullSettings
from project.environment import Environment
from stacks.catflap_stack import CatflapStack
from stacks.constructs.bundle import PULL
from stacks.constructs.dead_letters import DeadLetters
from stacks.constructs.grants import (
    keep_pulled,
    land_objects,
    read_catalogue,
    read_secrets,
    renewed_names,
    secret_names,
    write_secrets,
)
from stacks.constructs.lambda_function import CatflapFunction
from stacks.landing import LandingStack
from stacks.notifications import NotificationsStack

PULL_TIMEOUT = Duration.minutes(15)
"""The longest there is; a pull that nears it commits and queues its continuation."""

VISIBILITY_TIMEOUT = Duration.minutes(90)
"""Six times the function's (Lambda, "Using Lambda with Amazon SQS"); the function
shortens its own message's, so that a killed one does not block its dataset."""

MAX_RECEIVES = 5
PULL_MEMORY_MIB = 1769
"""One whole processor (Lambda, "Configure function memory")."""


class IngestionStack(CatflapStack):
    """`pulls` and `backfills`, their dead letters, the pull function, lost ticks."""

    def __init__(
        self,
        app: App,
        *,
        environment: Environment,
        catalogue: Catalogue,
        landing: LandingStack,
        notifications: NotificationsStack,
    ) -> None:
        super().__init__(
            app, "ingestion", environment=environment, description="what pulls"
        )
        dead_pulls = DeadLetters(
            self,
            "DeadPulls",
            meaning="Pulls that failed again and again. `catflap runs NAME` says why; "
            "then `catflap replay NAME`.",
            engineers=notifications.engineers,
            fifo=True,
        )
        self.lost_ticks = DeadLetters(
            self,
            "LostTicks",
            meaning="EventBridge Scheduler could not queue a pull. Its message holds "
            "the error; the dataset's next tick catches up.",
            engineers=notifications.engineers,
            fifo=False,
        ).queue
        dead_backfills = DeadLetters(
            self,
            "DeadBackfills",
            meaning="Slices of a backfill that failed again and again on our side. The "
            "pull function's log says why; then the same `catflap backfill` goes on.",
            engineers=notifications.engineers,
            fifo=True,
        )
        self.pulls = self._queue(
            "Pulls", dead_pulls, name=pulls_queue_name(environment.name)
        )
        self.backfills = self._queue(
            "Backfills", dead_backfills, name=backfills_queue_name(environment.name)
        )
        pull = CatflapFunction(
            self,
            "Pull",
            environment=environment,
            slice_name="pull",
            description="Pulls one dataset from its API to the landing zone",
            code=PULL.code(),
            settings=PullSettings(
                state_table=landing.state.table_name,
                landing_bucket=landing.bucket.bucket_name,
                catalogue_key=catalogue_key(),
                pulls_queue_url=self.pulls.queue_url,
                backfills_queue_url=self.backfills.queue_url,
                event_bus=landing.bus.event_bus_name,
                allowed_origins=environment.allowed_origins_json(catalogue),
            ),
            timeout=PULL_TIMEOUT,
            memory_mib=PULL_MEMORY_MIB,
            failed_events=None,
            role_name=None,
            feeds_itself=True,
        )
        # Lambda takes and deletes messages with the function's role; the function
        # itself hides its message, and queues the rest of a long pull.
        for construct_id, queue, concurrency in (
            ("Source", self.pulls, environment.max_concurrent_pulls),
            ("BackfillSource", self.backfills, environment.max_concurrent_backfills),
        ):
            queue.grant(
                pull.role,
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:ChangeMessageVisibility",
                "sqs:SendMessage",
            )
            pull.function.add_event_source_mapping(
                construct_id,
                event_source_arn=queue.queue_arn,
                batch_size=1,
                # Not a reserved concurrency, which sends good messages to the dead.
                max_concurrency=concurrency,
                report_batch_item_failures=True,
            ).node.add_dependency(pull.role)
        land_objects(pull.role, landing)
        read_catalogue(pull.role, landing)
        keep_pulled(pull.role, landing.state)
        read_secrets(pull.role, secret_names(catalogue), key=environment.secrets_key)
        write_secrets(pull.role, renewed_names(catalogue), key=environment.secrets_key)
        landing.bus.grant_put_events_to(pull.role)

    def _queue(self, construct_id: str, dead: DeadLetters, *, name: str) -> sqs.Queue:
        """A queue that feeds the pull function; commands find it by its name."""
        return sqs.Queue(
            self,
            construct_id,
            queue_name=name,
            fifo=True,
            # Scheduler sends no deduplication id of its own.
            content_based_deduplication=True,
            visibility_timeout=VISIBILITY_TIMEOUT,
            retention_period=Duration.days(4),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            dead_letter_queue=sqs.DeadLetterQueue(
                max_receive_count=MAX_RECEIVES, queue=dead.queue
            ),
        )
