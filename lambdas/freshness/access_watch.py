"""A look at who may read datasets with personal columns, with each check.

SHOW GRANTS is of this moment and wakes no warehouse; the views that name who granted
are two hours late. The first look at a dataset is only remembered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from lambdas.core.columns.declared import personal_columns
from lambdas.core.dataset import Dataset
from lambdas.core.errors import StateConflict, WarehouseError, WarehouseUnreachable
from lambdas.core.incidents.channels import Routes
from lambdas.core.incidents.context import context_of
from lambdas.core.incidents.incident import Recipient
from lambdas.core.incidents.message import Message, block
from lambdas.core.incidents.notice import Notice
from lambdas.core.incidents.pointers import Pointers
from lambdas.core.reports.access import ObjectGrant
from lambdas.core.reports.notices import report_notices
from lambdas.core.text.count import counted

LOG = logging.getLogger("catflap.freshness.access")

WHO = (
    "Snowflake tells in QUERY_HISTORY, 45 minutes later; `catflap access --week` names "
    "them if reports may read it."
)
A_CHECK = 50
"""Datasets that one check looks at, two statements each; of more, each has its turn."""


class GrantMemory(Protocol):
    """What was seen before."""

    def remembered_grants(self) -> Mapping[str, Sequence[str]]:
        """The grants on each dataset, a line each."""

    def record_grants(
        self, dataset: str, grants: Sequence[str], notices: Sequence[Notice]
    ) -> None:
        """Remember them, and what is told of the change. Raises StateConflict."""


class AccessWatch:
    """Looks, and puts what changed in the outbox."""

    def __init__(
        self,
        *,
        datasets: Mapping[str, Dataset],
        shown: Callable[[Dataset], Sequence[ObjectGrant]],
        memory: GrantMemory,
        routes: Routes,
        pointers: Pointers,
        every: timedelta,
        has_time: Callable[[], bool],
    ) -> None:
        self._personal = [
            one for _, one in sorted(datasets.items()) if personal_columns(one)
        ]
        self._shown = shown
        self._memory = memory
        self._routes = routes
        self._pointers = pointers
        self._every = every
        self._has_time = has_time

    def look(self, now: datetime) -> Sequence[Notice]:
        """What is told of changes, which stands in the outbox. Raises
        WarehouseUnreachable, and what the state raises.
        """
        if not self._personal:
            return ()
        before = self._memory.remembered_grants()
        made: list[Notice] = []
        for dataset in self._turn(now):
            if not self._has_time():
                break
            made += self._look(dataset, before, now)
        return made

    def _turn(self, now: datetime) -> Sequence[Dataset]:
        turns = -(-len(self._personal) // A_CHECK)
        tick = int(now.timestamp() // self._every.total_seconds())
        return self._personal[tick % turns :: turns]

    def _look(
        self, dataset: Dataset, before: Mapping[str, Sequence[str]], now: datetime
    ) -> Sequence[Notice]:
        try:
            lines = sorted(map(_line, self._shown(dataset)))
        except WarehouseUnreachable:
            raise  # so would be the next: each would be waited for in vain
        except WarehouseError as error:
            LOG.warning("could not see who may read %s: %s", dataset.name, error)
            return ()
        old = before.get(dataset.name)
        if old is not None and list(old) == lines:
            return ()
        notices = () if old is None else self._notices(dataset, old, lines, now)
        try:
            self._memory.record_grants(dataset.name, lines, notices)
        except StateConflict as conflict:
            LOG.warning("%s", conflict)
            return ()
        return notices

    def _notices(
        self,
        dataset: Dataset,
        old: Sequence[str],
        new: Sequence[str],
        now: datetime,
    ) -> Sequence[Notice]:
        granted, removed = sorted(set(new) - set(old)), sorted(set(old) - set(new))
        count = len(granted) + len(removed)
        personal = ", ".join(personal_columns(dataset))
        subject = context_of(dataset)
        env = self._pointers.environment
        command = f"catflap access {dataset.name}" + (f" --env {env}" if env else "")
        message = Message(
            headline=(
                f"{dataset.name}: who may read its personal columns has changed "
                f"({counted(count, 'grant')})"
            ),
            blocks=(
                *([block("Granted", granted, listed=True)] if granted else []),
                *([block("Removed", removed, listed=True)] if removed else []),
                block("Personal columns", [personal]),
                block("See all of it", [command]),
                block("Who did it", [WHO]),
            ),
        )
        return report_notices(
            f"grants-{dataset.name}-{now:%Y%m%dT%H%M%S}",
            message,
            routes=self._routes,
            now=now,
            team=subject.team,
            address=subject.address_of(Recipient.ENGINEERS),
        )


def _line(one: ObjectGrant) -> str:
    schema_and_name = ".".join(one.on.split(".")[-2:])
    to = f"{one.to.kind.lower().replace('_', ' ')} {one.to.name}"
    return f"{one.privilege} on {schema_and_name} to {to}"
