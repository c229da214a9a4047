"""The pipe's own report."""

from __future__ import annotations

from datetime import datetime

import msgspec

from lambdas.core.dataset import Dataset
from lambdas.core.errors import AccessRefused, ObjectMissing, WarehouseError
from lambdas.core.ports import Warehouse
from lambdas.core.probing import instant
from lambdas.core.signals import Pipe
from lambdas.core.sql import generation, names, pipe_status


class PipeSource:
    """Asks SYSTEM$PIPE_STATUS, which needs MONITOR and no warehouse."""

    def __init__(self, *, warehouse: Warehouse, database: str) -> None:
        self._warehouse = warehouse
        self._database = database

    def collect(self, dataset: Dataset, *, now: datetime) -> Pipe:
        """The state of the dataset's pipe; `unreadable` if it is hidden or missing.

        Raises WarehouseError if Snowflake does not answer, or not as documented.
        """
        del now
        pipe = names.pipe(self._database, dataset.name, generation(dataset))
        try:
            rows = self._warehouse.query(pipe_status(pipe))
        except (AccessRefused, ObjectMissing):
            return Pipe(state="unreadable")
        try:
            status = msgspec.json.decode(str(rows[0][0]), type=dict[str, object])
        except (IndexError, msgspec.DecodeError) as error:
            raise WarehouseError(
                f"the status of {pipe} was expected as a JSON object: {error}"
            ) from error
        state = status.get("executionState")
        pending = status.get("pendingFileCount")
        return Pipe(
            state=state if isinstance(state, str) and state else None,
            pending_files=pending if isinstance(pending, int) else None,
            oldest_pending_at=instant(status.get("oldestFileTimestamp"), None),
            last_received_at=instant(status.get("lastReceivedMessageTimestamp"), None),
            last_forwarded_at=instant(
                status.get("lastForwardedMessageTimestamp"), None
            ),
        )
