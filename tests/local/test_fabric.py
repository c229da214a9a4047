from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.aws.cloud import Cloud
from local.aws.deploy import Deployment, deploy
from local.aws.fabric import Fabric
from local.aws.invoke import FunctionHost
from local.aws.resources.messages import DeployedSchedule, ScheduleTarget
from local.aws.resources.registry import Created, Existing
from tests.local.conftest import Assembly, function, role, statement

START = datetime(2013, 1, 1, tzinfo=UTC)


def _schedule(
    name: str, target: object, role_id: str, text: str, **more: Any
) -> dict[str, Any]:
    return {
        "Type": "AWS::Scheduler::Schedule",
        "Properties": {
            "Name": name,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ScheduleExpression": "cron(5 * * * ? *)",
            "ScheduleExpressionTimezone": "America/New_York",
            "Target": {
                "Arn": target,
                "RoleArn": {"Fn::GetAtt": [role_id, "Arn"]},
                "Input": text,
                "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["Lost", "Arn"]}},
                **more,
            },
        },
    }


def _pulls(unique: str, *datasets: str, may_send: bool = True) -> dict[str, Any]:
    def arn(name: str) -> dict[str, Any]:
        return {"Fn::GetAtt": [name, "Arn"]}

    ticks = {
        f"Tick{number}": _schedule(
            f"{unique}-{name}",
            arn("Pulls"),
            "Ticker",
            json.dumps({"dataset": name, "due_at": "<aws.scheduler.scheduled-time>"}),
            SqsParameters={"MessageGroupId": name},
        )
        for number, name in enumerate(datasets)
    }
    poll = [
        statement(f"sqs:{action}", arn("Pulls"))
        for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
    ]
    return {
        "Resources": {
            **ticks,
            "Lost": {"Type": "AWS::SQS::Queue"},
            "Dead": {"Type": "AWS::SQS::Queue", "Properties": {"FifoQueue": True}},
            "Pulls": {
                "Type": "AWS::SQS::Queue",
                "Properties": {
                    "FifoQueue": True,
                    "ContentBasedDeduplication": True,
                    "VisibilityTimeout": 120,
                    "RedrivePolicy": {
                        "deadLetterTargetArn": arn("Dead"),
                        "maxReceiveCount": 2,
                    },
                },
            },
            "Ticker": role(
                statement("sqs:SendMessage", arn("Lost")),
                *([statement("sqs:SendMessage", arn("Pulls"))] if may_send else []),
                service="scheduler",
            ),
            "Role": role(*poll),
            "Pull": function("queue"),
            "Feed": {
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {
                    "EventSourceArn": arn("Pulls"),
                    "FunctionName": {"Ref": "Pull"},
                    "BatchSize": 1,
                    "FunctionResponseTypes": ["ReportBatchItemFailures"],
                },
            },
        }
    }


class World:
    """A deployment whose time is set by hand."""

    def __init__(
        self, cloud: Cloud, host: FunctionHost, deployment: Deployment, **more: Any
    ) -> None:
        self.cloud = cloud
        self.deployment = deployment
        cloud.set_clock(START)
        self.fabric = Fabric(
            cloud=cloud, deployment=deployment, host=host, started_at=START, **more
        )

    def advance(self, now: datetime) -> None:
        self.cloud.set_clock(now)
        self.fabric.tick(now)
        self.fabric.drain(now)

    def messages(self, stack: str, logical_id: str) -> list[dict[str, Any]]:
        url = self.deployment.physical_id(stack, logical_id)
        answer = self.cloud.client("sqs").receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        found: list[dict[str, Any]] = answer.get("Messages", [])
        return found


def test_while_one_stack_rests_schedules_of_others_are_those_that_stand_now() -> None:
    def standing(name: str) -> Existing:
        schedule = DeployedSchedule(
            name=name,
            expression="rate(1 hour)",
            timezone="UTC",
            enabled=True,
            target=ScheduleTarget(
                arn="arn:queue",
                role_arn=None,
                input="{}",
                message_group_id=None,
                dead_letters=None,
                max_retries=0,
            ),
        )
        created = Created(physical_id=name, details=schedule)
        return Existing(type="AWS::Scheduler::Schedule", properties={}, created=created)

    deployment = Deployment(resting=frozenset({"*-reports/Page"}))
    deployment.resources["catflap-dev-reports", "Page"] = standing("page")
    assert deployment.schedules == []
    deployment.resources["catflap-dev-schedules", "Cats"] = standing("cats")
    assert [one.name for one in deployment.schedules] == ["cats"]
    deployment.resting = frozenset()
    assert [one.name for one in deployment.schedules] == ["page", "cats"]


