"""A fault: what is wrong in a file that a person wrote, and where."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TypeAlias

Key: TypeAlias = str | int
Location: TypeAlias = tuple[Key, ...]
"""Keys and indexes from the top of a file."""

LONGEST_TEXT = 80
_BARE_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Text of unknown origin on one line: a terminal may obey control characters."""
    return _CONTROL.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def quoted(text: str) -> str:
    """Text of unknown origin in quotes, on one line, cut where it gets long."""
    if len(text) > LONGEST_TEXT:
        text = f"{text[:LONGEST_TEXT]}…"
    return printable(json.dumps(text, ensure_ascii=False))


def key_path(location: Location) -> str:
    """`source.endpoint.response_actions[0].action`; `document` for the whole file."""
    path = ""
    for key in location:
        if isinstance(key, int):
            path += f"[{key}]"
        elif _BARE_KEY.fullmatch(key):
            path += f".{key}" if path else key
        else:
            path += f"[{quoted(key)}]"
    return path or "document"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Fault:
    """One line of `catflap check`: `sentence` is "what is wrong; what is accepted"."""

    file: str
    line: int
    key: str
    sentence: str
    is_warning: bool = False

    def __str__(self) -> str:
        kind = "warning: " if self.is_warning else ""
        return f"{printable(self.file)}:{self.line}: {self.key}: {kind}{self.sentence}"
