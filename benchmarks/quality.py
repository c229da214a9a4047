"""Quality checks: 500 over 100 tables, beside dbt's tests and Soda's contracts.

All three read the same DuckDB file, with the same five checks of each table, two of
which fail; they must agree. Ours are the statements that the freshness function sends
to Snowflake, put into DuckDB's words by sqlglot, which is not counted: Snowflake reads
them as they stand. Of the others the time is what they give for the checks alone (dbt's
`elapsed_time` of a run whose parse is cached, Soda's session), without their imports.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import sqlglot

from lambdas.core.columns.observed import Observed
from lambdas.core.dataset import Dataset
from lambdas.core.quality.measurement import BatchMeasurement
from lambdas.core.quality.metric import SqlColumn
from lambdas.core.quality.plan import (
    CheckedDataset,
    QualityPlan,
    columns_of,
    relation_name,
    results_of,
)
from lambdas.core.quality.statements import columns_query

Outcome: TypeAlias = tuple[float, int, set[str]]
"""Seconds of its own, its statements, and the tables of which a check fails."""
HERE = Path(__file__).parent
TABLES, ROWS, THREADS = 100, 10_000, 8
NAMES = tuple(f"t{number:03d}" for number in range(TABLES))
BAD = (NAMES[17], NAMES[71])
"""In which one row has no price."""
VALID = ("EWR", "JFK", "LGA")
CHECKS = [
    {"metric": "rowCount", "mustBeGreaterThan": 0},
    {"metric": "nullValues", "column": "id", "mustBe": 0},
    {"metric": "duplicateValues", "column": "id", "mustBe": 0},
    {"metric": "invalidValues", "column": "origin",
     "arguments": {"validValues": [*VALID]}},
    {"metric": "nullValues", "column": "price", "mustBe": 0},
]  # fmt: skip
DBT_TABLE = """\
      - name: {name}
        data_tests: [not_empty]
        columns:
          - {{name: id, data_tests: [not_null, unique]}}
          - name: origin
            data_tests:
              - accepted_values: {{arguments: {{values: [EWR, JFK, LGA]}}}}
          - {{name: price, data_tests: [not_null]}}