def test_a_schedule_wakes_each_dataset_once_an_hour(
    cloud: Cloud, host: FunctionHost, assembly: Assembly, unique: str, counts: Path
) -> None:
    assembly.stacks = {unique: _pulls(unique, "flights", "weather")}
    world = World(cloud, host, deploy(cloud, assembly.write(), host=host))
    assert world.fabric.next_tick() == START + timedelta(minutes=5)
    for minutes in (4, 5, 6, 64, 65):
        world.advance(START + timedelta(minutes=minutes))
    assert Counter(counts.read_text().splitlines()) == {"flights 1": 2, "weather 1": 2}
    counters = world.fabric.counters
    assert (
        counters.wake_ups,
        counters.messages,
        counters.invocations,
        counters.errors,
    ) == (4, 4, 4, 0)


def test_a_message_that_comes_again_is_due_before_the_next_tick(
    cloud: Cloud, host: FunctionHost, assembly: Assembly, unique: str, counts: Path
) -> None:
    assembly.stacks = {unique: _pulls(unique, "broken")}
    world = World(cloud, host, deploy(cloud, assembly.write(), host=host))
    tick = START + timedelta(minutes=5)
    assert world.fabric.next_due() == tick
    world.advance(tick)
    due = world.fabric.next_due()
    assert due is not None
    hidden = due - tick
    assert timedelta(seconds=120) <= hidden < timedelta(seconds=150)
    world.advance(due)
    assert counts.read_text().splitlines() == ["broken 1", "broken 2"]


@pytest.mark.parametrize("dataset", ["broken", "raises"])
def test_a_failed_message_comes_again_then_is_a_dead_letter(  # noqa: PLR0917 - fixtures
    dataset: str,
    cloud: Cloud,
    host: FunctionHost,
    assembly: Assembly,
    unique: str,
    counts: Path,
) -> None:
    assembly.stacks = {unique: _pulls(unique, dataset, "flights")}
    world = World(cloud, host, deploy(cloud, assembly.write(), host=host))
    for minutes in (5, 6, 8, 11):
        world.advance(START + timedelta(minutes=minutes))
    seen = Counter(counts.read_text().splitlines())
    assert seen == {f"{dataset} 1": 1, f"{dataset} 2": 1, "flights 1": 1}
    (dead,) = world.messages(unique, "Dead")
    assert json.loads(dead["Body"]) == {
        "dataset": dataset,
        "due_at": "2013-01-01T00:05:00Z",
    }


def test_every_message_comes_twice_if_asked(
    cloud: Cloud, host: FunctionHost, assembly: Assembly, unique: str, counts: Path
) -> None:
    assembly.stacks = {unique: _pulls(unique, "flights")}
    deployment = deploy(cloud, assembly.write(), host=host)
    world = World(cloud, host, deployment, duplicate_messages=True)
    world.advance(START + timedelta(minutes=5))
    world.advance(START + timedelta(minutes=15))
    assert counts.read_text().splitlines() == ["flights 1", "flights 2"]


def test_a_tick_that_may_not_be_sent_is_kept_with_its_error(
    cloud: Cloud, host: FunctionHost, assembly: Assembly, unique: str
) -> None:
    assembly.stacks = {unique: _pulls(unique, "flights", may_send=False)}
    world = World(cloud, host, deploy(cloud, assembly.write(), host=host))
    world.advance(START + timedelta(minutes=5))
    (lost,) = world.messages(unique, "Lost")
    assert json.loads(lost["Body"])["dataset"] == "flights"
    reason = lost["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"]
    assert "sqs:SendMessage" in reason


def _checks(unique: str, *, may_invoke: bool = True) -> dict[str, Any]:
    dead = {"Fn::GetAtt": ["Lost", "Arn"]}
    check = {"Fn::GetAtt": ["Check", "Arn"]}
    invoke = [statement("lambda:InvokeFunction", check)] if may_invoke else []
    return {
        "Resources": {
            "Lost": {"Type": "AWS::SQS::Queue"},
            "Role": role(statement("sqs:SendMessage", dead)),
            "Ticker": role(
                statement("sqs:SendMessage", dead), *invoke, service="scheduler"
            ),
            "Check": function("fail", DeadLetterConfig={"TargetArn": dead}),
            "Tick": _schedule(unique, check, "Ticker", '{"reason": "schedule"}'),
        }
    }


