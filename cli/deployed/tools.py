"""What `replay`, `quarantine` and `erase` reach: bucket, state, pipes, one dataset."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.deployed.environment import Deployed, deployed
from lambdas.adapters.landing.bucket import LandingBucket
from lambdas.adapters.landing.objects import StoredObjects
from lambdas.adapters.secrets import SecretsManagerSecrets
from lambdas.adapters.snowflake.pipes import Pipes
from lambdas.adapters.snowflake.warehouse import SnowflakeWarehouse, snowflake_connector
from lambdas.adapters.state.loads import LoadTable
from lambdas.core.dataset import Catalogue
from lambdas.core.loading.reload import Reloader
from lambdas.core.loading.replay import Replayer
from project.yaml_files import load_datasets

TRIES_BY_HAND = 100
"""A person who says so may have a file tried as often as it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairTools:
    """Everything of one environment that repairs are made of."""

    reached: Deployed
    catalogue: Catalogue
    stored: StoredObjects
    landing: LandingBucket
    watch: LoadTable
    warehouse: SnowflakeWarehouse
    pipes: Pipes
    relanding: Reloader
    replaying: Replayer

    @property
    def database(self) -> str:
        """The database of the environment."""
        return self.reached.settings.snowflake_database


@contextmanager
def repair_tools(
    names: Sequence[str],
    *,
    environment: str,
    environments: Path,
    datasets: Path,
    apis: Path,
    as_admin: bool = False,
) -> Iterator[RepairTools]:
    """The tools of an environment for some datasets; signs out at the end.

    Where the shell does not say who asks, it is the environment's repairer, or its
    admin, who alone may delete rows. Raises BadInput, BadFiles, NotReached.
    """
    catalogue = load_datasets(names, datasets=datasets, apis=apis)
    reached = deployed(environment, environments=environments)
    # The connector signs for a region, and asks only this variable for it.
    os.environ.setdefault("AWS_REGION", reached.environment.region)
    known = reached.environment.snowflake
    login = known.admin if as_admin else known.repair_login
    said = reached.settings
    settings = said.model_copy(
        update={
            "snowflake_user": login.user
            if said.snowflake_user == known.reader.user
            else said.snowflake_user,
            "snowflake_role": login.role
            if said.snowflake_role == known.reader.role
            else said.snowflake_role,
        }
    )
    bucket = settings.landing_bucket
    warehouse = SnowflakeWarehouse(
        settings=settings,
        secrets=SecretsManagerSecrets(client=lambda: reached.aws("secretsmanager")),
        connector=snowflake_connector,
    )
    with reached.reached():
        stored = StoredObjects(s3=reached.aws("s3"), bucket=bucket)
        landing = LandingBucket(s3=reached.aws("s3"), bucket=bucket)
        watch = LoadTable(dynamodb=reached.aws("dynamodb"), table=settings.state_table)
        relanding = Reloader(
            landing=landing, stored=stored, tries_as_it_is=TRIES_BY_HAND
        )
        try:
            yield RepairTools(
                reached=reached,
                catalogue=catalogue,
                stored=stored,
                landing=landing,
                watch=watch,
                warehouse=warehouse,
                pipes=Pipes(warehouse=warehouse),
                relanding=relanding,
                replaying=Replayer(
                    landing=landing, stored=stored, relanding=relanding, watch=watch
                ),
            )
        finally:
            warehouse.close()
