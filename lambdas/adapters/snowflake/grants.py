"""Grants as Snowflake shows them, and to whom roles were granted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lambdas.adapters.snowflake.warehouse import SnowflakeWarehouse
from lambdas.core.dataset import Dataset
from lambdas.core.errors import (
    ObjectMissing,
    StatementCancelled,
    WarehouseError,
    WarehouseUnreachable,
)
from lambdas.core.reports.access import Grantee, ObjectGrant
from lambdas.core.sql import grants_shown

MOST_ROLES = 2_000
"""Roles that are followed; a sentence says if there are more."""


@dataclass(kw_only=True)
class ShownGrants:
    """Looks grants up; every role once. `unseen` says what could not be. Raises
    WarehouseUnreachable.
    """

    warehouse: SnowflakeWarehouse
    database: str
    holders: dict[Grantee, list[Grantee]] = field(default_factory=dict)
    unseen: list[str] = field(default_factory=list)

    def of(self, dataset: Dataset) -> list[ObjectGrant]:
        """What is granted on a dataset's table and on what people read of it; who holds
        those roles is followed.
        """
        found = self.on(dataset)
        for grant in found:
            self._follow(grant.to)
        return found

    def on(self, dataset: Dataset) -> list[ObjectGrant]:
        """What is granted on a dataset's table and on what people read of it."""
        is_dynamic = dataset.table.materialized == "dynamic_table"
        statements = (
            grants_shown.grants_on_table(self.database, dataset.name),
            grants_shown.grants_on_relation(
                self.database, dataset.name, is_dynamic=is_dynamic
            ),
        )
        return [
            ObjectGrant(
                privilege=row["privilege"], on=row["name"], to=self._grantee(row)
            )
            for statement in statements
            for row in self._asked(statement, about=dataset.name)
        ]

    def _follow(self, start: Grantee) -> None:
        waiting = [start]
        while waiting:
            role = waiting.pop()
            if role.kind == "USER" or role in self.holders:
                continue
            if len(self.holders) >= MOST_ROLES:
                self.unseen.append(f"more than {MOST_ROLES:,} roles: {role.name}")
                return
            statement = grants_shown.holders_of(role.kind, role.name)
            rows = self._asked(statement, about=f"who holds {role.name}")
            self.holders[role] = [self._grantee(row) for row in rows]
            waiting += self.holders[role]

    def _grantee(self, row: Mapping[str, str]) -> Grantee:
        kind, name = row["granted_to"].upper().replace(" ", "_"), row["grantee_name"]
        if kind == "DATABASE_ROLE" and "." not in name:
            name = f"{self.database}.{name}"
        return Grantee(kind=kind, name=name)

    def _asked(self, statement: str, *, about: str) -> Iterator[dict[str, str]]:
        try:
            columns, rows = self.warehouse.ask(statement)
        except ObjectMissing:
            self.unseen.append(f"{about}: not there, or not to be seen by this role")
            return
        except WarehouseError as error:
            is_answered = not isinstance(error, WarehouseUnreachable)
            if not is_answered and not isinstance(error, StatementCancelled):
                raise  # each statement that follows would wait as long
            self.unseen.append(f"{about}: {error}")
            return
        names = [column.lower() for column in columns]
        for row in rows:
            yield {name: str(value) for name, value in zip(names, row, strict=True)}
