"""A lineage service: one try an event, and nobody waits for it."""

from __future__ import annotations

from typing import Any

import pytest
import urllib3

from lambdas.adapters.lineage import LineageEndpoint
from tests.api_server import Answer, Asked, serving


class Service:
    def __init__(self, status: int = 201) -> None:
        self.status = status
        self.got: list[Asked] = []

    def __call__(self, asked: Asked) -> Answer:
        self.got.append(asked)
        return Answer(status=self.status, body=b"")


class Key:
    def value(self, reference: str) -> str:
        assert reference == "secret:lineage#api_key"
        return "CANARY"


def endpoint(url: str, *, secret: str | None = None) -> LineageEndpoint:
    return LineageEndpoint(
        http=urllib3.PoolManager(), url=url, secrets=Key(), secret=secret
    )


DOCUMENTS: list[dict[str, Any]] = [{"eventType": "START"}, {"eventType": "COMPLETE"}]


def test_each_event_is_one_request_with_the_key() -> None:
    service = Service()
    with serving(service) as api:
        assert endpoint(api.url, secret="lineage").send(DOCUMENTS) == 2

    assert [one.json for one in service.got] == DOCUMENTS
    assert {one.path for one in service.got} == {"/api/v1/lineage"}
    assert service.got[0].headers["authorization"] == "Bearer CANARY"


def test_a_service_that_refuses_is_asked_once_and_nothing_is_raised(
    caplog: pytest.LogCaptureFixture,
) -> None:
    service = Service(503)
    with serving(service) as api:
        sent = endpoint(f"{api.url.rstrip('/')}/own/path", secret="lineage").send(
            DOCUMENTS
        )

    assert (sent, len(service.got)) == (0, 1)
    assert service.got[0].path == "/own/path"
    assert "it answered 503" in caplog.text
    assert "CANARY" not in caplog.text


def test_a_service_that_is_not_there_is_no_error() -> None:
    with serving(Service()) as api:
        pass
    assert endpoint(api.url).send(DOCUMENTS) == 0
