"""All signals of one deployed dataset, and the verdict."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from cli.deployed.environment import Deployed, now
from lambdas.adapters.secrets import SecretsManagerSecrets
from lambdas.adapters.signals.judge import Judged
from lambdas.adapters.snowflake.warehouse import SnowflakeWarehouse, snowflake_connector
from lambdas.adapters.wiring.signals import SignalClients, judge, limits_of
from lambdas.core.dataset import Catalogue
from lambdas.core.diagnosis.signals import Monitor
from lambdas.core.freshness.watch import Watch, is_due, promise_hash
from lambdas.core.incidents.notice import overdue
from lambdas.core.incidents.ports import CheckState
from project.yaml_files import load_datasets


def judged(name: str, reached: Deployed, *, datasets: Path, apis: Path) -> Judged:
    """Collect the signals of `name` and judge them.

    Raises BadInput, BadFiles, NotReached. A signal that could not be collected is not
    known, and a line on stderr says why.
    """
    # The connector signs for a region, and asks only this variable for it.
    os.environ.setdefault("AWS_REGION", reached.environment.region)
    secrets = SecretsManagerSecrets(client=lambda: reached.aws("secretsmanager"))
    warehouse = SnowflakeWarehouse(
        settings=reached.settings, secrets=secrets, connector=snowflake_connector
    )
    # Signing in takes as long as all the rest: it begins before anything is known.
    warehouse.warm()
    try:
        catalogue = load_datasets([name], datasets=datasets, apis=apis)
        reach = SignalClients(aws=reached.aws, warehouse=warehouse, secrets=secrets)
        return _judged(name, catalogue, reached, reach, at=now())
    finally:
        warehouse.close()


def _judged(
    name: str,
    catalogue: Catalogue,
    reached: Deployed,
    reach: SignalClients,
    *,
    at: datetime,
) -> Judged:
    dataset = catalogue.datasets[name]
    with reached.reached():
        check_state = reached.incidents().check_state()
        watch = check_state.watches.get(name)
        everything = judge(reached.settings, reach, catalogue.datasets)
        monitor = _monitor(check_state, reached, watch, promise_hash(dataset), at)
        return everything.explain(dataset, watch, monitor=monitor, now=at)


def _monitor(
    check_state: CheckState,
    reached: Deployed,
    watch: Watch | None,
    promise: str,
    at: datetime,
) -> Monitor:
    late = overdue(check_state.waiting, limits_of(reached.settings), now=at)
    # What is due anyway is not what the monitor believes in.
    is_believed = watch is not None and not is_due(watch, promise=promise, now=at)
    return Monitor(
        last_check_at=check_state.last_check_at,
        check_every_s=float(reached.settings.check_every_s),
        evaluated_newest_at=watch.newest_at if watch and is_believed else None,
        undelivered_notices=len(late),
    )
