"""The function from outside: an event of the bus in, run events out."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from lambdas.adapters import catalogue, clients
from lambdas.core.dataset import Catalogue, catalogue_to_json
from lambdas.core.settings import LineageSettings
from lambdas.lineage import handler
from tests.api_server import Answer, Asked, serving
from tests.datasets import a_dataset

CACHES = (clients.client, catalogue.published, handler.endpoint)
CONTEXT: Any = SimpleNamespace(aws_request_id="r-1")
LOADED = {
    "detail-type": "dataset.loaded",
    "time": "2026-11-23T09:05:00Z",
    "detail": {"dataset": "cats", "loaded_at": "2026-11-23T09:04:00+00:00"},
}


class Service:
    status = 201

    def __init__(self) -> None:
        self.jobs: list[str] = []

    def __call__(self, asked: Asked) -> Answer:
        document: dict[str, Any] = asked.json
        self.jobs.append(document["job"]["name"])
        return Answer(status=self.status, body=b"")


@pytest.fixture
def service(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The function's surroundings, and who is told."""
    del aws
    for cache in CACHES:
        cache.cache_clear()
    boto3.client("s3").create_bucket(Bucket="landing")
    boto3.client("s3").put_object(
        Bucket="landing",
        Key="catalogue/1.json",
        Body=catalogue_to_json(Catalogue(datasets={"cats": a_dataset()})).encode(),
    )
    boto3.client("secretsmanager").create_secret(
        Name="lineage", SecretString='{"api_key": "CANARY"}'
    )
    found = Service()
    with serving(found) as api:
        known = LineageSettings(
            landing_bucket="landing",
            catalogue_key="catalogue/1.json",
            environment_name="prod",
            snowflake_account="ACME-MAIN",
            snowflake_database="DB",
            lineage_url=api.url,
            lineage_secret="lineage",
        )
        for name, value in known.to_environment().items():
            monkeypatch.setenv(name, value)
        yield found
    for cache in CACHES:
        cache.cache_clear()


def test_a_load_is_told(service: Service) -> None:
    handler.handle(LOADED, CONTEXT)

    assert service.jobs == ["load.cats"] * 2 + ["relation.cats"] * 2


def test_a_service_that_takes_nothing_is_asked_once(service: Service) -> None:
    service.status = 503
    handler.handle(LOADED, CONTEXT)

    assert service.jobs == ["load.cats"]


def test_a_warm_function_reads_its_key_once(service: Service) -> None:
    handler.handle(LOADED, CONTEXT)
    boto3.client("secretsmanager").delete_secret(
        SecretId="lineage", ForceDeleteWithoutRecovery=True
    )
    handler.handle(LOADED, CONTEXT)

    assert service.jobs == (["load.cats"] * 2 + ["relation.cats"] * 2) * 2
