"""Reading Snowflake's SQL as text, where fakesnow's parser has no words for it.

Everything here leaves what stands in quotes and comments alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from local.snowflake.account import not_understood

NAME = (
    r'(?:[A-Za-z_][\w$]*|"(?:[^"]|"")+")(?:\.(?:[A-Za-z_][\w$]*|"(?:[^"]|"")+")){0,2}'
)
_QUOTED = r"""'(?:[^'\\]|''|\\.)*'|"(?:[^"]|"")*\"|--[^\n]*|(?s:/\*.*?\*/)"""
"""Literals, quoted names, and comments, in which an apostrophe is one."""
_PART = re.compile(r'"((?:[^"]|"")+)"|([^."]+)')
_OPTION = re.compile(
    r"""(?P<key>[A-Za-z_]\w*)\s*=\s*(?P<value>'(?:[^'\\]|''|\\.)*'|\([^()]*\)|[^\s,()]+)""",
    re.DOTALL,
)
_COPY = re.compile(
    rf"""COPY\s+INTO\s+(?P<table>{NAME})\s*(?P<columns>\([^()]*\))?\s*
         FROM\s*(?P<source>@\S+|\()""",
    re.IGNORECASE | re.VERBOSE,
)
_STAGED = {
    "$1": "_DOCUMENT",
    "METADATA$FILENAME": "_NAME",
    "METADATA$FILE_ROW_NUMBER": "_LINE",
    "METADATA$START_SCAN_TIME": "_SCANNED",
}
STAGED_RELATION = "_STAGED"


def outside_quotes(pattern: str, replace: Callable[[str], str], text: str) -> str:
    """`text` with each match of `pattern` (case ignored) replaced, literals aside."""
    either = re.compile(rf"({_QUOTED})|({pattern})", re.IGNORECASE)
    return either.sub(lambda match: match[1] or replace(match[2]), text)


def complete(name: str, database: str | None, schema: str | None) -> str:
    """A name as written, as `DB.SCHEMA.NAME` in the case Snowflake keeps."""
    parts = [
        quoted.replace('""', '"') if quoted else plain.upper()
        for quoted, plain in _PART.findall(name)
    ]
    context = [part for part in (database, schema) if part]
    return ".".join([*context[: max(0, 3 - len(parts))], *parts])


def text_of(quoted: str) -> str:
    """The value of a text literal."""
    return re.sub(r"\\(.)|''", lambda m: m[1] or "'", quoted[1:-1])


def options(text: str) -> Mapping[str, str]:
    """`KEY = value` pairs, keys upper-case, literals unquoted, lists as they are."""
    return {
        match["key"].upper(): text_of(match["value"])
        if match["value"].startswith("'")
        else match["value"]
        for match in _OPTION.finditer(text)
    }


def texts(listed: str) -> tuple[str, ...]:
    """The literals of a list such as `('a', 'b')`."""
    return tuple(text_of(found) for found in re.findall(_QUOTED, listed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A COPY INTO, taken apart. `select` reads STAGED_RELATION; `path` is below the
    stage.
    """

    table: str
    columns: str
    select: str
    stage: str
    path: str
    options: Mapping[str, str]


def parse_copy(text: str) -> Copy:
    """Take a COPY INTO apart; ProgrammingError if it is none."""
    head = _COPY.match(text.strip())
    if head is None:
        raise not_understood(text)
    body = text.strip()
    if head["source"].startswith("@"):
        select, location = "SELECT $1 FROM " + head["source"], head["source"]
        rest = body[head.end() :]
    else:
        end = closing(body, head.end() - 1)
        select, rest = body[head.end() : end], body[end + 1 :]
        found = re.search(r"@\S+", outside_quotes(r"\x00", str, select))
        if found is None:
            raise not_understood(text)
        location = found[0]
    stage, _, path = location[1:].partition("/")
    rewritten = outside_quotes(
        r"@[^\s)]+|\$1\b|METADATA\$\w+",
        lambda token: STAGED_RELATION if token[0] == "@" else _STAGED[token.upper()],
        select,
    )
    return Copy(
        table=head["table"],
        columns=head["columns"] or "",
        select=rewritten,
        stage=stage,
        path=path,
        options={**options(rest), **options(_format(rest))},
    )


def _format(rest: str) -> str:
    found = re.search(r"FILE_FORMAT\s*=\s*\(([^()]*)\)", rest, re.IGNORECASE)
    return found[1] if found else ""


def closing(text: str, opening: int) -> int:
    """Where the parenthesis at `opening` closes, literals aside."""
    depth, at = 0, opening
    quoted = re.compile(_QUOTED)
    while at < len(text):
        if text[at] in "'\"-/" and (match := quoted.match(text, at)):
            at = match.end()
            continue
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return at
        at += 1
    raise not_understood(text)


def with_clock(text: str, now: datetime) -> str:
    """`text` with the current time as a value: DuckDB's own clock cannot be set."""
    value = f"'{now.isoformat()}'::TIMESTAMP_TZ"
    return outside_quotes(
        r"\b(?:CURRENT_TIMESTAMP|SYSTIMESTAMP|GETDATE|SYSDATE)\b(?:\s*\(\s*\))?",
        lambda _: value,
        text,
    )
