"""The pipe's own report."""

from __future__ import annotations

import logging
import re
from datetime import datetime

import msgspec

from lambdas.core.dataset import Dataset
from lambdas.core.diagnosis.evidence import PipeReport
from lambdas.core.diagnosis.signals import Pipe
from lambdas.core.errors import AccessRefused, ObjectMissing, WarehouseError
from lambdas.core.freshness.probe import instant
from lambdas.core.ports import Warehouse
from lambdas.core.sql import generation, names, pipe_status
from lambdas.core.sql.freshness import PIPE_DEFINITION, describe_pipe

LOG = logging.getLogger("catflap.freshness.pipe")

_STAGED = re.compile(
    r"\bFROM\s+@(?P<stage>[^\s/()]+)/?(?P<path>[^\s();]*)", re.IGNORECASE
)
_PATTERN = re.compile(r"\bPATTERN\s*=", re.IGNORECASE)


class PipeSource:
    """Asks SYSTEM$PIPE_STATUS and DESC PIPE, which need MONITOR and no warehouse."""

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
        path, created_at = self._described(pipe)
        return PipeReport(
            state=state if isinstance(state, str) and state else None,
            pending_files=pending if isinstance(pending, int) else None,
            oldest_pending_at=instant(status.get("oldestFileTimestamp")),
            last_received_at=instant(status.get("lastReceivedMessageTimestamp")),
            # A pipe that has never been given a file says no time: it has been given
            # none since it was made.
            last_forwarded_at=instant(status.get("lastForwardedMessageTimestamp"))
            or created_at,
            path=path,
        )

    def _described(self, pipe: str) -> tuple[str | None, datetime | None]:
        """What the pipe reads below its stage, and when it was made; what cannot be
        told is None. A pipe with a pattern reads less than its path.
        """
        try:
            row = self._warehouse.query(describe_pipe(pipe))[0]
            created_at, definition = row[0], str(row[PIPE_DEFINITION])
        except (WarehouseError, IndexError) as error:
            LOG.warning("could not describe pipe %s: %s", pipe, error)
            return None, None
        found = _STAGED.search(definition)
        is_known = found is not None and not _PATTERN.search(definition)
        path = found["path"] if found is not None and is_known else None
        return path, _moment(created_at)


def _moment(value: object) -> datetime | None:
    if isinstance(value, str):
        return instant(value)
    is_aware = isinstance(value, datetime) and value.tzinfo is not None
    return value if is_aware else None  # type: ignore[return-value]  # as said a line above
