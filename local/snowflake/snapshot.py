"""What an account holds, in a folder: the rows of its tables, the history of their
loads, and what each pipe remembers. What a deployment makes is not kept: it is made
again before a snapshot is restored.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from local.snowflake.account import Pipe
from local.snowflake.snowpipe import HISTORY

_PIPES = "pipes.json"
_REMEMBERED = (
    "seen", "pending", "state", "paused_at", "last_forwarded_at", "last_ingested_at",
    "last_ingested_path",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SnowflakeSnapshot:
    """Its caller holds the account's lock."""

    connection: duckdb.DuckDBPyConnection
    pipes: dict[str, Pipe]

    def save(self, folder: Path) -> None:
        """Write it to an empty folder."""
        for number, table in enumerate(self._tables()):
            at = folder / f"{number}.parquet"
            self.connection.execute(f"COPY {table} TO '{at}' (FORMAT parquet)")
            at.with_suffix(".table").write_text(table)
        kept = {
            name: {key: getattr(pipe, key) for key in _REMEMBERED}
            for name, pipe in self.pipes.items()
        }
        (folder / _PIPES).write_text(json.dumps(kept, default=_plain))

    def restore(self, folder: Path) -> None:
        """Put back what still has a place: a table or pipe that is gone is left out."""
        there = set(self._tables())
        for name in sorted(folder.glob("*.table")):
            table = name.read_text()
            if table in there:
                rows = f"read_parquet('{name.with_suffix('.parquet')}')"
                self.connection.execute(f"DELETE FROM {table}")
                self.connection.execute(f"INSERT INTO {table} BY NAME FROM {rows}")
        for key, kept in json.loads((folder / _PIPES).read_text()).items():
            if key in self.pipes:
                _remind(self.pipes[key], kept)

    def _tables(self) -> Iterator[str]:
        """RAW's tables, and the history of loads, of every database that has RAW."""
        found = self.connection.execute(
            "SELECT database_name, schema_name, table_name FROM duckdb_tables() "
            "WHERE schema_name = 'RAW' ORDER BY ALL"
        ).fetchall()
        yield from (f'{one}.{two}."{name}"' for one, two, name in found)
        for database in sorted({one for one, _, _ in found}):
            yield f"{database}.{HISTORY}"


def _remind(pipe: Pipe, kept: dict[str, Any]) -> None:
    pipe.state = kept["state"]
    pipe.last_ingested_path = kept["last_ingested_path"]
    pipe.seen = {key: datetime.fromisoformat(at) for key, at in kept["seen"].items()}
    pipe.pending = deque(
        (key, datetime.fromisoformat(at)) for key, at in kept["pending"]
    )
    for name in ("paused_at", "last_forwarded_at", "last_ingested_at"):
        at = kept[name]
        setattr(pipe, name, None if at is None else datetime.fromisoformat(at))


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else list(value)  # type: ignore[call-overload]  # a deque
