"""The YAML that `catflap new` writes: what was found, and the choices that are left."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from cli.new.guess import CursorField, Field, ages, columns_of, is_recent
from cli.new.sample import Sample
from lambdas.core.dataset import Endpoint
from project.fault import printable

_PLAIN = re.compile(r"[A-Za-z_$][A-Za-z0-9_.$/-]*")
_WORDS = frozenset({
    "null", "true", "false", "yes", "no", "on", "off", "y", "n", "none", "nan", "inf",
})  # fmt: skip
_ASTRAL = re.compile(r"\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetDraft:
    """All that goes into a dataset's file. `filter` are the parameters by which the
    API was seen to filter, with a placeholder for the cursor.
    """

    name: str
    shown_url: str
    client: str
    sample: Sample
    fields: Sequence[Field]
    key: Sequence[Field]
    possible_keys: Sequence[str]
    cursor: CursorField | None
    filter: Mapping[str, str]
    now: datetime


def scalar(value: JsonValue) -> str:
    """A value on one line: plain where YAML reads it as itself, else quoted."""
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
            return value
        return _quoted(value)
    if isinstance(value, dict):
        inner = ", ".join(f"{scalar(k)}: {scalar(v)}" for k, v in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(scalar, value))}]"
    return json.dumps(value)


def _quoted(text: str) -> str:
    """In double quotes; YAML has JSON's escapes but for pairs of surrogates."""
    escaped = json.dumps(text)

    def whole(match: re.Match[str]) -> str:
        code = json.loads(f'"{match.group()}"')
        return f"\\U{ord(code):08x}"

    return _ASTRAL.sub(whole, escaped)


def api_text(base_url: str, auth: Mapping[str, JsonValue] | None) -> str:
    """`apis/<api>.yaml`."""
    lines = [f"base_url: {scalar(base_url)}"]
    if auth is None:
        lines.append("# auth: {type: bearer, token: secret:NAME#KEY}   # none needed")
    else:
        lines.append(f"auth: {scalar(dict(auth))}")
    lines += [
        "retry: {max_attempts: 5, backoff_factor: 1, max_delay: 300}",
        "timeout: 60",
        "# rate_limit: {requests: 10, period: second}   # what the API allows",
    ]
    return "\n".join(lines) + "\n"


def dataset_text(found: DatasetDraft) -> str:
    """`datasets/<name>.yaml`."""
    endpoint = found.sample.endpoint
    description = scalar(f"{found.name}, as {found.shown_url} has it")
    lines = [
        f"description: {description}   # what it is, for the people who use it",
        "owner: {team: change-me}   # who owns it; also slack and stakeholders",
        "source:",
        f"  client: {found.client}",
        "  endpoint:",
        f"    path: {scalar(endpoint.path)}",
        *_question(endpoint),
        *_params(found),
    ]
    if endpoint.body_format != "json":
        lines.append(f"    format: {_format(endpoint)}")
    elif found.sample.nested:
        lines += _comment(found.sample.nested)
    elif found.sample.selector is not None:
        lines.append(f"    data_selector: {scalar(found.sample.selector)}")
    lines += [
        *_paginator(found.sample),
        *_incremental(found),
        *_key(found),
        "schedule: {rate: 1 hour}",
        *_columns(found),
        *_freshness(found),
    ]
    return "\n".join(lines) + "\n"


def _params(found: DatasetDraft) -> list[str]:
    params: dict[str, JsonValue] = {**found.sample.endpoint.params, **found.filter}
    lines = []
    if params:
        lines.append("    params:")
        lines += [f"      {scalar(name)}: {scalar(v)}" for name, v in params.items()]
    if found.cursor is not None and not found.filter:
        # a second `params:` would be a fault, so what is commented fits in the first
        indent, head = ("      ", []) if params else ("    ", ["    # params:"])
        lines += [
            f"{indent}# if the API can filter by time, name its parameter: then a pull",
            f"{indent}# asks only for what is new; without it, it reads everything",
            *head,
            '      # updated_since: "{incremental.start_value}"',
        ]
    return lines


def _format(endpoint: Endpoint) -> str:
    if endpoint.body_format == "csv" and endpoint.csv.delimiter != ",":
        delimiter = json.dumps(endpoint.csv.delimiter)
        return f"{{type: csv, delimiter: {delimiter}}}"
    return endpoint.body_format


def _question(endpoint: Endpoint) -> list[str]:
    """The method and the body, if it is not a plain GET."""
    if endpoint.method == "GET":
        return []
    lines = ["    method: POST"]
    if endpoint.json_body:
        lines.append(f"    json: {scalar(dict(endpoint.json_body))}")
    return lines


