"""`catflap diagnose NAME`: all signals of one deployed dataset, and the verdict."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path

from cli.deployed import Deployed, deployed, now, refuse_unknown
from cli.diagnose import as_text, exit_code
from cli.fault import printable
from cli.yaml_files import load_catalogue
from lambdas.adapters.secrets import SecretsManagerSecrets
from lambdas.adapters.snowflake import SnowflakeWarehouse, snowflake_connector
from lambdas.core.dataset import Catalogue
from lambdas.core.incident_ports import Desk
from lambdas.core.signals import Monitor, Signals
from lambdas.core.watch import Watch, is_due, promise_hash
from lambdas.freshness.judge import Judged
from lambdas.freshness.oversight import overdue
from lambdas.freshness.wiring import Reach, judge, limits_of


def run(
    name: str,
    *,
    environment: str,
    environments: Path,
    datasets: Path,
    apis: Path,
    as_json: bool,
) -> int:
    """Print signals and verdict; 0 if it is pass, 1 if not.

    Raises BadInput, BadFiles, NotReached. A signal that could not be collected is not
    known, and a line on stderr says why.
    """
    reached = deployed(environment, environments=environments)
    # The connector signs for a region, and asks only this variable for it.
    os.environ.setdefault("AWS_REGION", reached.environment.region)
    secrets = SecretsManagerSecrets(client=lambda: reached.aws("secretsmanager"))
    warehouse = SnowflakeWarehouse(
        settings=reached.settings, secrets=secrets, connector=snowflake_connector
    )
    # Signing in takes as long as all the rest: it begins before anything is known.
    warehouse.warm()
    try:
        catalogue = load_catalogue(datasets, apis)
        refuse_unknown(name, sorted(catalogue.datasets))
        reach = Reach(aws=reached.aws, warehouse=warehouse, secrets=secrets)
        judged = _judged(name, catalogue, reached, reach, at=now())
    finally:
        warehouse.close()
    verdict = judged.verdict
    if as_json:
        document = {
            "signals": judged.signals.model_dump(mode="json"),
            "verdict": verdict.to_json(),
        }
        print(json.dumps(document))
    else:
        print(as_text(verdict))
        print(signals_as_text(judged.signals))
    return exit_code([verdict])


def signals_as_text(signals: Signals) -> str:
    """Every signal that is known, one section a paragraph, and those that are not."""
    lines: list[str] = []
    for section, values in signals.model_dump(mode="json").items():
        if not isinstance(values, dict):
            continue
        flat = _flat(values)
        known = {key: value for key, value in flat.items() if value is not None}
        lines.append(f"{section}:")
        lines += [f"  {key:<22}{_shown(value)}" for key, value in known.items()]
        missing = [key for key in flat if key not in known]
        if missing:
            lines.append(f"  not known: {', '.join(missing)}")
    return "\n".join(lines)


def _judged(
    name: str, catalogue: Catalogue, reached: Deployed, reach: Reach, *, at: datetime
) -> Judged:
    dataset = catalogue.datasets[name]
    with reached.reached():
        desk = reached.incidents().desk()
        watch = desk.watches.get(name)
        everything = judge(reached.settings, reach, catalogue.datasets)
        monitor = _monitor(desk, reached, watch, promise_hash(dataset), at)
        return everything.explain(dataset, watch, monitor=monitor, now=at)


def _monitor(
    desk: Desk,
    reached: Deployed,
    watch: Watch | None,
    promise: str,
    at: datetime,
) -> Monitor:
    late = overdue(desk.waiting, limits_of(reached.settings), now=at)
    # What is due anyway is not what the monitor believes in.
    is_believed = watch is not None and not is_due(watch, promise=promise, now=at)
    return Monitor(
        last_check_at=desk.last_check_at,
        check_every_s=float(reached.settings.check_every_s),
        evaluated_newest_at=watch.newest_at if watch and is_believed else None,
        undelivered_notices=len(late),
    )


def _flat(values: dict[str, object]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": found for inner, found in value.items()}
        else:
            flat[key] = value
    return flat


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return printable(text)
