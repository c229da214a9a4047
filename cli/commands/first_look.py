"""Ask a new account what we could not find out without one, and print the answers.

Run once after the first deploy, as a person who holds the environment's three roles
(SNOWFLAKE_USER, SNOWFLAKE_AUTHENTICATOR). No row of a dataset is read. Nothing is
changed: two questions send CREATE TABLE IF NOT EXISTS for RAW._RUNS, which exists
since the deploy. It wakes the warehouse. Send the file to whoever maintains catflap: it
holds names of roles, buckets and accounts.

Example: catflap first-look --env dev > first-look.json
"""

from __future__ import annotations

import json
import os
import time
from contextlib import closing

from cli import options
from cli.deployed.environment import deployed, now
from cli.deployed.open_questions import answers, questions
from lambdas.adapters.secrets import SecretsManagerSecrets
from lambdas.adapters.snowflake.warehouse import SnowflakeWarehouse, snowflake_connector

DONE = 0


def run(
    *,
    environment: options.Env = "dev",
    environments: options.Environments = options.ENVIRONMENTS,
) -> int:
    """Print them as JSON. Raises BadInput, BadFiles, NotReached, WarehouseError."""
    reached = deployed(environment, environments=environments)
    # The connector signs for a region, and asks only this variable for it.
    os.environ.setdefault("AWS_REGION", reached.environment.region)
    warehouse = SnowflakeWarehouse(
        settings=reached.settings,
        secrets=SecretsManagerSecrets(client=lambda: reached.aws("secretsmanager")),
        connector=snowflake_connector,
    )
    with closing(warehouse), reached.reached():
        asked = questions(reached.environment, now=now())
        told = list(answers(asked, warehouse, seconds=time.monotonic))
    print(json.dumps(told, indent=1))
    return DONE
