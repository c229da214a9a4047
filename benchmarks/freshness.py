"""The second row of ``make bench``: judging the freshness of many datasets.

1,000 tables in two DuckDB files of equal content. `dbt source freshness` reads one with
8 threads; the other is what the embedded Snowflake answers from, and the real freshness
function is asked to check all of them as if for the first time. Most are on time, some
are to be warned of or in error, and both must say the same of each. catflap's check
does more than judge: it keeps what it saw, and for those that are late it looks for
where the rows stopped, opens incidents, and tells people.
"""

from __future__ import annotations

import json
import os
import random
import resource
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.freshness_check import make_table
from benchmarks.measure import ran
from lambdas.adapters.snowflake.warehouse import SnowflakeWarehouse, snowflake_connector
from lambdas.core.dataset import Catalogue, Dataset, catalogue_to_json
from lambdas.core.settings import SnowflakeSettings
from lambdas.core.sql.freshness import create_freshness_view, freshness_views
from local.aws.cloud import Cloud
from local.snowflake.process import EmbeddedSnowflake

ROOT = Path(__file__).resolve().parent.parent
DATABASE = "BENCH"
THREADS = 8
WARN_HOURS, ERROR_HOURS = 6, 12
LATE = 10
"""So many are to be warned of, and as many are in error."""
SEED = 2013
MEMORY_MB = 512
"""What the function has (`stacks/freshness.py`)."""
COUNT, MANY = 1_000, 10_000


