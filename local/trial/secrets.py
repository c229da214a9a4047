"""The secrets of a project, from whatever holds them on this machine."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import JsonValue

from lambdas.core.dataset import Catalogue, to_json_value

_REFERENCE = re.compile(r"secret:(?P<name>[^#\s]+)#(?P<key>\S+)")


def put_secrets(
    client: Any,  # noqa: ANN401 - boto3's client
    catalogue: Catalogue,
    value_of: Callable[[str, str], str | None],
) -> list[tuple[str, str]]:
    """Put every secret of a catalogue into Secrets Manager; `value_of` name and key.

    Returns those that have no value: what needs one will say so itself.
    """
    values: dict[str, dict[str, str]] = defaultdict(dict)
    missing: list[tuple[str, str]] = []
    for name, key in sorted(set(_references(to_json_value(catalogue)))):
        value = value_of(name, key)
        if value:
            values[name][key] = value
        else:
            missing.append((name, key))
    for name, members in values.items():
        text = json.dumps(members)
        try:
            client.create_secret(Name=name, SecretString=text)
        except client.exceptions.ResourceExistsException:
            client.put_secret_value(SecretId=name, SecretString=text)
    return missing


def _references(value: JsonValue) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            if match := _REFERENCE.fullmatch(value):
                yield match["name"], match["key"]
        case list():
            for element in value:
                yield from _references(element)
        case dict():
            for element in value.values():
                yield from _references(element)
