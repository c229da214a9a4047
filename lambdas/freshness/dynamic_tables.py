"""Looks whether dynamic tables are refreshed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from lambdas.core.dataset import Catalogue
from lambdas.core.errors import WarehouseError
from lambdas.core.incidents.verdicts.dynamic_tables import (
    DynamicTableNow,
    dynamic_tables_of,
    stopped_tables,
)
from lambdas.core.loading.repair import Problem

LOG = logging.getLogger("catflap.freshness.dynamic_tables")


class StoppedTables:
    """Called, says which of them stopped; None if that cannot be seen."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        database: str,
        shown: Callable[[Mapping[str, str]], Mapping[str, DynamicTableNow]],
    ) -> None:
        self._catalogue = catalogue
        self._database = database
        self._shown = shown
        self._lags = dynamic_tables_of(catalogue)

    def __call__(self, now: datetime) -> Sequence[Problem] | None:
        """Without any dynamic table nobody is asked."""
        if not self._lags:
            return ()
        try:
            seen = self._shown(self._lags)
        except WarehouseError as error:
            LOG.warning("the dynamic tables were not seen: %s", error)
            return None
        return stopped_tables(self._catalogue, seen, database=self._database, now=now)
