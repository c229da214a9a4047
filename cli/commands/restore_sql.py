"""Print the SQL that restores what was lost in Snowflake.

It creates table, grants, pipe and relation as a deploy does; what exists stays. With
--rows, for tables that are gone, every object of the landing bucket is loaded. Nothing
is run: read it, then run it as the environment's admin.

Example: catflap restore-sql flights --rows --env prod > restore.sql
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from cli import options
from cli.deployed.environment import Deployed, deployed
from cli.output import sql_script
from lambdas.adapters.state.columns import StoredColumns
from lambdas.core.dataset import Dataset
from lambdas.core.landing.names import RAW, raw_prefix
from lambdas.core.sql import access, generation, loading, names, views
from lambdas.core.sql.bootstrap import Step
from project.yaml_files import load_catalogue, load_datasets


def run(
    asked: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Datasets; all if none is named."),
    ] = None,
    *,
    rows: Annotated[
        bool,
        typer.Option("--rows", help="Load all that landed, into tables that are gone."),
    ] = False,
    environment: options.Env = "dev",
    environments: options.Environments = options.ENVIRONMENTS,
    datasets: options.Datasets = options.DATASETS,
    apis: options.Apis = options.APIS,
) -> int:
    """Print the statements; returns 0. Raises BadInput, BadFiles, NotReached."""
    where = {"datasets": datasets, "apis": apis}
    catalogue = load_datasets(asked, **where) if asked else load_catalogue(**where)
    reached = deployed(environment, environments=environments)
    with reached.reached():
        script = Restoration(reached, with_rows=rows)
        chosen = [catalogue[name] for name in asked or sorted(catalogue.datasets)]
        steps = list(script.steps(chosen, with_runs=not asked))
    admin = reached.environment.snowflake.admin.user
    replay = " ".join(["catflap replay", *(one.name for one in chosen)])
    first = [f"Run this as {admin}.", _ROWS] if rows else [f"Run this as {admin}."]
    last = f"Then load what has landed since: {replay} --env {environment}"
    print(sql_script(first, steps, [last]))
    return 0


_ROWS = (
    "For tables that are gone, and for no others: COPY loads again what a pipe loaded. "
    "Within a day of the loss UNDROP TABLE brings back all of it: try that first."
)


class Restoration:
    """The statements for one environment."""

    def __init__(self, reached: Deployed, *, with_rows: bool) -> None:
        self._reached = reached
        self._with_rows = with_rows
        self._settings = reached.settings
        self._database = reached.settings.snowflake_database
        self._columns = StoredColumns(
            client=lambda: reached.aws("dynamodb"), table=self._settings.state_table
        )
        self._landing = loading.LandingLocation(
            database=self._database,
            bucket=self._settings.landing_bucket,
            integration=loading.integration_name(self._database),
            topic_arn=reached.landed_topic(),
        )

    def steps(self, datasets: Sequence[Dataset], *, with_runs: bool) -> Iterator[Step]:
        """All of it, in the order in which it is run."""
        known = self._reached.environment.snowflake
        yield Step(
            why="As the role that owns what a deploy makes.",
            statements=(
                f"USE ROLE {names.identifier(known.admin.role)}",
                f"USE WAREHOUSE {names.identifier(known.warehouse)}",
            ),
        )
        if with_runs:
            yield self._runs()
        for dataset in datasets:
            yield self._table(dataset)

    def _runs(self) -> Step:
        repairer = self._reached.environment.snowflake.repair_login.role
        pipe = names.runs_pipe(self._database)
        return Step(
            why="The runs that landed.",
            statements=(
                *self._dropped(pipe),
                loading.create_runs_table(self._database),
                access.runs_table_grant(self._database, repairer=repairer),
                *self._rows(loading.copy_runs_statement(self._database)),
                loading.create_runs_pipe(self._landing),
                access.runs_pipe_grant(self._database, repairer=repairer),
            ),
        )

    def _table(self, dataset: Dataset) -> Step:
        known = self._reached.environment.snowflake
        reader, repairer = known.reader.role, known.repair_login.role
        table = names.raw_table(self._database, dataset.name)
        pipe = names.pipe(self._database, dataset.name, generation(dataset))
        return Step(
            why=f"{dataset.name}: table, pipe and relation.",
            statements=(
                *self._dropped(pipe),
                loading.create_table(self._database, dataset),
                *access.raw_table_grants(
                    table,
                    reader=reader,
                    repairer=repairer,
                    removes_old_runs=dataset.write_disposition == "replace",
                ),
                *self._rows(self._copy(dataset)),
                loading.create_pipe(self._landing, dataset),
                *access.pipe_grants(pipe, reader=reader, repairer=repairer),
                *self._relation(dataset),
            ),
        )

    def _dropped(self, pipe: str) -> Sequence[str]:
        """A pipe that has lost its table stays stopped: it goes."""
        return [loading.drop_pipe(pipe)] if self._with_rows else []

    def _rows(self, copy: str) -> Sequence[str]:
        return [copy] if self._with_rows else []

    def _copy(self, dataset: Dataset) -> str:
        """The pipe's COPY, of all generations."""
        newest = raw_prefix(dataset.name, generation(dataset))
        copy = loading.copy_statement(self._database, dataset)
        return copy.replace(newest, f"{RAW}{dataset.name}/")

    def _relation(self, dataset: Dataset) -> Iterator[str]:
        seen = self._columns.of(dataset.name).columns if not dataset.columns else {}
        kind, made = "VIEW", views.create_view(self._database, dataset, seen)
        if dataset.table.materialized == "dynamic_table":
            runs_on = self._settings.snowflake_warehouse
            kind = "DYNAMIC TABLE"
            made = views.create_dynamic_table(self._database, dataset, runs_on, seen)
        yield made
        relation = names.analytics_view(self._database, dataset.name)
        yield access.relation_grant(kind, relation, self._database)
