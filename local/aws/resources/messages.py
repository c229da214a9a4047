"""Topics, queues, buses, rules and schedules."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from local.aws.resources.registry import (
    Created,
    Existing,
    NotHandled,
    Request,
    Run,
    handles,
)

QUEUE_NAME_LIMIT = 80
TOPIC_NAME_LIMIT = 256
SCHEDULE_NAME_LIMIT = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleTarget:
    """What a tick does. `input` may hold `<aws.scheduler.scheduled-time>`."""

    arn: str
    role_arn: str | None
    input: str
    message_group_id: str | None
    dead_letters: str | None
    max_retries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedSchedule:
    """A schedule, as its template has it."""

    name: str
    expression: str
    timezone: str
    enabled: bool
    target: ScheduleTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedRule:
    """A rule, and the queue of its own from which the fabric takes its events."""

    name: str
    queue_url: str
    function_arns: tuple[str, ...]


def _delete_topic(run: Run, existing: Existing) -> None:
    run.cloud.client("sns").delete_topic(TopicArn=existing.created.physical_id)


@handles(
    "AWS::SNS::Topic",
    properties="TopicName FifoTopic",
    updatable="DisplayName KmsMasterKeyId ContentBasedDeduplication",
    delete=_delete_topic,
)
def topic(request: Request) -> Created:
    """A topic."""
    sns, given = request.client("sns"), request.properties
    if request.before is None:
        suffix = ".fifo" if given.get("FifoTopic") else ""
        name = given.get("TopicName") or request.name(TOPIC_NAME_LIMIT, suffix=suffix)
        fixed = {"FifoTopic": "true"} if suffix else {}
        arn = sns.create_topic(Name=name, Attributes=fixed)["TopicArn"]
    else:
        arn = request.before.created.physical_id
    for attribute in ("DisplayName", "KmsMasterKeyId", "ContentBasedDeduplication"):
        if attribute in request.changed():
            sns.set_topic_attributes(
                TopicArn=arn,
                AttributeName=attribute,
                AttributeValue=_attribute(given.get(attribute, "")),
            )
    return Created(
        physical_id=arn,
        attributes={"TopicArn": arn, "TopicName": arn.rsplit(":", 1)[-1]},
    )


def _reset_topic_policy(run: Run, existing: Existing) -> None:
    """The topic gets SNS's own policy, whoever else has set one: the owner may do all,
    and nobody else anything (its handler's source).
    """
    for arn in existing.properties["Topics"]:
        document = {
            "Version": "2008-10-17",
            "Id": "__default_policy_ID",
            "Statement": [
                {
                    "Sid": "__default_statement_ID",
                    "Effect": "Allow",
                    "Principal": {"AWS": "*"},
                    "Action": ["SNS:Publish", "SNS:Subscribe"],
                    "Resource": arn,
                    "Condition": {
                        "StringEquals": {"AWS:SourceOwner": run.cloud.account}
                    },
                }
            ],
        }
        run.cloud.client("sns").set_topic_attributes(
            TopicArn=arn, AttributeName="Policy", AttributeValue=json.dumps(document)
        )


@handles(
    "AWS::SNS::TopicPolicy",
    properties="Topics",
    updatable="PolicyDocument",
    delete=_reset_topic_policy,
)
def topic_policy(request: Request) -> Created:
    """The one policy of each topic named: the last one set is the topic's."""
    for arn in request.properties["Topics"]:
        request.client("sns").set_topic_attributes(
            TopicArn=arn,
            AttributeName="Policy",
            AttributeValue=json.dumps(request.properties["PolicyDocument"]),
        )
    return Created(physical_id=request.name(128))


_SUBSCRIPTION_ATTRIBUTES = (
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
)


def _unsubscribe(run: Run, existing: Existing) -> None:
    arn = existing.created.physical_id
    run.cloud.client("sns").unsubscribe(SubscriptionArn=arn)


@handles(
    "AWS::SNS::Subscription",
    properties="TopicArn Protocol Endpoint " + " ".join(_SUBSCRIPTION_ATTRIBUTES),
    ignored={"Region": "there is one"},
    delete=_unsubscribe,
)
def subscription(request: Request) -> Created:
    """Somebody who is sent what a topic is told. Mail goes nowhere."""
    given = request.properties
    if given["Protocol"] == "lambda":
        raise NotHandled(f"{request.address}: topics do not invoke functions here")
    arn = request.client("sns").subscribe(
        TopicArn=given["TopicArn"],
        Protocol=given["Protocol"],
        Endpoint=given["Endpoint"],
        Attributes={
            name: _attribute(given[name])
            for name in _SUBSCRIPTION_ATTRIBUTES
            if name in given
        },
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    return Created(physical_id=arn)


_QUEUE_ATTRIBUTES = (
    "ContentBasedDeduplication",
    "DelaySeconds",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
    "DeduplicationScope",
    "FifoThroughputLimit",
)


def _delete_queue(run: Run, existing: Existing) -> None:
    run.cloud.client("sqs").delete_queue(QueueUrl=existing.created.physical_id)


@handles(
    "AWS::SQS::Queue",
    properties="QueueName FifoQueue",
    updatable=" ".join(_QUEUE_ATTRIBUTES),
    ignored={"KmsDataKeyReusePeriodSeconds": "no key is used"},
    delete=_delete_queue,
)
def queue(request: Request) -> Created:
    """A queue."""
    sqs, given = request.client("sqs"), request.properties
    wanted = {
        name: _attribute(given[name]) for name in _QUEUE_ATTRIBUTES if name in given
    }
    if request.before is not None:
        if wanted:
            sqs.set_queue_attributes(
                QueueUrl=request.before.created.physical_id, Attributes=wanted
            )
        return request.before.created
    suffix = ".fifo" if given.get("FifoQueue") else ""
    name = given.get("QueueName") or request.name(QUEUE_NAME_LIMIT, suffix=suffix)
    if suffix:
        wanted["FifoQueue"] = "true"
    url = sqs.create_queue(QueueName=name, Attributes=wanted)["QueueUrl"]
    return Created(
        physical_id=url,
        attributes={
            "Arn": request.run.arn("sqs", name),
            "QueueName": name,
            "QueueUrl": url,
        },
    )


def _delete_queue_policy(run: Run, existing: Existing) -> None:
    for url in existing.properties["Queues"]:
        run.cloud.client("sqs").set_queue_attributes(
            QueueUrl=url, Attributes={"Policy": ""}
        )


@handles(
    "AWS::SQS::QueuePolicy",
    properties="Queues",
    updatable="PolicyDocument",
    delete=_delete_queue_policy,
)
def queue_policy(request: Request) -> Created:
    """The policy of each queue named; kept, but not enforced."""
    for url in request.properties["Queues"]:
        request.client("sqs").set_queue_attributes(
            QueueUrl=url,
            Attributes={"Policy": json.dumps(request.properties["PolicyDocument"])},
        )
    return Created(physical_id=request.name(128))


def _delete_bus(run: Run, existing: Existing) -> None:
    run.cloud.client("events").delete_event_bus(Name=existing.created.physical_id)


@handles(
    "AWS::Events::EventBus",
    properties="Name",
    updatable="Description",
    delete=_delete_bus,
)
def event_bus(request: Request) -> Created:
    """A bus."""
    name = request.properties["Name"]
    if request.before is not None:
        return request.before.created
    arn = request.client("events").create_event_bus(Name=name)["EventBusArn"]
    return Created(physical_id=name, attributes={"Arn": arn, "Name": name})


def _delete_rule(run: Run, existing: Existing) -> None:
    if isinstance(existing.created.details, DeployedSchedule):
        return
    events = run.cloud.client("events")
    rule = {
        "Rule": existing.created.physical_id,
        "EventBusName": existing.properties.get("EventBusName", "default"),
    }
    targets = events.list_targets_by_rule(**rule)["Targets"]
    if targets:
        events.remove_targets(**rule, Ids=[one["Id"] for one in targets])
    events.delete_rule(Name=rule["Rule"], EventBusName=rule["EventBusName"])


@handles(
    "AWS::Events::Rule",
    properties="Name EventBusName",
    updatable="Description EventPattern ScheduleExpression State Targets",
    delete=_delete_rule,
)
def rule(request: Request) -> Created:
    """A rule; one with a schedule is ticked, and kept out of the stand-in."""
    given = request.properties
    name = given.get("Name") or request.name(64)
    arn = request.run.arn("events", f"rule/{name}")
    targets = given.get("Targets", [])
    enabled = given.get("State", "ENABLED") == "ENABLED"
    if "EventPattern" not in given:
        if len(targets) != 1:
            raise NotHandled(f"{request.address}: a schedule with not just one target")
        target = targets[0]
        ticked = DeployedSchedule(
            name=name,
            expression=given["ScheduleExpression"],
            timezone="UTC",
            enabled=enabled,
            target=ScheduleTarget(
                arn=target["Arn"],
                role_arn=target.get("RoleArn"),
                input=target.get("Input", "{}"),
                message_group_id=target.get("SqsParameters", {}).get("MessageGroupId"),
                dead_letters=target.get("DeadLetterConfig", {}).get("Arn"),
                max_retries=target.get("RetryPolicy", {}).get(
                    "MaximumRetryAttempts", 185
                ),
            ),
        )
        return Created(physical_id=name, attributes={"Arn": arn}, details=ticked)
    functions = [one for one in targets if ":lambda:" in one["Arn"]]
    shaped = {"Input", "InputPath", "InputTransformer"}
    if any(shaped & one.keys() for one in functions):
        raise NotHandled(f"{request.address}: a function gets the whole event here")
    queues = [one for one in targets if one not in functions]
    details = None
    if functions:
        url, queue_arn = _queue_of_rule(request, name)
        queues.append({"Id": "Functions", "Arn": queue_arn})
        details = DeployedRule(
            name=name,
            queue_url=url,
            function_arns=tuple(one["Arn"] for one in functions),
        )
    events = request.client("events")
    bus = given.get("EventBusName", "default")
    events.put_rule(
        Name=name,
        EventBusName=bus,
        EventPattern=json.dumps(given["EventPattern"]),
        State=given.get("State", "ENABLED"),
    )
    if queues:
        events.put_targets(Rule=name, EventBusName=bus, Targets=queues)
    return Created(physical_id=name, attributes={"Arn": arn}, details=details)


def _queue_of_rule(request: Request, name: str) -> tuple[str, str]:
    sqs = request.client("sqs")
    queue_name = f"embedded-rule-{name}"[:QUEUE_NAME_LIMIT]
    url = sqs.create_queue(QueueName=queue_name)["QueueUrl"]
    return url, request.run.arn("sqs", queue_name)


@handles("AWS::Scheduler::ScheduleGroup", properties="Name")
def schedule_group(request: Request) -> Created:
    """A group of schedules."""
    name = request.properties.get("Name") or request.name(SCHEDULE_NAME_LIMIT)
    arn = request.client("scheduler").create_schedule_group(Name=name)
    return Created(physical_id=name, attributes={"Arn": arn["ScheduleGroupArn"]})


def _delete_schedule(run: Run, existing: Existing) -> None:
    run.cloud.client("scheduler").delete_schedule(
        Name=existing.created.physical_id,
        GroupName=existing.properties.get("GroupName", "default"),
    )


@handles(
    "AWS::Scheduler::Schedule",
    properties="Name GroupName",
    updatable="Description FlexibleTimeWindow ScheduleExpression "
    "ScheduleExpressionTimezone State Target StartDate EndDate",
    delete=_delete_schedule,
)
def schedule(request: Request) -> Created:
    """A schedule; the stand-in keeps it, the fabric ticks it."""
    given = request.properties
    for name in ("StartDate", "EndDate"):
        if name in given:
            raise NotHandled(f"{request.address}: `{name}` is not ticked here")
    if given["FlexibleTimeWindow"] != {"Mode": "OFF"}:
        raise NotHandled(f"{request.address}: a flexible time window")
    name = given.get("Name") or request.name(SCHEDULE_NAME_LIMIT)
    scheduler = request.client("scheduler")
    call = (
        scheduler.create_schedule
        if request.before is None
        else scheduler.update_schedule
    )
    answer = call(**{**given, "Name": name})
    return Created(
        physical_id=name,
        attributes={"Arn": answer["ScheduleArn"]},
        details=_deployed_schedule(request, name, given["Target"]),
    )


def _deployed_schedule(
    request: Request, name: str, target: dict[str, Any]
) -> DeployedSchedule:
    given = request.properties
    return DeployedSchedule(
        name=name,
        expression=given["ScheduleExpression"],
        timezone=given.get("ScheduleExpressionTimezone", "UTC"),
        enabled=given.get("State", "ENABLED") == "ENABLED",
        target=ScheduleTarget(
            arn=target["Arn"],
            role_arn=target["RoleArn"],
            input=target.get("Input", "{}"),
            message_group_id=target.get("SqsParameters", {}).get("MessageGroupId"),
            dead_letters=target.get("DeadLetterConfig", {}).get("Arn"),
            max_retries=target.get("RetryPolicy", {}).get("MaximumRetryAttempts", 185),
        ),
    )


def _attribute(value: Any) -> str:  # noqa: ANN401 - JSON
    """SNS and SQS take every attribute as a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)
