"""Pipes: what they report, and what they are told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from lambdas.core.errors import WarehouseError
from lambdas.core.freshness.probe import instant
from lambdas.core.loading.status import PipeNow, loads_whole_files
from lambdas.core.ports import Warehouse
from lambdas.core.sql import loading, names, pipe_status
from lambdas.core.sql import repair as repairing
from lambdas.core.sql.freshness import describe_pipe


class Pipes:
    """Statements that need no warehouse."""

    def __init__(self, *, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def now(self, pipe: str) -> PipeNow:
        """What a pipe reports of itself. Raises WarehouseError."""
        rows = self._warehouse.query(pipe_status(pipe))
        try:
            said = msgspec.json.decode(str(rows[0][0]), type=dict[str, object])
        except (IndexError, msgspec.DecodeError) as error:
            raise WarehouseError(
                f"the status of {pipe} was expected as a JSON object: {error}"
            ) from error
        pending, path = said.get("pendingFileCount"), said.get("lastIngestedFilePath")
        channel = said.get("notificationChannelName")
        return PipeNow(
            state=str(said.get("executionState")),
            pending=pending if isinstance(pending, int) else 0,
            last_ingested=str(path).rpartition("/")[2] if path else None,
            last_ingested_at=instant(said.get("lastIngestedTimestamp")),
            last_forwarded_at=instant(said.get("lastForwardedMessageTimestamp")),
            channel=str(channel) if channel else None,
        )

    def loading_whole(self, database: str) -> frozenset[str]:
        """The pipes that load a file whole or not at all, by their full names.

        Raises WarehouseError.
        """
        rows = self._warehouse.query(loading.show_pipes(database))
        return frozenset(
            ".".join(names.identifier(str(part)) for part in (home, schema, name))
            for _, name, home, schema, definition, *_ in rows
            if loads_whole_files(str(definition))
        )

    def created_at(self, pipe: str) -> datetime | None:
        """When it was made; None if it does not say. Raises WarehouseError."""
        rows = self._warehouse.query(describe_pipe(pipe))
        made_at = rows[0][0] if rows else None
        if isinstance(made_at, str):
            return instant(made_at)
        is_aware = isinstance(made_at, datetime) and made_at.tzinfo is not None
        return made_at if is_aware else None  # type: ignore[return-value]  # as said a line above

    def refresh(self, pipe: str, prefixes: Sequence[str], after: datetime) -> int:
        """Tell it of what it never took; how many files it took now.

        Raises WarehouseError.
        """
        return sum(
            len(self._warehouse.query(repairing.refresh_below(pipe, one, after)))
            for one in prefixes
        )

    def resume(self, pipe: str, *, force: bool) -> None:
        """Let it run; `force` if it was paused for more than 14 days."""
        statement = (
            repairing.force_resume_pipe(pipe) if force else repairing.resume_pipe(pipe)
        )
        self._warehouse.query(statement)
