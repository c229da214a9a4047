"""A pull from `tests.api_server`, as tests make it, and what APIs look like."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.adapters.sources.api_pages import ApiPages
from lambdas.adapters.sources.http_api import HttpApi
from lambdas.core.dataset import Api, Endpoint
from lambdas.core.errors import RunErrorKind, Terminal, UpstreamError
from lambdas.core.pull.ports import Page
from lambdas.core.source.request import Values
from tests.api_server import Answer, ApiServer, Asked, answer_json, basic, rows

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
CANARY = "CANARY-7f3a/b+c"
ROWS = rows(25)
SIZE = 10


class PlannedClock:
    """Time that passes only when it is slept."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return NOW + timedelta(seconds=sum(self.slept))

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def monotonic(self) -> float:
        return sum(self.slept)


class PlannedSecrets:
    """One secret, kept as Secrets Manager keeps it."""

    def value(self, reference: str) -> str:
        if not reference.startswith("secret:"):
            return reference
        if reference != "secret:cats#key":
            raise Terminal(f"no secret `{reference}`", kind=RunErrorKind.AUTH)
        return CANARY


class Pull:
    """A pull from a server, with what it left behind."""

    def __init__(
        self,
        server: ApiServer,
        endpoint: Mapping[str, object],
        *,
        api: Mapping[str, object] | None = None,
        deadline_s: float = 900,
        values: Values | None = None,
        position: object = None,
        max_body_bytes: int = 1_000_000,
        needed: frozenset[str] = frozenset(),
    ) -> None:
        settings = {"base_url": server.url, "timeout": 5, **(api or {})}
        self.clock = PlannedClock()
        self.http = HttpApi(
            api=Api.model_validate_json(json.dumps(settings)),
            secrets=PlannedSecrets(),
            clock=self.clock,
            random=lambda: 0.0,
            deadline_s=deadline_s,
            max_body_bytes=max_body_bytes,
        )
        self.source = ApiPages(
            http=self.http,
            endpoint=Endpoint.model_validate_json(
                json.dumps({"path": "cats", **endpoint})
            ),
            values=values or {},
            position=position,  # type: ignore[arg-type] # a JSON value, by its test
            needed=needed,
        )

    def pages(self) -> list[Page]:
        return list(self.source.pages())

    def records(self) -> list[dict[str, object]]:
        return [json.loads(one) for page in self.pages() for one in page.records]

    def fails(self, error: type[UpstreamError] = UpstreamError) -> UpstreamError:
        """The error it ends with, which holds no secret and names page and URL."""
        with pytest.raises(error) as caught:
            self.pages()
        chain: list[BaseException] = []
        link: BaseException | None = caught.value
        while link is not None:
            chain.append(link)
            link = link.__cause__ or (
                None if link.__suppress_context__ else link.__context__
            )
        for one in chain:
            assert "CANARY" not in f"{one}{one!r}{one.args}"
        assert str(caught.value).startswith("page ")
        assert "http://127.0.0.1:" in str(caught.value)
        return caught.value


LONG = b"[" + b" " * 2_000_000 + b"]"
GOOD = answer_json([{"id": 1}])


def failing(status: int, **headers: str) -> Answer:
    return Answer(
        status=status,
        body=b"sorry",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


NONE_NEEDED = "none"
AUTHS: dict[str, tuple[dict[str, object] | None, Callable[[Asked], bool]]] = {
    NONE_NEEDED: (None, lambda asked: "authorization" not in asked.headers),
    "bearer": (
        {"type": "bearer", "token": "secret:cats#key"},
        lambda asked: asked.headers.get("authorization") == f"Bearer {CANARY}",
    ),
    "api_key in a header": (
        {"type": "api_key", "name": "X-Key", "api_key": "secret:cats#key"},
        lambda asked: asked.headers.get("x-key") == CANARY,
    ),
    "api_key in the query": (
        {
            "type": "api_key",
            "name": "key",
            "api_key": "secret:cats#key",
            "location": "query",
        },
        lambda asked: asked.query.get("key") == CANARY,
    ),
    "api_key in a cookie": (
        {
            "type": "api_key",
            "name": "sid",
            "api_key": "secret:cats#key",
            "location": "cookie",
        },
        lambda asked: asked.headers.get("cookie") == f"sid={CANARY}",
    ),
    "http_basic": (
        {"type": "http_basic", "username": "tom", "password": "secret:cats#key"},
        lambda asked: asked.headers.get("authorization") == basic("tom", CANARY),
    ),
    "oauth2_client_credentials": (
        {
            "type": "oauth2_client_credentials",
            "access_token_url": "{origin}/token",
            "client_id": "tom",
            "client_secret": "secret:cats#key",
        },
        lambda asked: asked.headers.get("authorization") == "Bearer CANARY-issued",
    ),
}