"""
NOT_EMPTY = (
    "{% test not_empty(model) %}select 1 where (select count(*) from {{ model }}) = 0"
    "{% endtest %}"
)


def fill(path: Path) -> None:
    """The tables, as all three find them."""
    with duckdb.connect(path) as file:
        file.execute("CREATE SCHEMA ANALYTICS")
        for name in NAMES:
            odd = "IF(range = 5, NULL, range * 1.5)" if name in BAD else "range * 1.5"
            file.execute(
                f"CREATE TABLE ANALYTICS.{name.upper()} AS SELECT range AS ID, "  # noqa: S608 - our own names
                f"['EWR', 'JFK', 'LGA'][range % 3 + 1] AS ORIGIN, {odd} AS PRICE "
                f"FROM range({ROWS})"
            )


@dataclass
class DuckStatements:
    """A warehouse that is a DuckDB file; `reading` is what sqlglot took."""

    file: duckdb.DuckDBPyConnection
    reading: float = 0.0
    statements: list[str] = field(default_factory=list)

    def query(
        self, statement: str, parameters: Sequence[object] = (), **_: object
    ) -> list[tuple[object, ...]]:
        """One statement of ours."""
        del parameters
        self.statements.append(statement)
        began = time.perf_counter()
        (text,) = sqlglot.transpile(statement, read="snowflake", write="duckdb")
        text = text.replace("BENCH.INFORMATION_SCHEMA", "INFORMATION_SCHEMA")
        self.reading += time.perf_counter() - began
        return self.file.execute(text).fetchall()


def dataset(name: str) -> Dataset:
    """One of them, as its YAML would have it."""
    document = {
        "name": name,
        "description": f"table {name} of the benchmark",
        "owner": {"team": "bench"},
        "source": {
            "client": {"base_url": "http://127.0.0.1:1/"},
            "endpoint": {"path": name},
        },
        "write_disposition": "append",
        "schedule": {"cron": "0 * * * ? *"},
        "columns": {"id": "integer", "origin": "string", "price": "number"},
        "quality": CHECKS,
    }
    return Dataset.model_validate_json(json.dumps(document))


def catflap(path: Path, datasets: Sequence[Dataset]) -> Outcome:
    """Plan, ask and conclude, as a check does."""
    with duckdb.connect(path, read_only=True) as file:
        file.execute(f"SET threads = {THREADS}")
        warehouse = DuckStatements(file)
        began = time.perf_counter()
        asking = BatchMeasurement(warehouse=warehouse, has_time=lambda: True)
        asked = columns_query("BENCH", [relation_name(one.name) for one in datasets])
        columns = {
            table: {
                name: SqlColumn(name=name, type=_KINDS.get(one.type, one.type))
                for name, one in found.items()
            }
            for table, found in columns_of(asking.ask(asked)).items()
        }
        plan = QualityPlan(database="BENCH", columns=columns, now=datetime.now(UTC))
        subjects = [
            CheckedDataset(dataset=one, run_id="r", observed=Observed())
            for one in datasets
        ]
        for one in subjects:
            plan.add(one)
        asking.measure(plan.branches())
        failing = {
            one.dataset.name
            for one in subjects
            for result in results_of(plan, one, asking.values, asking.errors)
            if result.state == "fail"
        }
        seconds = time.perf_counter() - began - warehouse.reading
    if asking.errors or plan.errors:
        raise RuntimeError(f"{[*asking.errors.values(), *plan.errors.values()][0]}")
    return seconds, len(warehouse.statements), failing


_KINDS = {"VARCHAR": "TEXT", "BIGINT": "NUMBER"}


class DbtTests:
    """`dbt test` on the same file."""

    def __init__(self, python: Path, folder: Path, path: Path) -> None:
        self._dbt, self._folder = python.parent / "dbt", folder
        (folder / "models").mkdir(parents=True)
        (folder / "macros").mkdir()
        (folder / "macros/not_empty.sql").write_text(NOT_EMPTY)
        (folder / "dbt_project.yml").write_text(
            "name: bench\nversion: '1.0'\nprofile: bench\nmodel-paths: [models]\n"
            "flags: {send_anonymous_usage_stats: false}\n"
        )
        (folder / "profiles.yml").write_text(
            "bench: {target: dev, outputs: {dev: {type: duckdb, "
            f"path: '{path}', threads: {THREADS}}}}}}}\n"
        )
        tables = "".join(DBT_TABLE.format(name=name) for name in NAMES)
        (folder / "models/sources.yml").write_text(
            "version: 2\nsources:\n  - name: bench\n    schema: ANALYTICS\n"
            f"    tables:\n{tables}"
        )

    def run(self) -> Outcome:
        """As of ours."""
        done = subprocess.run(
            [
                *[str(self._dbt), "test", "--threads", str(THREADS)],
                *["--project-dir", str(self._folder)],
                *["--profiles-dir", str(self._folder)],
            ],
            cwd=self._folder,
            env={**os.environ, "DO_NOT_TRACK": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        written = self._folder / "target/run_results.json"
        if not written.exists():
            raise RuntimeError(
                f"dbt ended with {done.returncode}: {done.stdout[-2000:]}"
            )
        document: dict[str, Any] = json.loads(written.read_text())
        written.unlink()
        results = document["results"]
        failing = {
            name
            for one in results
            if one["status"] != "pass"
            for name in NAMES
            if name in one["unique_id"]
        }
        return document["elapsed_time"], len(results), failing


def soda(python: Path, folder: Path, path: Path) -> Outcome:
    """As of ours: a session of 100 contracts."""
    out = folder / "soda.json"
    done = subprocess.run(
        [
            *[str(python), str(HERE / "peers/soda_checks.py")],
            *[str(path), str(out), *NAMES],
        ],
        env={**os.environ, "SODA_CORE_TELEMETRY_ENABLED": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"Soda ended with {done.returncode}: {done.stderr[-2000:]}")
    document = json.loads(out.read_text())
    return document["seconds"], document["statements"], {*document["failing"]}


def compared(python: Path, folder: Path, *, rounds: int) -> str:
    """All three in turn; the section."""
    folder.mkdir(parents=True)
    path = folder / "bench.duckdb"
    fill(path)
    datasets = [dataset(name) for name in NAMES]
    dbt = DbtTests(python, folder / "dbt", path)
    dbt.run()  # its parse is cached from here on, as in anybody's second run
    runs: dict[str, list[Outcome]] = {}
    contenders: Mapping[str, Callable[[], Outcome]] = {
        "catflap": lambda: catflap(path, datasets),
        "dbt test": dbt.run,
        "soda": lambda: soda(python, folder, path),
    }
    for number in range(rounds):
        for who, run in contenders.items():
            found = run()
            if found[2] != {*BAD}:
                raise RuntimeError(f"{who} says that {sorted(found[2])} fail")
            runs.setdefault(who, []).append(found)
        told = ", ".join(f"{who} {one[-1][0]:.2f} s" for who, one in runs.items())
        print(f"  round {number + 1}/{rounds} {told}", flush=True)
    return report(runs)


def report(runs: Mapping[str, Sequence[Outcome]]) -> str:
    """The table."""
    medians = {
        who: statistics.median(one[0] for one in many) for who, many in runs.items()
    }
    ours = medians["catflap"]
    called = {
        "catflap": "catflap",
        "dbt test": f"dbt-core 1.12, `dbt test`, {THREADS} threads",
        "soda": "soda-core 4, a session of 100 contracts",
    }
    lines = [
        (
            f"| {len(CHECKS) * TABLES} checks of {TABLES} tables of {ROWS:,} rows "
            "| seconds | statements | catflap is |"
        ),
        "|---|---|---|---|",
    ]
    for who, seconds in medians.items():
        ratio = "" if who == "catflap" else f"{seconds / ours:.1f} × as fast"
        lines.append(
            f"| {called[who]} | {seconds:.2f} | {runs[who][-1][1]} | {ratio} |"
        )
    lines += [
        "",
        (
            "The same DuckDB file and the same checks, of which two fail for all "
            "three. Seconds are those of the checks, without imports and parsing of "
            "projects."
        ),
    ]
    return "\n".join(lines)