def _paginator(sample: Sample) -> list[str]:
    if sample.paginator is not None:
        return [f"    paginator: {scalar(dict(sample.paginator))}"]
    if sample.is_all:
        return [
            "    # everything fits one page; later `auto` finds how pages go on,",
            "    # or say how:",
            "    # paginator: {type: page_number, base_page: 1, page_param: page}",
        ]
    where = "body_path" if sample.endpoint.method == "POST" else "param"
    return [
        *_comment(
            f"{sample.sign}. Nothing in the answer says how to ask for the next page. "
            "Choose one:"
        ),
        f"    # paginator: {{type: page_number, base_page: 1, page_{where}: page}}",
        f"    # paginator: {{type: offset, limit: 100, offset_{where}: offset}}",
        f"    # paginator: {{type: cursor, cursor_path: next, cursor_{where}: cursor}}",
        "    # paginator: {type: single_page}   # if the first page is all you want",
    ]


def _comment(sentence: str) -> list[str]:
    """A sentence as comments of an endpoint."""
    return [f"    # {line}" for line in textwrap.wrap(printable(sentence), 80)]


def _incremental(found: DatasetDraft) -> list[str]:
    cursor = found.cursor
    if cursor is None:
        return [
            "    # no field says when a record was created or changed, so that a",
            "    # pull reads everything; if there is such a field, name it:",
            "    # incremental: {cursor_path: updated_at}",
        ]
    lines = ["    incremental:"]
    if not cursor.is_update:
        lines.append("      # when a record was created; later changes are not seen")
    lines.append(f"      cursor_path: {scalar(cursor.field.path)}")
    if cursor.is_naive:
        lines.append("      timezone: UTC   # the times have no offset: is it UTC?")
    if not cursor.field.is_full:
        lines.append(
            "      on_cursor_value_missing: include   # some records have none"
        )
    if cursor.order is not None:
        lines.append(
            f"      # row_order: {cursor.order}   # as the sample was; if that is sure,"
            " a pull can stop early"
        )
    return lines


def _key(found: DatasetDraft) -> list[str]:
    if found.key:
        paths: list[JsonValue] = [field.path for field in found.key]
        return [f"primary_key: {scalar(paths)}", "write_disposition: merge"]
    maybe = found.possible_keys[0] if found.possible_keys else "id"
    lines = [
        "# no field surely identifies a record; with a key, a record that comes again",
        "# replaces the older one. Unique in the sample: "
        + (printable(" or ".join(f"[{one}]" for one in found.possible_keys)) or "none"),
        f"# primary_key: [{printable(maybe)}]",
        "# write_disposition: merge",
        "write_disposition: append",
    ]
    if found.cursor is None:
        lines.insert(2, "# Without a cursor, every pull lands every row again.")
    return lines


def _columns(found: DatasetDraft) -> list[str]:
    columns = columns_of(found.fields)
    typed = [(name, one) for name, one in columns.items() if one.type is not None]
    lines = ["columns:"] if typed else []
    for name, field in typed:
        kind: JsonValue = field.type
        if field.names != (name,):
            kind = {"type": field.type, "path": field.path}
        lines.append(f"  {scalar(name)}: {scalar(kind)}")
    for name, field in columns.items():
        if field.type is None:
            lines.append(
                f"{'  ' if typed else ''}# {scalar(name)}: string   # all null"
            )
    return lines


def _freshness(found: DatasetDraft) -> list[str]:
    cursor = found.cursor
    if cursor is None:
        return [
            "# freshness:",
            "#   warn_after: {count: 2, period: hour}   # judged by load time",
            "#   error_after: {count: 6, period: hour}",
        ]
    (warn, warn_of), (error, error_of) = ages(cursor)
    active = is_recent(cursor, found.now) and not cursor.is_naive
    sign = "" if active else "# "
    newest = cursor.newest.isoformat() if cursor.newest else "no time"
    lines = [
        f"# a suggestion; the newest in the sample is {newest}:",
        f"{sign}freshness:",
        f"{sign}  loaded_at_field: {scalar(cursor.field.path)}",
        f"{sign}  warn_after: {{count: {warn}, period: {warn_of}}}",
        f"{sign}  error_after: {{count: {error}, period: {error_of}}}",
    ]
    if cursor.field.type in {"integer", "number"}:
        # a column of the table is a time; a count of seconds is none
        return [lines[0], *(f"# {one.removeprefix('# ')}" for one in lines[1:])]
    return lines