def test_a_failed_event_is_tried_three_times_then_is_a_dead_letter(
    cloud: Cloud, host: FunctionHost, assembly: Assembly, unique: str, counts: Path
) -> None:
    assembly.stacks = {unique: _checks(unique)}
    world = World(cloud, host, deploy(cloud, assembly.write(), host=host))
    expected = {5: 1, 5.5: 1, 6: 2, 7: 2, 8: 3, 20: 3}
    for minutes, failures in expected.items():
        world.advance(START + timedelta(minutes=minutes))
        assert failures == len(counts.read_text().split())
    (dead,) = world.messages(unique, "Lost")
    assert json.loads(dead["Body"]) == {"reason": "schedule"}
    assert "always" in dead["MessageAttributes"]["ErrorMessage"]["StringValue"]
    assert (
        world.fabric.counters.invocations,
        world.fabric.counters.errors,
        world.fabric.counters.dead_letters,
    ) == (3, 3, 1)


def test_a_schedule_whose_role_may_not_invoke_invokes_nothing(
    cloud: Cloud, host: FunctionHost, assembly: Assembly, unique: str, counts: Path
) -> None:
    assembly.stacks = {unique: _checks(unique, may_invoke=False)}
    world = World(cloud, host, deploy(cloud, assembly.write(), host=host))
    world.advance(START + timedelta(minutes=5))
    assert counts.read_text() == ""
    (lost,) = world.messages(unique, "Lost")
    reason = lost["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"]
    assert "lambda:InvokeFunction" in reason


class Pipe:
    """Two files, one at a time."""

    queue = "nobody-writes-to-it"

    def __init__(self) -> None:
        self.waiting = 2

    def deliver(self, *, is_told: bool) -> int:
        assert not is_told
        delivered = min(1, self.waiting)
        self.waiting -= delivered
        return delivered


def test_a_drain_lasts_until_the_pipe_has_nothing_left(
    cloud: Cloud, host: FunctionHost
) -> None:
    pipe = Pipe()
    world = World(cloud, host, Deployment(), snowpipe=pipe)
    world.fabric.drain(START)
    assert (pipe.waiting, world.fabric.counters.files) == (0, 2)


def _rule(unique: str, handler: str) -> dict[str, Any]:
    dead = {"Fn::GetAtt": ["Dead", "Arn"]}
    return {
        "Resources": {
            "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": unique}},
            "Dead": {"Type": "AWS::SQS::Queue"},
            "Role": role(statement("sqs:SendMessage", dead)),
            "Function": function(handler, DeadLetterConfig={"TargetArn": dead}),
            "Rule": {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "EventBusName": {"Ref": "Bus"},
                    "EventPattern": {"detail-type": ["wanted"]},
                    "Targets": [
                        {
                            "Id": "Function",
                            "Arn": {"Fn::GetAtt": ["Function", "Arn"]},
                            "DeadLetterConfig": {"Arn": dead},
                        }
                    ],
                },
            },
        }
    }


def _put(cloud: Cloud, bus: str, detail_type: str) -> None:
    cloud.client("events").put_events(
        Entries=[
            {
                "Source": "test",
                "DetailType": detail_type,
                "Detail": "{}",
                "EventBusName": bus,
            }
        ]
    )


def test_a_rule_invokes_its_function_with_the_events_it_wants(
    cloud: Cloud,
    host: FunctionHost,
    assembly: Assembly,
    unique: str,
    counts: Path,
) -> None:
    assembly.stacks = {unique: _rule(unique, "fail")}
    world = World(cloud, host, deploy(cloud, assembly.write(), host=host))
    _put(cloud, unique, "unwanted")
    world.advance(START)
    assert counts.read_text() == ""
    _put(cloud, unique, "wanted")
    for minutes, tries in ((0, 1), (1, 2), (3, 3), (10, 3)):
        world.advance(START + timedelta(minutes=minutes))
        assert counts.read_text().count("fail") == tries
    (dead,) = world.messages(unique, "Dead")
    assert json.loads(dead["Body"])["detail-type"] == "wanted"
