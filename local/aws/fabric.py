"""What AWS does between the resources, and no stand-in does: schedules tick, queues
feed functions, failed events are tried again, Snowpipe is told of objects.

Time is the caller's: `tick(now)` fires what is due, `drain(now)` lets everything
happen that follows. The clocks of the embedded AWS and Snowflake are set by whoever
calls, when nothing is in flight.
"""

from __future__ import annotations

import heapq
import json
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from botocore.exceptions import ClientError

from lambdas.core.schedule.expressions import next_due
from local.aws.cloud import Cloud
from local.aws.deploy import Deployment
from local.aws.invoke import LAMBDA, DeployedFunction, FunctionError, FunctionHost
from local.aws.poller import MAX_RECEIVED_AT_ONCE, Feed, Poller, queue_url
from local.aws.resources.messages import DeployedSchedule
from local.aws.strict.policy import Call, Decision, Document, decide

SCHEDULER = "scheduler.amazonaws.com"
SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"

RETRY_AFTER = (timedelta(minutes=1), timedelta(minutes=2))
"""Lambda developer guide, "How Lambda handles errors and retries with asynchronous
invocation": a minute before the second attempt, two before the third."""

MAX_ROUNDS = 1000
"""Of a drain. More is a loop that feeds itself."""


class Snowpipe(Protocol):
    """Whatever loads the objects that the bucket has told of."""

    queue: str
    """The name of the queue on which it is told."""

    def deliver(self, *, is_told: bool) -> int:
        """Load what waits; how many files. Unless `is_told`, its queue is empty."""


class NeverQuiet(Exception):
    """A drain did not come to an end; the text says what still happens."""


@dataclass(slots=True, kw_only=True)
class Counters:
    """What has happened since the fabric was made."""

    wake_ups: int = 0
    """Schedules that fired."""
    messages: int = 0
    """Messages delivered to functions."""
    invocations: int = 0
    errors: int = 0
    """Invocations that failed."""
    dead_letters: int = 0
    """Ticks and events given up; a queue's own redrive is SQS's."""
    files: int = 0
    """Files that Snowpipe loaded."""


@dataclass(order=True, slots=True)
class _Event:
    """An asynchronous invocation that waits for its time."""

    due: datetime
    number: int
    function: DeployedFunction = field(compare=False)
    payload: Mapping[str, Any] = field(compare=False)
    failures: int = field(compare=False, default=0)


