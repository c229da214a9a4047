"""Days of many hourly datasets that are on time: how often the warehouse wakes.

``python -m local.scenarios.wake_ups``: the templates are deployed, objects land on the
embedded S3 and are loaded by Snowpipe, and the real check judges them. What is counted
is what Snowflake's own view says, beside what the estimate said. Pulls and the repair
function are left out: they wake no warehouse while all is well.
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lambdas.core.dataset import Dataset
from lambdas.core.freshness.cost import USUAL_RUN, estimate
from lambdas.core.landing.names import new_run_id, raw_key
from lambdas.core.sql import account_usage, generation
from local.aws.fabric import Fabric
from local.stack import ROOT, EmbeddedStack, Synthesis, read

START = datetime(2013, 1, 1, tzinfo=UTC)
DATASETS, DAYS = 100, 3
CHECK_EVERY = timedelta(minutes=5)
LATENCY = timedelta(hours=9)
"""After which the views know all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeUpCount:
    """What came of it, a day. `checks` says the function of itself."""

    datasets: int
    days: int
    view: float
    checks: float
    estimated: float
    statements: float
    statements_estimated: float
    credits: float
    told: int

    def __str__(self) -> str:
        woken = (
            f"{self.view:.1f} times a day by WAREHOUSE_EVENTS_HISTORY, "
            f"{self.checks:.1f} by the checks' own count, "
            f"{self.estimated:.1f} as estimated"
        )
        asked = (
            f"{self.statements:.1f} statements a day, "
            f"{self.statements_estimated:.1f} as estimated"
        )
        return (
            f"{self.datasets} hourly datasets, {self.days} days (simulated): the "
            f"warehouse woke {woken}; {asked}; {self.credits:.2f} credits in all; "
            f"{self.told} messages"
        )


def measure(*, datasets: int, days: int, tolerance: int | None = None) -> WakeUpCount:
    """Live through the days."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        _write(root, datasets, tolerance)
        made = Synthesis(root / "out", root=root)
        project = read(root, "dev", upstream_url="http://127.0.0.1:1")
        with EmbeddedStack(
            project=project, assembly=made, folder=root, start=START
        ) as stack:
            return _lived(stack, days)


def _write(root: Path, datasets: int, tolerance: int | None) -> None:
    """A project of so many datasets, pulled at every minute of the hour."""
    shutil.copytree(ROOT / "apis", root / "apis")
    shutil.copytree(ROOT / "environments", root / "environments")
    environment = root / "environments" / "dev.yaml"
    every = f"check_every_minutes: {CHECK_EVERY // timedelta(minutes=1)}"
    text = environment.read_text()
    environment.write_text(text.replace("check_every_minutes: 30", every))
    (root / "datasets").mkdir()
    more = (
        {}
        if tolerance is None
        else {"tolerance": {"count": tolerance, "period": "minute"}}
    )
    for number in range(datasets):
        document = {
            "description": "Made up",
            "owner": {"team": "data-eng"},
            "source": {
                "client": "nycflights",
                "endpoint": {"path": "nycflights/flights.json"},
            },
            "schedule": {"cron": f"{number % 60} * * * ? *"},
            "columns": {"id": "integer", "at": "timestamp"},
            "freshness": {
                "loaded_at_field": "at",
                "warn_after": {"count": 3, "period": "hour"},
                "error_after": {"count": 6, "period": "hour"},
                **more,
            },
        }
        file = root / "datasets" / f"d{number:03}.yaml"
        file.write_text(json.dumps(document))


def _lived(stack: EmbeddedStack, days: int) -> WakeUpCount:
    known = stack.project.catalogue.datasets
    checks_alone = dataclasses.replace(
        stack.deployment,
        resources={
            key: one
            for key, one in stack.deployment.resources.items()
            if one.type != "AWS::Scheduler::Schedule" or key[0].endswith("-freshness")
        },
    )
    fabric = Fabric(
        cloud=stack.cloud,
        deployment=checks_alone,
        host=stack.host,
        snowpipe=stack.snowflake,
        started_at=START,
    )
    now, end = START, START + timedelta(days=days)
    while now < end:
        now += CHECK_EVERY
        stack.set_clock(now)
        _land(stack, known, now)
        stack.snowflake.deliver()
        fabric.tick(now)
        fabric.drain(now)
    return _counted(stack, known, days)


def _land(stack: EmbeddedStack, known: Mapping[str, Dataset], now: datetime) -> None:
    """What pulls have brought since the last check, a usual run after their tick."""
    for number, (name, dataset) in enumerate(sorted(known.items())):
        tick = (now - USUAL_RUN).replace(minute=number % 60, second=0)
        tick -= timedelta(hours=1) if tick > now - USUAL_RUN else timedelta()
        if tick <= now - USUAL_RUN - CHECK_EVERY:
            continue
        run = new_run_id(tick, number.to_bytes(6))
        row = json.dumps({"id": int(tick.timestamp()), "at": tick.isoformat()})
        stack.cloud.client("s3").put_object(
            Bucket=stack.bucket(),
            Key=raw_key(name, generation(dataset), run, 1),
            Body=gzip.compress(f"{row}\n".encode()),
        )


def _counted(
    stack: EmbeddedStack, known: Mapping[str, Dataset], days: int
) -> WakeUpCount:
    end = START + timedelta(days=days)
    answers = stack.answers("freshness")
    stack.set_clock(end + LATENCY)
    environment = stack.project.environment
    # The first day begins with a look at what nobody has seen before, and with what a
    # deploy asks.
    since = START + timedelta(minutes=10)
    account = stack.snowflake
    warehouse = environment.snowflake.warehouse
    admin = environment.snowflake.admin.role
    account.administer([f"GRANT ROLE {admin} TO ROLE ACCOUNTADMIN"])
    asked = (
        account_usage.resumes(warehouse, since, end + timedelta(seconds=1)),
        account_usage.metered(warehouse, START, end),
    )
    resumes, metered = (
        account.administer([statement], warehouse=warehouse) for statement in asked
    )
    told = estimate(known, start=START, days=days, check_every=CHECK_EVERY)
    return WakeUpCount(
        datasets=len(known),
        days=days,
        view=len(resumes) / days,
        checks=sum(one["wake_ups"] for one in answers[2:]) / days,
        estimated=told.wake_ups_a_day,
        statements=sum(one["statements"] for one in answers[2:]) / days,
        statements_estimated=told.statements_a_day,
        credits=float(str(metered[0][0] or 0)),
        told=len(stack.topics.read()),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=DATASETS)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--tolerance", type=int, help="in minutes")
    given = parser.parse_args(arguments)
    print(measure(datasets=given.datasets, days=given.days, tolerance=given.tolerance))
    return 0


if __name__ == "__main__":
    sys.exit(main())
