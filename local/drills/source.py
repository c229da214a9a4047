"""A small API on loopback that can be made to misbehave in every way an API can.

It shows one row for each five minutes of simulated time, oldest first, from
`?since=` on; `?newest=1` shows the last one only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from local.loopback import JSON, Answer, Asked, LoopbackServer

EVERY = timedelta(minutes=5)
FIRST_TOKEN = "the-first-token"  # noqa: S105 - of an API of our own, on loopback


@dataclass(kw_only=True)
class Manners:
    """How the API answers just now. `None` and the defaults are good manners."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    selector: str = "rows"
    event_field: str = "seen_at"
    is_empty: bool = False
    note: str = "on the wall"
    before_answer: Callable[[], None] | None = None


class Source:
    """The rows, and the server that shows them."""

    def __init__(self, *, first: datetime, cursor: str) -> None:
        """Rows begin at `first`; `cursor` is the field that `?since=` compares."""
        self.manners = Manners()
        self.token = FIRST_TOKEN
        self.is_held = False
        self._rows: list[dict[str, object]] = []
        self._next = first
        self._cursor = cursor
        self.server = LoopbackServer(self._answer)

    def release(self, now: datetime) -> None:
        """Let every row up to `now` appear, unless the source is held."""
        while not self.is_held and self._next <= now:
            self.add(self._next)
            self._next += EVERY

    def add(self, seen_at: datetime, *, name: str = "Tom") -> None:
        """One more row."""
        number = len(self._rows) + 1
        self._rows.append(
            {"id": number, "seen_at": f"{seen_at:%Y-%m-%dT%H:%M:%SZ}", "name": name}
        )

    def remove_after(self, moment: datetime) -> None:
        """Take back the rows that carry a later time."""
        last = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
        self._rows = [row for row in self._rows if str(row["seen_at"]) <= last]

    def _answer(self, asked: Asked) -> Answer:
        allowed = asked.headers.get("authorization") == f"Bearer {self.token}"
        status, content = self.answer(asked.query, allowed=allowed)
        return Answer(
            status=status,
            body=json.dumps(content).encode(),
            headers={**JSON, **self.manners.headers},
        )

    def answer(
        self, given: Mapping[str, str], *, allowed: bool
    ) -> tuple[int, dict[str, Any]]:
        """Status and content for a request."""
        manners = self.manners
        if manners.before_answer is not None:
            manners.before_answer()
        if manners.status is not None:
            return manners.status, {"error": "not now"}
        if not allowed:
            return 401, {"error": "who are you?"}
        rows = [] if manners.is_empty else self._asked(given)
        shown = [self._shown(row) for row in rows]
        return 200, {manners.selector: shown, "next": None}

    def _asked(self, given: Mapping[str, str]) -> list[dict[str, object]]:
        if "newest" in given:
            return sorted(self._rows, key=lambda row: str(row["seen_at"]))[-1:]
        since = given.get("since", "")
        if self._cursor == "id":
            return [row for row in self._rows if int(str(row["id"])) >= int(since or 0)]
        return [row for row in self._rows if str(row["seen_at"]) >= since]

    def _shown(self, row: dict[str, object]) -> dict[str, object]:
        return {
            "id": row["id"],
            "name": row["name"],
            self.manners.event_field: row["seen_at"],
            "note": self.manners.note,
        }
