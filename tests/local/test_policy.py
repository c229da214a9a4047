from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.aws.strict.grants_used import UsedGrants
from local.aws.strict.policy import (
    Call,
    Decision,
    PolicyNotUnderstood,
    admitted_by,
    decide,
    trusts,
)

BUCKET = "arn:aws:s3:::cats"


def _decide(*statements: dict[str, Any], **more: Any) -> Decision:
    call = {"action": "s3:PutObject", "resource": f"{BUCKET}/raw/a", "context": {}}
    return decide([{"Statement": list(statements)}], Call(**{**call, **more}))


def _allow(**more: Any) -> dict[str, Any]:
    given = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"{BUCKET}/*"}
    return {**given, **more}


def test_nothing_is_allowed_that_no_statement_allows() -> None:
    assert _decide() is Decision.IMPLICITLY_DENIED
    assert _decide(_allow()) is Decision.ALLOWED


def test_a_deny_wins_over_every_allow() -> None:
    denied = _decide(_allow(), _allow(Effect="Deny"), _allow())
    assert denied is Decision.EXPLICITLY_DENIED


@pytest.mark.parametrize(
    ("changed", "allowed"),
    [
        ({"Action": "S3:putobject"}, True),  # actions have no case
        ({"Action": "s3:Put*"}, True),
        ({"Action": ["s3:GetObject", "s3:DeleteObject"]}, False),
        ({"Resource": f"{BUCKET}/RAW/*"}, False),  # resources have
        ({"Resource": f"{BUCKET}/raw/?"}, True),
        ({"Resource": f"{BUCKET}/raw/??"}, False),
        ({"Resource": "arn:aws:s3:::${aws:PrincipalAccount}/*"}, False),
        ({"Resource": BUCKET}, False),
    ],
)
def test_wildcards_and_case(changed: dict[str, Any], *, allowed: bool) -> None:
    assert (_decide(_allow(**changed)) is Decision.ALLOWED) is allowed


def test_not_action_and_not_resource_are_all_others() -> None:
    others = {"Effect": "Allow", "NotAction": "s3:Get*", "NotResource": "arn:aws:sqs:*"}
    assert _decide(others) is Decision.ALLOWED
    assert _decide(others, action="s3:GetObject") is Decision.IMPLICITLY_DENIED
    assert _decide(others, resource="arn:aws:sqs:x") is Decision.IMPLICITLY_DENIED


CONTEXT = {
    "s3:prefix": ["raw/flights"],
    "aws:securetransport": ["true"],
    "s3:max-keys": ["10"],
    "aws:principalarn": ["arn:aws:iam::123456789012:role/pull"],
    "aws:currenttime": ["2026-11-23T09:00:00+00:00"],
    "aws:sourceip": ["10.1.2.3"],
    "dynamodb:leadingkeys": ["a", "b"],
}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"StringEquals": {"s3:prefix": "raw/flights"}}, True),
        ({"StringEquals": {"s3:prefix": "raw/*"}}, False),  # no wildcard in Equals
        ({"StringEquals": {"S3:Prefix": ["x", "raw/flights"]}}, True),
        ({"StringEqualsIgnoreCase": {"s3:prefix": "RAW/flights"}}, True),
        ({"StringNotEquals": {"s3:prefix": ["x", "raw/flights"]}}, False),
        ({"StringNotEquals": {"s3:absent": "x"}}, True),
        ({"StringLike": {"s3:prefix": "raw/*"}}, True),
        ({"StringLike": {"s3:absent": "*"}}, False),
        ({"StringLikeIfExists": {"s3:absent": "x"}}, True),
        ({"StringNotLike": {"s3:prefix": "raw/*"}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
        ({"Bool": {"aws:SecureTransport": False}}, False),
        ({"Null": {"s3:absent": "true"}}, True),
        ({"Null": {"s3:prefix": True}}, False),
        ({"NumericLessThan": {"s3:max-keys": 9}}, False),
        ({"NumericLessThanEquals": {"s3:max-keys": "10"}}, True),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/pu?l"}}, True),
        ({"ArnLike": {"aws:PrincipalArn": "arn:*:role/pull"}}, False),
        ({"DateGreaterThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, True),
        ({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
        ({"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["a"]}}, False),
        ({"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["a", "b"]}}, True),
        ({"ForAnyValue:StringEquals": {"dynamodb:LeadingKeys": ["a"]}}, True),
        (
            {
                "StringLike": {"s3:prefix": "raw/*"},
                "Bool": {"aws:SecureTransport": "false"},
            },
            False,
        ),
    ],
)
def test_conditions(condition: dict[str, Any], *, holds: bool) -> None:
    found = _decide(_allow(Condition=condition), context=CONTEXT)
    assert (found is Decision.ALLOWED) is holds


def test_an_operator_that_does_not_exist_is_named() -> None:
    with pytest.raises(PolicyNotUnderstood, match="StringResembles"):
        _decide(_allow(Condition={"StringResembles": {"s3:prefix": "x"}}))


TRUST = {
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::999999999999:user/snowflake"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": "secret handshake"}},
        },
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    ]
}


@pytest.mark.parametrize(
    ("principal", "external_id", "trusted"),
    [
        ("lambda.amazonaws.com", "", True),
        ("scheduler.amazonaws.com", "", False),
        ("arn:aws:iam::999999999999:user/snowflake", "secret handshake", True),
        ("arn:aws:iam::999999999999:user/snowflake", "guess", False),
        ("arn:aws:iam::999999999999:user/other", "secret handshake", False),
    ],
)
def test_trust(principal: str, external_id: str, *, trusted: bool) -> None:
    context = {"sts:externalid": [external_id]} if external_id else {}
    found = trusts(TRUST, action="sts:AssumeRole", principal=principal, context=context)
    assert found is trusted


def test_a_call_is_admitted_by_the_pairs_that_name_it() -> None:
    statement = _allow(
        Action=["s3:PutObject", "s3:GetObject"],
        Resource=[f"{BUCKET}/raw/*", f"{BUCKET}/runs/*"],
    )
    denied = _allow(Effect="Deny", Action="s3:*", Resource=f"{BUCKET}/other/*")
    call = Call(action="s3:PutObject", resource=f"{BUCKET}/raw/a", context={})
    found = admitted_by([{"Statement": [statement, denied]}], call)
    assert found == {("s3:PutObject", f"{BUCKET}/raw/*")}


def test_what_is_recorded_is_the_same_for_every_deployment(tmp_path: Path) -> None:
    kept = UsedGrants(tmp_path / "used.jsonl")
    for caller, bucket in (
        ("arn:aws:sts::111111111111:assumed-role/catflap-dev-pull/x", "catflap-dev-a"),
        ("arn:aws:sts::222222222222:assumed-role/catflap-two-pull/y", "catflap-two-a"),
        ("arn:aws:iam::111111111111:user/somebody", "catflap-dev-b"),
    ):
        kept.keep(caller, {("s3:GetObject", f"arn:aws:s3:::{bucket}/raw/*")})
    (line,) = (tmp_path / "used.jsonl").read_text().splitlines()
    assert json.loads(line) == [
        "catflap-ENV-pull", "s3:GetObject", "arn:aws:s3:::catflap-ENV-a/raw/*"
    ]  # fmt: skip
