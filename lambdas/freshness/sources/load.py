"""The load history of a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lambdas.adapters.load_history import load_records
from lambdas.core.dataset import Dataset
from lambdas.core.facts import HISTORY, LoadRecord
from lambdas.core.ports import Warehouse


class LoadSource:
    """Reads COPY_HISTORY: it needs the warehouse, so only suspects are asked for."""

    def __init__(self, *, warehouse: Warehouse, database: str) -> None:
        self._warehouse = warehouse
        self._database = database

    def collect(self, dataset: Dataset, *, now: datetime) -> Sequence[LoadRecord]:
        """The loads of the last two weeks, the newest first. Raises WarehouseError."""
        return load_records(
            self._warehouse, self._database, dataset.name, now - HISTORY
        )
