"""The deployed roles decide: without a permission its function fails, and names it.

For each service a needed action is taken out of the deployed role's policy, then the
resource it is granted on is exchanged for another. Each time the function fails, says
which action it may not call, and works again once the policy is the template's.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdas.core.pull.run import RunStatus
from tests.local.embedded_world import FRESHNESS, PULL, World

Document = dict[str, Any]
Change = Callable[[Document], None]

BLOCKED = timedelta(minutes=91)
"""A FIFO group whose message nobody could shorten is blocked for the queue's time."""


def without(action: str) -> Change:
    """Take one action out of the statements that allow it."""

    def change(document: Document) -> None:
        for statement in document["Statement"]:
            actions = _listed(statement["Action"])
            if action in actions:
                statement["Action"] = [one for one in actions if one != action]
        document["Statement"] = [one for one in document["Statement"] if one["Action"]]

    return change


def elsewhere(action: str, resource: str) -> Change:
    """Allow one action, where the ARN has `resource` in it, on another's instead."""

    def change(document: Document) -> None:
        granting = [
            statement
            for statement in document["Statement"]
            if action in _listed(statement["Action"])
        ]
        without(action)(document)
        document["Statement"] += [
            {
                "Effect": "Allow",
                "Action": action,
                "Resource": [
                    f"{one}-of-somebody-else" if resource in one.lower() else one
                    for one in _listed(statement["Resource"])
                ],
            }
            for statement in granting
        ]
        assert "-of-somebody-else" in json.dumps(document) or not granting

    return change


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@contextmanager
def policy_changed(world: World, handler: str, change: Change) -> Iterator[None]:
    """A function's role with another policy, for a while."""
    iam = world.stack.cloud.client("iam")
    role = world.function(handler).role_arn.rsplit("/", 1)[-1]
    originals: dict[str, Document] = {
        name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    }
    changed = copy.deepcopy(originals)
    for document in changed.values():
        change(document)
    assert changed != originals, "the role has no such permission"
    _put(iam, role, changed)
    try:
        yield
    finally:
        _put(iam, role, originals)


def _put(iam: Any, role: str, documents: dict[str, Document]) -> None:
    for name, document in documents.items():
        iam.put_role_policy(
            RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document)
        )


@pytest.fixture(scope="module")
def pulled(embedded: World) -> World:
    """A world that has pulled once, so that its processes are warm."""
    embedded.move(embedded.now + timedelta(minutes=5))
    _pull(embedded)
    return embedded


def _pull(world: World) -> None:
    world.send("flights")
    world.fabric.drain(world.now)


def _is_well(world: World) -> None:
    """The table is upstream's, and the newest pull succeeded."""
    (run,) = world.state().latest_runs("flights", limit=1)
    assert run.status is RunStatus.LANDED
    assert world.compared("flights").faults == ()


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:PutObject", "/raw/*"),
        ("dynamodb:PutItem", "state"),
        ("sqs:ChangeMessageVisibility", "pulls"),
    ],
)
@pytest.mark.parametrize("how", ["removed", "elsewhere"])
def test_a_pull_without_a_permission_fails_and_names_it(
    pulled: World, action: str, resource: str, how: str
) -> None:
    change = without(action) if how == "removed" else elsewhere(action, resource)
    _is_well(pulled)
    before, objects = pulled.state().read("flights"), pulled.objects("flights")
    said = len(pulled.log(PULL))
    pulled.move(pulled.now + timedelta(hours=1))
    with policy_changed(pulled, PULL, change):
        _pull(pulled)
        assert f"not authorized to perform: {action}" in pulled.log(PULL)[said:]
        assert pulled.state().read("flights") == before
        assert pulled.objects("flights") == objects
    assert pulled.wait(BLOCKED) == 1
    _is_well(pulled)


@pytest.mark.parametrize("how", ["removed", "elsewhere"])
def test_without_a_permission_to_receive_nothing_is_pulled(
    pulled: World, how: str
) -> None:
    """Lambda's poller takes messages with the function's role."""
    action = "sqs:ReceiveMessage"
    change = without(action) if how == "removed" else elsewhere(action, "pulls")
    pulled.move(pulled.now + timedelta(hours=1))
    pulls = pulled.stack.pulls()
    pulled.send("flights")
    with (
        policy_changed(pulled, PULL, change),
        pytest.raises(ClientError, match=rf"not authorized to perform: {action}"),
    ):
        pulled.fabric.drain(pulled.now)
    assert pulled.stack.pulls() == pulls
    pulled.fabric.drain(pulled.now)
    assert pulled.stack.pulls() == pulls + 1
    _is_well(pulled)


@pytest.mark.parametrize("how", ["removed", "elsewhere"])
def test_without_a_permission_to_begin_a_run_its_message_ends_among_the_dead(
    pulled: World, how: str
) -> None:
    action = "dynamodb:GetItem"
    change = without(action) if how == "removed" else elsewhere(action, "state")
    (dead,) = (
        url
        for url in pulled.stack.deployment.physical_ids("AWS::SQS::Queue")
        if "deadpulls" in url.lower()
    )
    sqs = pulled.stack.cloud.client("sqs")
    said = len(pulled.log(PULL))
    pulled.move(pulled.now + timedelta(hours=1))
    with policy_changed(pulled, PULL, change):
        pulled.send("flights")
        deliveries = sum(pulled.wait(timedelta(minutes=16)) for _ in range(6))
        assert deliveries == 5
    assert pulled.log(PULL)[said:].count(f"not authorized to perform: {action}") >= 5
    (message,) = sqs.receive_message(QueueUrl=dead)["Messages"]
    assert json.loads(message["Body"])["dataset"] == "flights"
    sqs.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])
    _pull(pulled)
    _is_well(pulled)


@pytest.fixture(scope="module")
def late(pulled: World) -> World:
    """A world in which flights are late, and nobody was told yet: upstream has held
    them back for hours.
    """
    pulled.upstream.tables["flights"].is_held = True
    pulled.move(pulled.now.replace(day=2, hour=19, minute=0))
    _pull(pulled)
    return pulled


def test_a_check_that_may_not_read_slacks_secret_keeps_its_messages(
    late: World,
) -> None:
    """Before any that may: a secret that was read once is kept by its process."""
    action = "secretsmanager:GetSecretValue"
    for change in (without(action), elsewhere(action, "slack")):
        _keeps_its_messages(late, action, change)
        assert late.stack.slack.posts == []
    late.check()
    assert "flights" in "".join(late.stack.slack.texts())


def test_a_check_that_may_not_publish_keeps_its_messages(late: World) -> None:
    late.check()
    late.upstream.tables["flights"].is_held = False
    late.move(late.now + timedelta(hours=1))
    _pull(late)  # which ends the incident: there is something to tell
    late.stack.topics.read()
    action = "sns:Publish"
    for change in (without(action), elsewhere(action, "stakeholders")):
        _keeps_its_messages(late, action, change)
        assert "stakeholders" not in {one.audience for one in late.stack.topics.read()}
    late.check()
    (mail,) = (
        one for one in late.stack.topics.read() if one.audience == "stakeholders"
    )
    assert mail.subject == "flights is up to date again"


def _keeps_its_messages(world: World, action: str, change: Change) -> None:
    """A check with another policy: messages wait, and the log names the action."""
    world.move(world.now + timedelta(minutes=5))
    said = len(world.log(FRESHNESS))
    with policy_changed(world, FRESHNESS, change):
        answer = world.check()
    assert answer["waiting"] > 0
    assert action in world.log(FRESHNESS)[said:]
