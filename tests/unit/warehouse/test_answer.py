from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from lambdas.core.custom_resource import (
    CatalogueProperties,
    EventsProperties,
    IntegrationProperties,
    Request,
    request_from_event,
)
from lambdas.core.dataset import Catalogue
from lambdas.core.errors import BadInput, DeliveryError, OutOfTime, WarehouseUnreachable
from lambdas.warehouse.answer import HttpAnswers, answered
from lambdas.warehouse.provision import Provisioner
from lambdas.warehouse.steps import take
from local.loopback import Answer, Asked, LoopbackServer
from tests.memory import KeptProblems

URL = "https://cloudformation.example.com/answer?signature=canary"
LOGGER = Logger(service="test", level="CRITICAL")


def event(kind: str = "Create", **changes: Any) -> dict[str, Any]:
    return {
        "RequestType": kind,
        "ResponseURL": URL,
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "Integration",
        "ResourceProperties": {
            "ServiceToken": "arn:aws:lambda:…",
            "Step": "integration",
            "AccessRoleArn": "arn:aws:iam::123456789012:role/access",
        },
    } | changes


class FakeAnswers:
    def __init__(self) -> None:
        self.put_to: list[tuple[str, dict[str, Any]]] = []

    def put(self, url: str, body: bytes) -> None:
        assert len(body) <= 4096
        self.put_to.append((url, json.loads(body)))


def told(event: Mapping[str, Any], work: Any) -> dict[str, Any]:
    answers = FakeAnswers()
    answered(event, work=work, answers=answers, logger=LOGGER)
    ((url, document),) = answers.put_to
    assert url == event["ResponseURL"]
    return document


def refuse(_: Request) -> Mapping[str, str]:
    raise WarehouseUnreachable("Snowflake is away " + "x" * 10_000)


def test_a_success_carries_the_attributes() -> None:
    document = told(event(), lambda _: {"IamUserArn": "arn"})

    assert document["Status"] == "SUCCESS"
    assert document["Data"] == {"IamUserArn": "arn"}
    assert (document["StackId"], document["RequestId"]) == ("stack", "request")


def test_a_failure_is_answered_with_its_reason() -> None:
    document = told(event(), refuse)

    assert document["Status"] == "FAILED"
    assert document["Reason"].startswith("Snowflake is away")


def test_an_unexpected_error_is_answered_too() -> None:
    document = told(event("Update"), lambda _: dict[str, dict[str, str]]()["nothing"])

    assert document["Status"] == "FAILED"
    assert "KeyError" in document["Reason"]


def test_a_request_nobody_understands_is_answered_too() -> None:
    document = told(event(ResourceProperties={"Step": "dance"}), lambda _: {})

    assert document["Status"] == "FAILED"
    assert "Step" in document["Reason"]


@pytest.mark.parametrize("properties", [{"Step": "integration"}, {}])
def test_a_deletion_never_fails(properties: dict[str, str]) -> None:
    asked = event(
        "Delete", ResourceProperties=properties, PhysicalResourceId="catflap-x"
    )

    document = told(asked, refuse)

    assert document["Status"] == "SUCCESS"
    assert document["PhysicalResourceId"] == "catflap-x"


def test_the_id_of_a_resource_is_constant() -> None:
    created = told(event(), lambda _: {})["PhysicalResourceId"]
    failed = told(event(), refuse)["PhysicalResourceId"]
    updated = told(event("Update", PhysicalResourceId=created), lambda _: {})

    assert created == failed == updated["PhysicalResourceId"] == "catflap-integration"


def no_provisioner() -> Provisioner:
    raise AssertionError("a deletion must not reach Snowflake")


def no_catalogue() -> Catalogue:
    raise AssertionError("a deletion needs no catalogue")


def test_a_deletion_touches_nothing() -> None:
    request = request_from_event(event("Delete"))

    assert taken(request) == {}


