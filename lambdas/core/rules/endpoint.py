"""The rules of an endpoint that types cannot say: placeholders, actions, the cursor."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import JsonValue

from lambdas.core.dataset import Dataset, Endpoint
from lambdas.core.rules.api import header_findings, path_findings, secret_findings
from lambdas.core.rules.cursor import cursor_findings
from lambdas.core.rules.findings import Finding, Location

WINDOW_VALUES = ("start_value", "end_value", "initial_value", "last_value")
"""What `{incremental.…}` can stand for; `last_value` is dlt's old name of the start."""

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_OPEN_PLACEHOLDER = re.compile(r"\{\s*(?:incremental|parent)\b[^{}]*$")
_DOTTED = re.compile(r"([A-Za-z_]+)\.([A-Za-z_][A-Za-z0-9_]*)")
_NAMESPACES = ("incremental", "parent")


def endpoint_findings(dataset: Dataset, endpoint: Endpoint) -> Iterator[Finding]:
    """What is wrong with an endpoint beyond its types."""
    at: Location = ("source", "endpoint")
    yield from path_findings((*at, "path"), endpoint.path)
    if endpoint.json_body is not None and endpoint.method != "POST":
        yield Finding(
            key=(*at, "json"),
            sentence="a GET has no body; accepted: `method: POST`, or no json",
            because=((*at, "method"),),
        )
    yield from header_findings((*at, "headers"), endpoint.headers)
    texts: dict[str, JsonValue] = {
        "path": endpoint.path,
        "params": dict(endpoint.params),
        "headers": dict(endpoint.headers),
        "json": endpoint.json_body,
    }
    for key, value in texts.items():
        yield from secret_findings((*at, key), value)
        yield from _placeholder_findings((*at, key), value, dataset)
    for index, action in enumerate(endpoint.response_actions):
        if action.status_code is None and action.content is None:
            yield Finding(
                key=(*at, "response_actions", index),
                sentence="says of no answer what to do; accepted: `status_code`, "
                "`content` or both",
                because=((*at, "response_actions", index),),
            )
    if endpoint.incremental is not None:
        yield from cursor_findings((*at, "incremental"), endpoint.incremental, dataset)


def _placeholder_findings(
    key: Location, value: JsonValue, dataset: Dataset
) -> Iterator[Finding]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _placeholder_findings((*key, name), below, dataset)
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _placeholder_findings((*key, index), below, dataset)
    elif isinstance(value, str):
        if _OPEN_PLACEHOLDER.search(value):
            yield Finding(
                key=key,
                sentence="a placeholder begins with { and does not end; accepted: "
                f"{_placeholders(dataset)}",
            )
        for match in _PLACEHOLDER.finditer(value):
            yield from _one_placeholder(key, match[1], dataset)


def _one_placeholder(key: Location, text: str, dataset: Dataset) -> Iterator[Finding]:
    """Braces are judged if they look like a placeholder: bodies may hold GraphQL."""
    dotted = _DOTTED.fullmatch(text)
    meant = text.strip().partition(".")[0].strip() in _NAMESPACES
    in_path = key[-1] == "path"
    if not (dotted or meant or in_path):
        return
    endpoint, parent = dataset.source.endpoint, dataset.source.parent
    namespace, name = dotted.groups() if dotted else ("", "")
    incremental: Location = ("source", "endpoint", "incremental")
    fields: Location = ("source", "parent")
    if namespace == "incremental" and name in WINDOW_VALUES:
        if endpoint is not None and endpoint.incremental is None:
            yield Finding(
                key=key,
                sentence=f"`{{{text}}}` needs source.endpoint.incremental, which is "
                "not there; accepted: `incremental: {cursor_path: …}`, or no "
                "placeholder",
                because=(incremental,),
            )
    elif namespace == "parent" and parent is None:
        yield Finding(
            key=key,
            sentence=f"`{{{text}}}` needs source.parent, which is not there; "
            f"accepted: {_placeholders(dataset)}",
            because=(fields,),
        )
    elif namespace != "parent" or (parent is not None and name not in parent.fields):
        yield Finding(
            key=key,
            sentence=f"`{{{text}}}` is not a known placeholder; "
            f"accepted: {_placeholders(dataset)}",
            because=(fields,),
        )


def _placeholders(dataset: Dataset) -> str:
    parent = dataset.source.parent
    return ", ".join(
        [
            *(f"{{incremental.{name}}}" for name in WINDOW_VALUES),
            *(f"{{parent.{name}}}" for name in (parent.fields if parent else ())),
        ]
    )