class DisagreementError(RuntimeError):
    """Two judges of one table say different things: there is nothing to compare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContenderTimes:
    """The medians of one contender: seconds on the wall, of which it `waited` for a
    stand-in, and of the processor; megabytes at the peak.
    """

    seconds: float
    waited: float = 0.0
    cpu: float
    megabytes: float
    statements: int = 0
    explaining: int = 0

    @property
    def own(self) -> float:
        """Seconds that were its own."""
        return self.seconds - self.waited


def ages(count: int) -> dict[str, timedelta]:
    """How old the newest row of each table is; the same ones each time."""
    drawn = random.Random(SEED)
    late = drawn.sample(range(count), 2 * LATE)
    hours = dict.fromkeys(late[:LATE], WARN_HOURS + 2.0)
    hours |= dict.fromkeys(late[LATE:], ERROR_HOURS + 2.0)
    return {
        f"t{number:05d}": timedelta(hours=hours.get(number, drawn.uniform(0.1, 4)))
        for number in range(count)
    }


def expected(of: Mapping[str, timedelta]) -> dict[str, str]:
    """What everybody has to say of each."""
    return {
        name: "error"
        if age > timedelta(hours=ERROR_HOURS)
        else "warn"
        if age > timedelta(hours=WARN_HOURS)
        else "pass"
        for name, age in of.items()
    }


def dataset(name: str) -> Dataset:
    """One of them, as its YAML would have it; its API refuses connections."""
    document = {
        "name": name,
        "description": f"table {name} of the benchmark",
        "owner": {"team": "bench"},
        "source": {
            "client": {"base_url": "http://127.0.0.1:1/"},
            "endpoint": {"path": name, "incremental": {"cursor_path": "at"}},
        },
        "primary_key": ["id"],
        "schedule": {"cron": "0 * * * ? *"},
        "freshness": {
            "loaded_at_field": "at",
            "warn_after": {"count": WARN_HOURS, "period": "hour"},
            "error_after": {"count": ERROR_HOURS, "period": "hour"},
        },
    }
    return Dataset.model_validate_json(json.dumps(document))


def table_statement(qualified: str, newest: datetime) -> str:
    """A raw table of three rows, in SQL that Snowflake and DuckDB share."""
    at = f"'{newest.isoformat()}'::TIMESTAMPTZ"
    return (
        f"CREATE TABLE {qualified} AS SELECT NULL::VARCHAR AS PAYLOAD, "
        f"{at} - INTERVAL '1 HOUR' * N AS _EVENT_AT, {at} AS _LOADED_AT "
        "FROM (VALUES (0), (1), (2)) AS V(N)"
    )


class StandIns:
    """The stand-ins, filled; and the environment of a function that uses them."""

    def __init__(
        self, folder: Path, of: Mapping[str, timedelta], now: datetime
    ) -> None:
        self._folder, self._ages, self._now = folder, of, now
        self.environment: dict[str, str] = {}

    @contextmanager
    def up(self) -> Iterator[None]:
        """Everything is there while this lasts."""
        with (
            Cloud(log_file=self._folder / "aws.log") as cloud,
            EmbeddedSnowflake.beside(cloud) as snowflake,
        ):
            self._fill(cloud, snowflake)
            yield

    def _fill(self, cloud: Cloud, snowflake: EmbeddedSnowflake) -> None:
        datasets = {name: dataset(name) for name in self._ages}
        access_key, secret_key = cloud.administrator_keys()
        make_table(cloud.client("dynamodb"), "bench-state")
        cloud.client("s3").create_bucket(Bucket="bench-landing")
        cloud.client("s3").put_object(
            Bucket="bench-landing",
            Key="catalogue/bench.json",
            Body=catalogue_to_json(Catalogue(datasets=datasets)).encode(),
        )
        topics = [
            cloud.client("sns").create_topic(Name=name)["TopicArn"]
            for name in ("engineers", "stakeholders")
        ]
        cloud.client("events").create_event_bus(Name="bench")
        settings = {
            "SNOWFLAKE_ACCOUNT": "bench",
            "SNOWFLAKE_USER": "ADMINISTRATOR",
            "SNOWFLAKE_ROLE": "ACCOUNTADMIN",
            "SNOWFLAKE_WAREHOUSE": "BENCH",
            "SNOWFLAKE_DATABASE": DATABASE,
            **snowflake.environment(),
        }
        kept = ("PATH", "HOME", "LANG")
        self.environment = {
            **{name: os.environ[name] for name in kept if name in os.environ},
            **settings,
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": secret_key,
            "AWS_REGION": cloud.region,
            "AWS_DEFAULT_REGION": cloud.region,
            "AWS_ENDPOINT_URL": cloud.endpoint_url,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "STATE_TABLE": "bench-state",
            "LANDING_BUCKET": "bench-landing",
            "EVENT_BUS": "bench",
            "ENGINEERS_TOPIC_ARN": topics[0],
            "STAKEHOLDERS_TOPIC_ARN": topics[1],
            "CATALOGUE_KEY": "catalogue/bench.json",
        }
        snowflake.administer(["CREATE WAREHOUSE BENCH"])
        with _environment(self.environment):  # its login is signed with these
            self._make_tables(SnowflakeSettings.from_environment(settings), snowflake)

    def _make_tables(
        self, settings: SnowflakeSettings, snowflake: EmbeddedSnowflake
    ) -> None:
        admin = SnowflakeWarehouse(
            settings=settings, secrets=_NoSecrets(), connector=snowflake_connector
        )
        for text in (
            f"CREATE DATABASE {DATABASE}",
            f"CREATE SCHEMA {DATABASE}.RAW",
            f"CREATE SCHEMA {DATABASE}.CATFLAP",
        ):
            admin.query(text)
        snowflake.fill(
            [
                table_statement(f"{DATABASE}.RAW.{name.upper()}", self._now - age)
                for name, age in self._ages.items()
            ]
        )
        snowflake.deliver()  # makes its load history
        for view, held in freshness_views(DATABASE, self._ages).items():
            admin.query(create_freshness_view(DATABASE, view, held))
        admin.close()

    def check(self, number: int, *, memory_mb: int | None = None) -> dict[str, Any]:
        """One process of ours. `memory_mb` bounds what it may ask the kernel for."""
        out = self._folder / f"check-{number}.json"
        log = self._folder / "check.log"

        def bounded() -> None:
            if memory_mb is not None:
                limit = memory_mb * 2**20
                resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

        with log.open("wb") as said:
            done = subprocess.run(
                [
                    *[sys.executable, "-m", "benchmarks.freshness_check"],
                    *[
                        str(out),
                        self._now.isoformat(),
                        *(["once"] if memory_mb else []),
                    ],
                ],
                cwd=ROOT,
                env=self.environment,
                stdout=said,
                stderr=said,
                preexec_fn=bounded,
                check=False,
            )
        if done.returncode != 0:
            tail = log.read_text(errors="replace")[-3000:]
            raise RuntimeError(f"the check ended with {done.returncode}:\n{tail}")
        document: dict[str, Any] = json.loads(out.read_text())
        _agree("catflap", expected(self._ages), document["states"])
        return document


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """This process has them while this lasts."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class _NoSecrets:
    def value(self, reference: str) -> str:
        raise LookupError(reference)