class Fabric:
    """Drives one deployment.

    With `duplicate_messages`, every message is delivered to its function twice; S3's
    events are doubled by `Cloud.duplicate_events`.
    """

    def __init__(
        self,
        *,
        cloud: Cloud,
        deployment: Deployment,
        host: FunctionHost,
        snowpipe: Snowpipe | None = None,
        started_at: datetime,
        duplicate_messages: bool = False,
        max_parallel: int = 4,
    ) -> None:
        self.counters = Counters()
        self._cloud = cloud
        self._deployment = deployment
        self._host = host
        self._snowpipe = snowpipe
        self._ticked_until = started_at
        self._duplicate_messages = duplicate_messages
        self._max_parallel = max_parallel
        self._events: list[_Event] = []
        self._numbers = 0
        self._roles: dict[str, list[Document]] = {}
        self._lock = threading.Lock()

    def tick(self, now: datetime) -> int:
        """Fire each schedule that became due, in order of time; how many that were."""
        due: list[tuple[datetime, str, DeployedSchedule]] = []
        for schedule in self._deployment.schedules:
            if not schedule.enabled:
                continue
            at = self._ticked_until
            while True:
                found = next_due(schedule.expression, schedule.timezone, at)
                if found is None or found > now:
                    break
                at = found
                due.append((at, schedule.name, schedule))
        due.sort(key=lambda one: one[:2])
        for at, _, schedule in due:
            self._fire(schedule, at, now)
        self._ticked_until = now
        return len(due)

    def next_tick(self) -> datetime | None:
        """When the next schedule is due, if any is."""
        found = [
            next_due(one.expression, one.timezone, self._ticked_until)
            for one in self._deployment.schedules
            if one.enabled
        ]
        return min((one for one in found if one is not None), default=None)

    def next_due(self) -> datetime | None:
        """When a schedule, an event's next try or a message is due."""
        feeding = {
            one.queue_arn.rpartition(":")[2]
            for one in self._deployment.event_sources
            if one.enabled
        }
        hidden = self._cloud.hidden_messages()
        found = [self.next_tick(), *(hidden.get(name) for name in feeding)]
        if self._events:
            found.append(self._events[0].due)
        # AWS hides a message for whole milliseconds.
        later = self._ticked_until + timedelta(milliseconds=1)
        return min((max(at, later) for at in found if at is not None), default=None)

    def drain(self, now: datetime) -> None:
        """Let everything happen that is due at `now`, until nothing more does.

        Raises NeverQuiet.
        """
        started = time.monotonic()

        def at() -> datetime:
            return now + timedelta(seconds=time.monotonic() - started)

        files = 0
        for number in range(MAX_ROUNDS):
            if number and not files and self._is_quiet(now):
                return
            # First, so that what they send is polled in the same round.
            self._run_events(at, now)
            happened = self._poll(at)
            waiting = self._cloud.waiting_queues()
            happened += self._take_events(now, waiting)
            if self._snowpipe is not None:
                is_told = self._snowpipe.queue in waiting
                files = self._snowpipe.deliver(is_told=is_told)
                self.counters.files += files
                happened += files
            if not happened:
                return
        raise NeverQuiet(
            f"something still happens after {MAX_ROUNDS} rounds: {self.counters}"
        )

    def _is_quiet(self, now: datetime) -> bool:
        """Whether nothing is due, and no queue has anything to give."""
        is_due = bool(self._events) and self._events[0].due <= now
        return not is_due and not self._cloud.waiting_queues()

    def invoke_later(
        self, function: DeployedFunction, payload: Mapping[str, Any], *, at: datetime
    ) -> None:
        """Invoke asynchronously: a failure is tried twice more, then a dead letter."""
        self._numbers += 1
        heapq.heappush(self._events, _Event(at, self._numbers, function, payload))

    def _fire(self, schedule: DeployedSchedule, due: datetime, now: datetime) -> None:
        self.counters.wake_ups += 1
        target = schedule.target
        scheduled = due.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        text = target.input.replace(SCHEDULED_TIME, scheduled)
        try:
            if ":sqs:" in target.arn:
                group = target.message_group_id
                self._role(target.role_arn, "sqs").send_message(
                    QueueUrl=queue_url(self._cloud, target.arn),
                    MessageBody=text,
                    **({"MessageGroupId": group} if group else {}),
                )
            else:
                function = self._function(target.arn)
                self._may_invoke(target.role_arn, function.arn)
                self.invoke_later(function, json.loads(text), at=now)
        except (ClientError, _MayNot) as refused:
            self.counters.dead_letters += 1
            if target.dead_letters is None:
                raise
            self._role(target.role_arn, "sqs").send_message(
                QueueUrl=queue_url(self._cloud, target.dead_letters),
                MessageBody=text,
                MessageAttributes=_text_attributes(
                    ERROR_CODE=_code(refused), ERROR_MESSAGE=str(refused)
                ),
            )

    def _role(self, role_arn: str | None, service: str) -> Any:  # noqa: ANN401 - boto3's clients have no common type
        if role_arn is None:
            return self._cloud.client(service)
        return self._cloud.role_client(role_arn, service, principal=SCHEDULER)

    def _may_invoke(self, role_arn: str | None, function_arn: str) -> None:
        """The stand-in has no functions: their one permission is decided here."""
        if role_arn is None:
            return
        context = {"aws:sourceaccount": [self._cloud.account]}
        call = Call(
            action="lambda:InvokeFunction", resource=function_arn, context=context
        )
        if decide(self._policies(role_arn), call) is not Decision.ALLOWED:
            raise _MayNot(
                f"{role_arn} is not authorized to perform: {call.action} on resource: "
                f"{function_arn}"
            )

    def _policies(self, role_arn: str) -> list[Document]:
        """A scheduler's policies, as they were when it first fired."""
        if role_arn not in self._roles:
            self._roles[role_arn] = self._read_policies(role_arn)
        return self._roles[role_arn]

    def _read_policies(self, role_arn: str) -> list[Document]:
        iam = self._cloud.client("iam")
        role = role_arn.rsplit("/", 1)[-1]
        found: list[Document] = [
            iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
        ]
        attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        for one in attached:
            arn = one["PolicyArn"]
            version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            stored = iam.get_policy_version(PolicyArn=arn, VersionId=version)
            found.append(stored["PolicyVersion"]["Document"])
        return found

    def _function(self, arn: str) -> DeployedFunction:
        for one in self._deployment.functions.values():
            if arn == one.arn or arn.startswith(f"{one.arn}:"):
                return one
        raise KeyError(f"a target is {arn}, which is neither a queue nor a function")

    def _poll(self, at: _Now) -> int:
        feeds = [
            Feed(source=source, function=self._function(source.function_arn))
            for source in self._deployment.event_sources
            if source.enabled
        ]
        poller = Poller(
            self._cloud,
            feeds=feeds,
            invoke=lambda function, event: self._invoke(function, event, at()),
            max_parallel=self._max_parallel,
            twice=self._duplicate_messages,
        )
        delivered = poller.poll()
        self.counters.messages += delivered
        return delivered

    def _invoke(
        self, function: DeployedFunction, event: Mapping[str, Any], now: datetime
    ) -> Any:  # noqa: ANN401 - JSON
        with self._lock:
            self.counters.invocations += 1
        try:
            return self._host.invoke(function, event, now=now)
        except FunctionError:
            with self._lock:
                self.counters.errors += 1
            raise

    def _take_events(self, now: datetime, waiting: frozenset[str]) -> int:
        """Invoke the functions of rules with their events, as EventBridge does."""
        taken = 0
        sqs = self._cloud.client("sqs")
        for rule in self._deployment.rules:
            if rule.queue_url.rpartition("/")[2] not in waiting:
                continue
            while messages := sqs.receive_message(
                QueueUrl=rule.queue_url, MaxNumberOfMessages=MAX_RECEIVED_AT_ONCE
            ).get("Messages", []):
                for message in messages:
                    event = json.loads(message["Body"])
                    for arn in rule.function_arns:
                        for _ in range(2 if self._duplicate_messages else 1):
                            self.invoke_later(self._function(arn), event, at=now)
                    sqs.delete_message(
                        QueueUrl=rule.queue_url, ReceiptHandle=message["ReceiptHandle"]
                    )
                taken += len(messages)
        return taken

    def _run_events(self, at: _Now, now: datetime) -> int:
        ran = 0
        while self._events and self._events[0].due <= now:
            event = heapq.heappop(self._events)
            ran += 1
            try:
                self._invoke(event.function, event.payload, at())
            except FunctionError as fault:
                self._failed(event, fault, now)
        return ran

    def _failed(self, event: _Event, fault: FunctionError, now: datetime) -> None:
        retries = min(event.function.max_retries, len(RETRY_AFTER))
        if event.failures < retries:
            event.due = now + RETRY_AFTER[event.failures]
            event.failures += 1
            heapq.heappush(self._events, event)
            return
        self.counters.dead_letters += 1
        target = event.function.failed_events
        if target is None:
            return
        attributes = _text_attributes(
            RequestID=str(uuid.uuid4()),
            ErrorCode="200",
            ErrorMessage=f"{fault.kind}: {fault.message}"[:1024],
        )
        body = json.dumps(event.payload)
        role = event.function.role_arn
        if ":sns:" in target:
            self._cloud.role_client(role, "sns", principal=LAMBDA).publish(
                TopicArn=target, Message=body, MessageAttributes=attributes
            )
        else:
            self._cloud.role_client(role, "sqs", principal=LAMBDA).send_message(
                QueueUrl=queue_url(self._cloud, target),
                MessageBody=body,
                MessageAttributes=attributes,
            )


class _Now(Protocol):
    def __call__(self) -> datetime: ...


class _MayNot(Exception):
    """A schedule's role may not invoke its function."""


def _code(fault: Exception) -> str:
    if isinstance(fault, ClientError):
        return str(fault.response.get("Error", {}).get("Code", "Unknown"))
    return "AccessDeniedException"


def _text_attributes(**values: str) -> dict[str, dict[str, str]]:
    return {
        name: {"DataType": "String", "StringValue": value}
        for name, value in values.items()
    }
