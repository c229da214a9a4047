from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from cli.deployed import preconditions
from cli.deployed.environment import Deployed
from cli.deployed.sample_messages import notices, places
from cli.main import run
from lambdas.core.dataset import Owner
from lambdas.core.incidents.incident import NoticeKind
from local.loopback import Answer, Asked, LoopbackServer

ROOT = Path(__file__).resolve().parents[3]
TEMPLATE = json.dumps(
    {"Resources": {"Engineers": {"Type": "AWS::SNS::Topic", "Properties": {}}}}
)
Doctor = Callable[..., tuple[int, dict[str, tuple[str, str]]]]


class Lambda:
    """An account that is new."""

    def get_account_settings(self) -> dict[str, Any]:
        return {"AccountLimit": {"UnreservedConcurrentExecutions": 10}}


@pytest.fixture
def doctor(
    aws: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Doctor:
    del aws
    text = (ROOT / "environments" / "dev.yaml").read_text()
    (tmp_path / "dev.yaml").write_text(text.replace("000000000000", "123456789012"))
    (tmp_path / "there.yaml").write_text(text)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("SNOWFLAKE_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(preconditions, "_snowflake", lambda _: iter([("ok", "in")]))
    clients = Deployed.aws
    monkeypatch.setattr(
        Deployed,
        "aws",
        lambda self, service: (
            Lambda() if service == "lambda" else clients(self, service)
        ),
    )

    def ask(
        environment: str = "dev", *more: str
    ) -> tuple[int, dict[str, tuple[str, str]]]:
        code = run(
            [
                "doctor", "--env", environment, "--json", *more,
                "--environments", str(tmp_path),
                "--datasets", str(ROOT / "datasets"), "--apis", str(ROOT / "apis"),
            ]
        )  # fmt: skip
        told = json.loads(capsys.readouterr().out)
        return code, {one["what"]: (one["state"], one["sentence"]) for one in told}

    return ask


def test_a_new_account_is_told_each_thing_that_it_lacks(doctor: Doctor) -> None:
    code, found = doctor()

    assert code == 1
    assert found["account"][0] == "ok"
    assert found["CDK bootstrap"] == (
        "bad",
        (
            "us-east-1 is not bootstrapped; run: npx cdk bootstrap "
            "aws://123456789012/us-east-1"
        ),
    )
    assert found["stacks"] == ("ok", "none is deployed yet")
    assert found["Lambda concurrency"][0] == "bad"
    assert (
        "runs 10 functions at a time, 19 are needed" in found["Lambda concurrency"][1]
    )
    assert found["secrets"][0] == "bad"
    assert "catflap/slack" in found["secrets"][1]
    assert found["e-mail addresses"][0] == "unknown"


def test_what_is_there_is_said_to_be_there(doctor: Doctor) -> None:
    boto3.client("secretsmanager").create_secret(
        Name="catflap/slack", SecretString='{"webhook_url": "https://canary"}'
    )
    boto3.client("ssm").put_parameter(
        Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String"
    )
    stack = "catflap-dev-notifications"
    cloudformation = boto3.client("cloudformation")
    cloudformation.create_stack(StackName=stack, TemplateBody=TEMPLATE)
    _, found = doctor()

    assert found["secrets"] == ("ok", "1 named, all there")
    assert found["CDK bootstrap"] == ("ok", "version 30")
    assert found["stacks"] == ("ok", "1 take a deploy")
    assert found["e-mail addresses"] == ("ok", "all have confirmed")
    assert "canary" not in str(found)


def test_what_aws_does_not_say_is_not_known(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    code, found = doctor()

    assert code == 1
    assert found["account"][0] == "unknown"
    assert found.keys() == {"account", "Snowflake"}


def test_another_account_is_not_asked_for_anything_else(doctor: Doctor) -> None:
    code, found = doctor("there")

    assert code == 1
    assert found["account"][0] == "bad"
    assert "says 000000000000" in found["account"][1]
    assert found.keys() == {"account", "Snowflake"}


def test_a_test_message_is_sent_to_each_place_or_said_not_to_be(
    doctor: Doctor,
) -> None:
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    name = "catflap-dev-notifications-EngineersE9FA6DBF-x"
    topic = sns.create_topic(Name=name)["TopicArn"]
    queue = sqs.create_queue(QueueName="mails")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    arn = attributes["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    posted: list[dict[str, object]] = []

    def slack(asked: Asked) -> Answer:
        posted.append(asked.json)
        return Answer(body=b"ok")

    with LoopbackServer(slack) as server:
        boto3.client("secretsmanager").create_secret(
            Name="catflap/slack", SecretString=json.dumps({"webhook_url": server.url})
        )
        code, found = doctor("dev", "--send")

    assert code == 1
    taken = {what for what, (state, _) in found.items() if state == "ok"}
    assert {what for what in taken if what.startswith("message")} == {
        "message: sns, engineers",
        "message: slack, engineers",
        "message: slack, stakeholders",
    }
    assert found["message: sns, stakeholders"][0] == "bad"
    assert "Nothing is late" in json.dumps(posted)
    (mail,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert "A test of catflap dev" in mail["Body"]


def test_an_owners_channels_get_one_each_and_a_pager_a_page_and_its_end() -> None:
    owners = [
        Owner(team="a", slack="#a"),
        Owner(team="b", slack="#a", stakeholders="#b"),
    ]
    told = list(places(["slack", "pagerduty"], owners))
    assert [str(one) for one in told] == [
        "slack, engineers", "slack, #a", "slack, stakeholders", "slack, #b",
        "pagerduty, engineers",
    ]  # fmt: skip
    page, end = notices(told[-1], "dev", now=datetime(2026, 1, 1, tzinfo=UTC))
    assert (page.page, end.kind) == (True, NoticeKind.RESOLVED)
    assert page.incident_id == end.incident_id
    (mail,) = notices(told[0], "dev", now=datetime(2026, 1, 1, tzinfo=UTC))
    assert not mail.page