class Dbt:
    """`dbt source freshness` on a DuckDB file with the same tables."""

    def __init__(
        self, python: Path, folder: Path, of: Mapping[str, timedelta], now: datetime
    ) -> None:
        self._dbt, self._folder, self._ages = python.parent / "dbt", folder, of
        folder.mkdir(parents=True)
        self._project()
        statements = [
            table_statement(f"raw.{name}", now - age) for name, age in of.items()
        ]
        program = (
            "import duckdb, json, sys; c = duckdb.connect(sys.argv[1]); "
            "c.execute('CREATE SCHEMA raw'); "
            "[c.execute(one) for one in json.load(sys.stdin)]"
        )
        subprocess.run(
            [str(python), "-c", program, str(folder / "bench.duckdb")],
            input=json.dumps(statements),
            text=True,
            check=True,
        )

    def _project(self) -> None:
        (self._folder / "dbt_project.yml").write_text(
            "name: bench\nversion: '1.0'\nprofile: bench\nmodel-paths: [models]\n"
            "flags: {send_anonymous_usage_stats: false}\n"
        )
        (self._folder / "profiles.yml").write_text(
            "bench: {target: dev, outputs: {dev: {type: duckdb, "
            f"path: '{self._folder / 'bench.duckdb'}', threads: {THREADS}}}}}}}\n"
        )
        models = self._folder / "models"
        models.mkdir()
        tables = "\n".join(f"      - {{name: {name}}}" for name in self._ages)
        (models / "sources.yml").write_text(
            "version: 2\nsources:\n  - name: raw\n    schema: raw\n"
            "    config:\n      loaded_at_field: _EVENT_AT\n      freshness:\n"
            f"        warn_after: {{count: {WARN_HOURS}, period: hour}}\n"
            f"        error_after: {{count: {ERROR_HOURS}, period: hour}}\n"
            f"    tables:\n{tables}\n"
        )

    def judge(self) -> ContenderTimes:
        """One process of dbt's."""
        log = self._folder / "dbt.log"
        command = [
            *[str(self._dbt), "source", "freshness"],
            *["--project-dir", str(self._folder), "--profiles-dir", str(self._folder)],
            *["--threads", str(THREADS)],
        ]
        weight, code = ran(command, log, self._folder)
        results = self._folder / "target" / "sources.json"
        if code not in (0, 1) or not results.exists():
            raise RuntimeError(f"dbt ended with {code}:\n{log.read_text()[-3000:]}")
        found = {
            one["unique_id"].rpartition(".")[2]: one["status"]
            for one in json.loads(results.read_text())["results"]
        }
        results.unlink()
        _agree("dbt", expected(self._ages), found)
        return ContenderTimes(
            seconds=weight.seconds, cpu=weight.cpu, megabytes=weight.megabytes
        )


def _agree(who: str, wanted: Mapping[str, str], found: Mapping[str, str]) -> None:
    other = {
        name: (found.get(name), state)
        for name, state in wanted.items()
        if found.get(name) != state
    }
    if other:
        raise DisagreementError(
            f"{who} (found, expected): {dict([*other.items()][:5])}"
        )


def _judging(document: Mapping[str, Any], which: str) -> ContenderTimes:
    part = document[which]
    return ContenderTimes(
        seconds=part["seconds"],
        waited=part["waited"],
        cpu=part["cpu"],
        megabytes=document["megabytes"],
        statements=part["statements"],
        explaining=part["explaining"],
    )


