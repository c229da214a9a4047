"""From YAML to a request: base URL and path, parameters, placeholders, secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, TypeAlias
from urllib.parse import quote

import msgspec

from lambdas.core.dataset import Api, Endpoint
from lambdas.core.errors import BadInput
from lambdas.core.http.auth import Resolve
from lambdas.core.http.message import HttpRequest
from lambdas.core.http.urls import join

Value: TypeAlias = str | int | float | msgspec.Raw | None
"""What a placeholder stands for. A number of a parent's row is Raw: as it was written.
None means that there is no such value yet (no end, or a first pull from the start)."""

Values: TypeAlias = Mapping[str, Value]
"""By placeholder: `{"incremental.start_value": "2013-01-01T00:00:00Z"}`."""

USER_AGENT = "catflap"

_PLACEHOLDER = re.compile(r"\{((?:incremental|parent)\.[A-Za-z_][A-Za-z0-9_]*)\}")
SECRET = "secret:"  # noqa: S105 - the prefix of a reference


def base_request(
    api: Api, endpoint: Endpoint, *, values: Values, resolve: Resolve
) -> HttpRequest:
    """The dataset's own request, before paging and without auth.

    A parameter or header whose placeholder has no value yet is left out; in a path
    that is an error. In a path, values are percent-encoded. Raises BadInput.
    """
    headers = {
        "User-Agent": USER_AGENT,
        "Accept": _ACCEPT[endpoint.body_format],
        **_texts(api.headers, values, resolve),
    }
    own = _texts(endpoint.headers, values, resolve)
    replaced = {name.lower() for name in own}
    headers = {k: v for k, v in headers.items() if k.lower() not in replaced} | own
    body = (
        None
        if endpoint.json_body is None
        else {
            name: value
            for name, given in endpoint.json_body.items()
            if (value := _fill_json(given, values, resolve)) is not _ABSENT
        }
    )
    return HttpRequest(
        method=endpoint.method,
        url=join(resolve(api.base_url), filled_path(endpoint.path, values)),
        params=_texts(endpoint.params, values, resolve),
        headers=headers,
        json=body,
    )


_ACCEPT = {
    "json": "application/json, */*;q=0.5",
    "jsonl": "application/x-ndjson, application/jsonl, */*;q=0.5",
    "csv": "text/csv, */*;q=0.5",
}
_ABSENT = object()


def secrets_in(api: Api, endpoint: Endpoint, resolve: Resolve) -> frozenset[str]:
    """Secrets that stand in headers, parameters or the body rather than in auth."""
    texts: list[object] = [api.base_url, *api.headers.values()]
    texts += [*endpoint.headers.values(), *endpoint.params.values()]
    texts += _leaves(endpoint.json_body)
    return frozenset(
        resolve(text)
        for text in texts
        if isinstance(text, str) and text.startswith(SECRET)
    )


def secret_params(endpoint: Endpoint) -> frozenset[str]:
    """Names of query parameters whose value is a secret."""
    return frozenset(
        name
        for name, value in endpoint.params.items()
        if isinstance(value, str) and value.startswith(SECRET)
    )


Part: TypeAlias = Literal["path", "params", "headers", "json"]
_PARTS: tuple[Part, ...] = ("path", "params", "headers", "json")


def placeholders_in(endpoint: Endpoint, *parts: Part) -> frozenset[str]:
    """The names of the placeholders in these parts of an endpoint, or in all."""
    texts: Mapping[Part, object] = {
        "path": endpoint.path,
        "params": endpoint.params,
        "headers": endpoint.headers,
        "json": endpoint.json_body,
    }
    return frozenset(
        name
        for part in parts or _PARTS
        for leaf in _leaves(texts[part])
        if isinstance(leaf, str) and not leaf.startswith(SECRET)
        for name in _PLACEHOLDER.findall(leaf)
    )


def _texts(
    given: Mapping[str, str | int | float | bool], values: Values, resolve: Resolve
) -> dict[str, str]:
    filled = {name: _fill(value, values, resolve) for name, value in given.items()}
    return {
        name: _text(value) for name, value in filled.items() if value is not _ABSENT
    }


def _text(value: object) -> str:
    """A parameter as text; booleans and numbers as JSON writes them."""
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()
    return str(value).lower() if isinstance(value, bool) else str(value)


def _fill(value: object, values: Values, resolve: Resolve) -> object:
    """`value` with its placeholders filled; `_ABSENT` if one has no value yet."""
    if not isinstance(value, str):
        return value
    if value.startswith(SECRET):
        return resolve(value)
    whole = _PLACEHOLDER.fullmatch(value)
    if whole is not None:
        found = _look_up(whole[1], values)
        return _ABSENT if found is None else found
    names = _PLACEHOLDER.findall(value)
    if any(_look_up(name, values) is None for name in names):
        return _ABSENT
    return _PLACEHOLDER.sub(lambda match: _text(_look_up(match[1], values)), value)


def _fill_json(value: object, values: Values, resolve: Resolve) -> object:
    match value:
        case dict():
            filled = {k: _fill_json(v, values, resolve) for k, v in value.items()}
            return {k: v for k, v in filled.items() if v is not _ABSENT}
        case list():
            items = [_fill_json(v, values, resolve) for v in value]
            return [item for item in items if item is not _ABSENT]
    return _fill(value, values, resolve)


def filled_path(path: str, values: Values) -> str:
    """`path` with its placeholders filled, each value percent-encoded: none of its
    slashes, dots or question marks means anything. Raises BadInput.
    """

    def encoded(match: re.Match[str]) -> str:
        value = _look_up(match[1], values)
        if value is None:
            raise BadInput(
                f"path `{path}` needs {{{match[1]}}}, which has no value yet; give "
                "incremental.initial_value, or move it into params"
            )
        return quote(_text(value), safe=":@!$'()*,~")

    return _PLACEHOLDER.sub(encoded, path)


def _look_up(name: str, values: Values) -> Value:
    if name not in values:
        known = ", ".join(f"{{{key}}}" for key in sorted(values)) or "none here"
        raise BadInput(f"unknown placeholder {{{name}}}; known: {known}")
    return values[name]


def _leaves(value: object) -> list[object]:
    match value:
        case dict():
            return [leaf for inner in value.values() for leaf in _leaves(inner)]
        case list():
            return [leaf for inner in value for leaf in _leaves(inner)]
    return [value]
