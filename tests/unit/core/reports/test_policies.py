from __future__ import annotations

from typing import Any

import pytest

from lambdas.core.reports.policies import Principal, allows, object_access

OBJECT = "arn:aws:s3:::landing/raw/cats/g0/x"


def policy(effect: str = "Allow", **keys: Any) -> dict[str, Any]:
    statement = {"Effect": effect, "Action": "s3:GetObject", "Resource": "*", **keys}
    return {"Statement": [statement]}


@pytest.mark.parametrize(
    "resource",
    [OBJECT, "*", "arn:aws:s3:::landing/raw/*", "arn:aws:s3:::*/raw/cat?/*"],
)
def test_a_pattern_of_iam_fits(resource: str) -> None:
    assert allows([policy(Resource=resource)], "s3:GetObject", OBJECT)


@pytest.mark.parametrize(
    "resource", ["arn:aws:s3:::other/*", "arn:aws:s3:::landing/runs/*", "[ar]*"]
)
def test_another_one_does_not(resource: str) -> None:
    assert not allows([policy(Resource=resource)], "s3:GetObject", OBJECT)


def test_actions_know_no_case_and_lists_are_read() -> None:
    both = policy(Action=["sqs:SendMessage", "S3:get*"], Resource=["x", OBJECT])
    assert allows([both], "s3:GetObject", OBJECT)


def test_all_but_is_everything_else() -> None:
    but = {"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::x/*"}
    assert allows([{"Statement": but}], "s3:GetObject", OBJECT)


def test_a_denial_outdoes_all_but_one_with_a_condition_is_not_relied_on() -> None:
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    assert not allows([policy(), policy("Deny")], "s3:GetObject", OBJECT)
    assert allows(
        [policy(), policy("Deny", Condition=condition)], "s3:GetObject", OBJECT
    )


def test_those_who_can_nothing_are_left_out() -> None:
    writer = policy(Action=["s3:PutObject", "s3:GetObject"])
    found = object_access(
        [
            Principal(kind="role", name="writer", policies=(writer,)),
            Principal(kind="user", name="nobody", policies=()),
        ],
        OBJECT,
    )
    assert [(one.name, one.can) for one in found] == [("writer", ("read", "change"))]
