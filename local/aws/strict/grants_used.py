"""Which grants of the roles were made use of: kept across runs in one file.

A pair of action and resource of a policy that no run ever used is one that nobody
needs, or one that a test is lacking for. The file's lines are the same for every
environment, account and region.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

FILE = "CATFLAP_USED_GRANTS"
"""The variable that names the file; without it nothing is kept."""

_PARTICULAR = (
    (re.compile(r"catflap-[a-z0-9]{1,7}(?=[-\"/])"), "catflap-ENV"),
    (re.compile(r"\b\d{12}\b"), "ACCOUNT"),
    (re.compile(r"\b[a-z]{2}-[a-z]+-\d\b"), "REGION"),
    (re.compile(r"schedules-\d+"), "schedules-N"),
    (re.compile(r"key/[0-9a-f-]{36}"), "key/KEY"),
    (re.compile(r"catalogue/[0-9a-f]{12}\.json"), "catalogue/VERSION.json"),
)
_ROLE = re.compile(r":assumed-role/(catflap-[^/]+)/")


class UsedGrants:
    """Keeps each pair once; several processes may append to one file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: set[str] = set()

    def keep(self, caller: str, pairs: Iterable[tuple[str, str]]) -> None:
        """That a session of one of our roles used them."""
        role = _ROLE.search(caller)
        if role is None:
            return
        for action, resource in pairs:
            line = general(json.dumps([role[1], action, resource]))
            if line not in self._known:
                self._known.add(line)
                with self._file.open("a") as opened:
                    opened.write(f"{line}\n")


def general(text: str) -> str:
    """Without the names of an environment, an account and a region, and without what
    differs from one deployment to the next.
    """
    for pattern, name in _PARTICULAR:
        text = pattern.sub(name, text)
    return text