def taken(
    request: Request,
    *,
    rolls_back: bool = False,
    publish: Callable[[CatalogueProperties], None] = lambda _: None,
    tell: Callable[[EventsProperties], None] = lambda _: None,
) -> Mapping[str, str]:
    return take(
        request,
        provisioner=no_provisioner,
        catalogue=no_catalogue,
        publish=publish,
        tell=tell,
        rolls_back=lambda _: rolls_back,
        unmade=KeptProblems(),
    )


def test_a_rollback_repeats_nothing_and_needs_no_snowflake() -> None:
    request = request_from_event(
        event("Update", ResourceProperties={"Step": "objects"})
    )

    assert taken(request, rolls_back=True) == {}
    with pytest.raises(AssertionError):
        taken(request)


def test_a_rollback_gives_functions_the_datasets_of_before() -> None:
    properties = {
        "Step": "catalogue",
        "SourceBucket": "uploads",
        "SourceKey": "before.json",
        "CatalogueKey": "catalogue/1.json",
    }
    published: list[CatalogueProperties] = []
    for kind in ("Update", "Delete"):
        taken(
            request_from_event(event(kind, ResourceProperties=properties)),
            rolls_back=True,
            publish=published.append,
        )
    (only,) = published
    assert (only.source_key, only.key) == ("before.json", "catalogue/1.json")


def test_a_bucket_that_tells_a_topic_tells_it_even_when_the_stack_is_gone() -> None:
    properties = {
        "Step": "events",
        "Prefixes": "raw/,runs/",
        "LandedTopicArn": "arn:landed",
    }
    told: list[EventsProperties] = []
    for kind in ("Create", "Delete"):
        request = request_from_event(event(kind, ResourceProperties=properties))
        taken(request, tell=told.append)
    (only,) = told
    assert (only.prefixes, only.topic_arn) == ("raw/,runs/", "arn:landed")


def test_a_creation_is_no_rollback() -> None:
    request = request_from_event(
        event("Create", ResourceProperties={"Step": "objects"})
    )

    with pytest.raises(AssertionError):
        taken(request, rolls_back=True)


def test_what_one_invocation_could_not_end_is_not_answered() -> None:
    def too_long(_: Request) -> Mapping[str, str]:
        raise OutOfTime("3 of 5 datasets were made")

    answers = FakeAnswers()
    with pytest.raises(OutOfTime):
        answered(event(), work=too_long, answers=answers, logger=LOGGER)
    assert answers.put_to == []


def test_what_cloudformation_adds_is_no_fault() -> None:
    properties = request_from_event(event(OldResourceProperties={})).properties

    assert isinstance(properties, IntegrationProperties)
    with pytest.raises(BadInput, match="AccessRoleArn"):
        request_from_event(event(ResourceProperties={"Step": "integration"}))


@dataclass(kw_only=True)
class Bucket:
    """A signed URL that answers with these statuses in turn."""

    url: str = ""
    received: list[tuple[str | None, bytes]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def take(self, asked: Asked) -> Answer:
        self.received.append((asked.headers.get("content-type"), asked.body))
        return Answer(status=self.statuses.pop(0))


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    made = Bucket()
    with LoopbackServer(made.take) as server:
        made.url = f"{server.url}a?signature=canary"
        yield made


def test_an_answer_is_put_with_an_empty_content_type(bucket: Bucket) -> None:
    bucket.statuses.append(200)

    HttpAnswers().put(bucket.url, b"{}")

    assert bucket.received == [("", b"{}")]


def test_a_passing_fault_is_tried_again(bucket: Bucket) -> None:
    bucket.statuses.extend([503, 200])

    HttpAnswers().put(bucket.url, b"{}")

    assert len(bucket.received) == 2


def test_a_refusal_does_not_show_the_signed_url(bucket: Bucket) -> None:
    bucket.statuses.append(403)

    with pytest.raises(DeliveryError, match="403") as caught:
        HttpAnswers().put(bucket.url, b"{}")
    assert "canary" not in str(caught.value)
