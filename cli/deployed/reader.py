"""The warehouse, as the role that reads the tables."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager

from cli.deployed.environment import Deployed
from lambdas.adapters.secrets import SecretsManagerSecrets
from lambdas.adapters.snowflake.warehouse import SnowflakeWarehouse, snowflake_connector
from lambdas.core.errors import AccessRefused, ObjectMissing
from lambdas.core.sql import names


@contextmanager
def warehouse_of(reached: Deployed) -> Iterator[SnowflakeWarehouse]:
    """Ask it here. Raises NotReached, WarehouseError."""
    # The connector signs for a region, and asks only this variable for it.
    os.environ.setdefault("AWS_REGION", reached.environment.region)
    warehouse = SnowflakeWarehouse(
        settings=reached.settings,
        secrets=SecretsManagerSecrets(client=lambda: reached.aws("secretsmanager")),
        connector=snowflake_connector,
    )
    with closing(warehouse), reached.reached():
        yield warehouse


def rows_shown(reached: Deployed, datasets: Iterable[str]) -> Mapping[str, int | None]:
    """The rows of each dataset's relation; None where it cannot be read."""
    database = reached.environment.snowflake.database
    with warehouse_of(reached) as warehouse:
        return {
            name: _count(warehouse, names.analytics_view(database, name))
            for name in datasets
        }


def _count(warehouse: SnowflakeWarehouse, relation: str) -> int | None:
    try:
        rows = warehouse.query(f"SELECT COUNT(*) FROM {relation}")  # noqa: S608 - an identifier of ours
    except (ObjectMissing, AccessRefused):
        return None
    return int(str(rows[0][0]))
