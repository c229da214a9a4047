from __future__ import annotations

import json
from typing import Any

import pytest

from lambdas.core.dataset import Api, Dataset
from lambdas.core.rules.api import client_findings
from lambdas.core.rules.plain_secrets import is_plain_secret, plain_in_api

TOKEN = "ghp_" + "a1B2" * 9
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_key", "abc"),
        ("apiKey", "abc"),
        ("X-API-Key", "abc"),
        ("access_token", "abc"),
        ("token", "abc"),
        ("X-Auth-Token", "abc"),
        ("Authorization", "whatever"),
        ("Ocp-Apim-Subscription-Key", "abc"),
        ("client_secret", "abc"),
        ("password", "hunter2"),
        ("password", 12345678),
        ("Cookie", "sid=1"),
        ("key", "AIzaSyD4iE2xVSpkLLOXoyqT-RuPwURN3ddScAI"),
        ("key", "4f1c9a77b2e84d6c"),
        ("appid", "b6907d289e10d714a6e88b30761fae22"),
        ("q", TOKEN),
        ("X-Thing", JWT),
        ("X-Thing", "Bearer abcdefgh12"),
        ("X-Thing", "Basic dXNlcjpwYXNz"),
        ("filter", "AKIAIOSFODNN7EXAMPLE"),
    ],
)
def test_what_sounds_or_looks_like_a_secret_is_one(name: str, value: object) -> None:
    assert is_plain_secret(name, value)  # type: ignore[arg-type] # a JSON value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_key", "secret:cats#key"),
        ("api_key", ""),
        ("page_token", "abc"),
        ("pageToken", "CAUQAA"),
        ("nextPageToken", "x"),
        ("continuation_token", "x"),
        ("sync_token", "x"),
        ("max_tokens", 100),
        ("author", "Smith"),
        ("key", "issuetype"),
        ("sort_key", "name"),
        ("keys", "a,b"),
        ("keyword", "cats"),
        ("token", "{incremental.start_value}"),
        ("with_password", True),
        ("monkey", "x"),
        ("turkey_id", "5"),
        ("Accept", "application/vnd.github+json"),
        ("X-GitHub-Api-Version", "2022-11-28"),
        ("User-Agent", "catflap/0.2 (data-eng@example.com)"),
        ("signature_date", "2026-01-01"),
        ("fields", "id,name,secret_type"),
        ("since", "2026-01-01T00:00:00Z"),
        ("id", "0b9a3f0e-2f5b-4c59-9d4f-8f0b2f0f8a11"),
    ],
)
def test_what_pages_filters_or_is_a_reference_is_none(name: str, value: object) -> None:
    assert not is_plain_secret(name, value)  # type: ignore[arg-type] # a JSON value


def dataset(endpoint: dict[str, Any], **more: Any) -> Dataset:
    document = json.dumps(
        {
            "name": "cats",
            "description": "cats",
            "owner": {"team": "x"},
            "source": {"client": "cats", "endpoint": {"path": "cats", **endpoint}},
            "schedule": {"rate": "1 hour"},
            **more,
        }
    )
    return Dataset.model_validate_json(document)


FAR, NEAR = "https://api.example.com/", "http://127.0.0.1:9/"


@pytest.mark.parametrize(
    ("endpoint", "key"),
    [
        ({"params": {"api_key": "abc"}}, ("params", "api_key")),
        ({"headers": {"X-Api-Key": "abc"}}, ("headers", "X-Api-Key")),
        ({"method": "POST", "json": {"auth": [{"token": "abc"}]}},
         ("json", "auth", 0, "token")),
        ({"path": "cats?page=1&api_key=abc"}, ("path",)),
    ],
)  # fmt: skip
def test_a_secret_in_an_endpoint_is_found_wherever_it_stands(
    endpoint: dict[str, Any], key: tuple[str | int, ...]
) -> None:
    asked = dataset(endpoint)
    far = list(client_findings(asked, Api(base_url=FAR)))
    assert [one.key for one in far] == [("source", "endpoint", *key)]
    assert "abc" not in far[0].sentence
    assert not list(client_findings(asked, Api(base_url=NEAR)))
    assert len(list(client_findings(asked, None))) == 1, "an API that is not known"


def test_a_probes_secret_is_found_too() -> None:
    asked = dataset(
        {},
        freshness={
            "probe": {"path": "x", "params": {"token": "abc"}, "newest_at": "a"}
        },
    )
    (found,) = client_findings(asked, Api(base_url=FAR))
    assert found.key == ("freshness", "probe", "params", "token")


def test_a_secret_in_an_apis_headers_is_found() -> None:
    api = Api(base_url=FAR, headers={"Accept": "*/*", "Authorization": "Bearer abc"})
    assert [one.key for one in plain_in_api(api)] == [("headers", "Authorization")]


def test_renewing_needs_an_auth_that_fetches_tokens() -> None:
    asked = dataset({"response_actions": [{"status_code": 403, "action": "renew"}]})
    (found,) = client_findings(asked, Api(base_url=FAR))
    assert found.key[-1] == "action"
    assert "begins with oauth2_" in found.sentence
    auth = {
        "type": "oauth2_refresh_token",
        "access_token_url": "https://a.example.com/token",
        "client_id": "x",
        "client_secret": "secret:cats#secret",
        "refresh_token": "secret:cats#refresh",
    }
    api = Api.model_validate({"base_url": FAR, "auth": auth})
    assert not list(client_findings(asked, api))