def _median(runs: Sequence[ContenderTimes]) -> ContenderTimes:
    return ContenderTimes(
        seconds=statistics.median(one.seconds for one in runs),
        waited=statistics.median(one.waited for one in runs),
        cpu=statistics.median(one.cpu for one in runs),
        megabytes=statistics.median(one.megabytes for one in runs),
        statements=max(one.statements for one in runs),
        explaining=max(one.explaining for one in runs),
    )


def compared(
    python: Path, folder: Path, *, count: int, rounds: int
) -> dict[str, ContenderTimes]:
    """Both on `count` datasets, in turn."""
    now, of = datetime.now(UTC), ages(count)
    runs: dict[str, list[ContenderTimes]] = {"dbt": [], "cold": [], "warm": []}
    dbt = Dbt(python, folder / "dbt", of, now)
    stand = StandIns(folder, of, now)
    with stand.up():
        dbt.judge()  # its parse is cached from here on, as in anybody's second run
        for number in range(rounds):
            runs["dbt"].append(dbt.judge())
            document = stand.check(number)
            for which in ("cold", "warm"):
                runs[which].append(_judging(document, which))
            print(
                f"  round {number + 1}/{rounds} "
                + ", ".join(
                    f"{name} {one[-1].seconds:.2f} s" for name, one in runs.items()
                ),
                flush=True,
            )
    return {name: _median(one) for name, one in runs.items()}


def many(folder: Path, *, count: int) -> ContenderTimes:
    """One process with the function's memory on `count` datasets, cold."""
    folder.mkdir(parents=True)
    print(f"  making {count:,} tables", flush=True)
    stand = StandIns(folder, ages(count), datetime.now(UTC))
    with stand.up():
        return _judging(stand.check(0, memory_mb=MEMORY_MB), "cold")


def most(count: int) -> int:
    """The statements that may be needed to judge so many."""
    return -(-count // 500) + 2


def report(found: Mapping[str, ContenderTimes], many: ContenderTimes) -> str:
    """The section."""
    dbt, cold, warm = found["dbt"], found["cold"], found["warm"]
    lines = [
        (
            f"| {COUNT:,} datasets, {LATE} to be warned of, {LATE} in error | seconds "
            "| of these, the stand-ins' | its own | CPU seconds | peak MB | dbt's time "
            "is |"
        ),
        "|---|---|---|---|---|---|---|",
        (
            f"| `dbt source freshness`, {THREADS} threads | {dbt.seconds:.2f} | "
            f"in its own | {dbt.own:.2f} | {dbt.cpu:.2f} | {dbt.megabytes:.0f} | |"
        ),
    ]
    for name, one in (
        ("catflap, a check of a warm function", warm),
        ("catflap, a whole process, imports and login included", cold),
    ):
        lines.append(
            f"| {name} | {one.seconds:.2f} | {one.waited:.2f} | {one.own:.2f} | "
            f"{one.cpu:.2f} | {one.megabytes:.0f} | {dbt.seconds / one.own:.0f} × its "
            f"own, {dbt.seconds / one.seconds:.0f} × with the stand-ins', "
            f"{dbt.cpu / one.cpu:.0f} × by CPU |"
        )
    lines += [
        "",
        (
            "Both say the same of every dataset. The stand-ins are an embedded "
            "Snowflake (DuckDB behind HTTP) and an embedded AWS; dbt has DuckDB in its "
            "process. catflap's check also keeps what it saw, looks for where the rows "
            f"of the {2 * LATE} late ones stopped, opens their incidents and tells "
            "people."
        ),
        "",
        (
            f"Warehouse statements to judge {COUNT:,}: {warm.statements} (at most "
            f"{most(COUNT)}); to find out where the rows of {2 * LATE} stopped: "
            f"{warm.explaining}."
        ),
        "",
        (
            f"{MANY:,} datasets in one process that may have {MEMORY_MB} MB, as the "
            f"function: {many.seconds:.1f} s, of these {many.waited:.1f} s the "
            f"stand-ins'; {many.megabytes:.0f} MB at the peak; {many.statements} "
            f"statements to judge (at most {most(MANY)}), {many.explaining} to explain."
        ),
    ]
    return "\n".join(lines)
