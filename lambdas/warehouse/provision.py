"""Makes what stands in Snowflake. Everything may be run again and changes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from lambdas.core.columns.observed import Observed, ObservedType, merged
from lambdas.core.custom_resource import (
    EXTERNAL_ID,
    IAM_USER_ARN,
    SNS_USER_ARN,
    Made,
)
from lambdas.core.dataset import Catalogue, Dataset, SqlModel
from lambdas.core.errors import (
    CatflapError,
    OutOfTime,
    WarehouseError,
    WarehouseUnreachable,
)
from lambdas.core.models.graph import REF, in_order, inputs_of, made_from, refs_of
from lambdas.core.ports import Clock, Warehouse
from lambdas.core.quality.release import create_released_table, release_before
from lambdas.core.quality.statements import create_checks_table
from lambdas.core.settings import WarehouseSettings
from lambdas.core.sql import access, loading, names, views
from lambdas.core.sql import freshness as watching
from lambdas.core.sql.models import create_model, select_of

LANES = 8
"""Connections at once: a statement takes Snowflake a tenth of a second, and a first
deploy of 1,000 datasets is some 6,000 of them."""
DATASETS_PER_LANE = 25
LONGEST_WAIT_S = 20.0
MOST_REPEATS = 5
"""Of a relation that is made while its columns change."""
_SHOWN_NAME = 1  # the second column of SHOW PIPES and of SHOW DYNAMIC TABLES
_SHOWN_COMMENT = 7  # of SHOW PIPES


class ClosableWarehouse(Warehouse, Protocol):
    """A warehouse whose session ends with the work."""

    def close(self) -> None:
        """Sign out."""


Open: TypeAlias = Callable[[], ClosableWarehouse]
Log: TypeAlias = Callable[[str, Mapping[str, object]], None]
"""Keeps a line with its values."""


class ObservedColumns(Protocol):
    """What is kept of the columns seen in the data."""

    def of(self, dataset: str) -> Observed:
        """As the newest run that landed has left it."""


class Record(Protocol):
    """What is remembered of the objects made, from one invocation to the next."""

    def load(self) -> Made:
        """As it was saved last; nothing, if never."""

    def save(self, made: Made) -> None:
        """Remember it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingObjects:
    """What stands in Snowflake: each pipe's name and comment, the names of dynamic
    tables, and comments of those.
    """

    pipes: Mapping[str, str]
    dynamic_tables: frozenset[str]
    said: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a dataset ended: made, by statements of a digest, or not."""

    dataset: str
    digest: str | None = None
    error: CatflapError | None = None


class Provisioner:
    """Runs the texts of `lambdas.core.sql` in the order that Snowflake needs.

    `deadline_s` is on the clock's monotonic scale: by then an answer must be given.
    """

    def __init__(
        self,
        *,
        settings: WarehouseSettings,
        open_warehouse: Open,
        columns: ObservedColumns,
        record: Record,
        clock: Clock,
        deadline_s: float,
        log: Log,
    ) -> None:
        self._settings = settings
        self._log = log
        self._record = record
        self._open = open_warehouse
        self._columns = columns
        self._clock = clock
        self._deadline_s = deadline_s
        self._database = settings.snowflake_database
        self._landing = loading.LandingLocation(
            database=self._database,
            bucket=settings.landing_bucket,
            integration=loading.integration_name(self._database),
            topic_arn=settings.landed_topic_arn,
        )

    def make_integration(self, access_role_arn: str) -> Mapping[str, str]:
        """The attributes of the first resource: who reads the bucket, and how it is
        to be admitted. An integration that stands is told of a new role in place.
        """
        landing = self._landing
        with closing(self._open()) as warehouse:
            warehouse.query(loading.create_database(self._database))
            warehouse.query(
                loading.create_integration(
                    landing,
                    access_role_arn=access_role_arn,
                    external_id=loading.external_id(self._database),
                )
            )
            described = _described(warehouse, landing)
            if not loading.integration_fits(landing, access_role_arn, described):
                warehouse.query(loading.alter_integration(landing, access_role_arn))
            policy = warehouse.query(loading.sns_policy(landing.topic_arn))[0][0]
        attributes = {
            IAM_USER_ARN: described["STORAGE_AWS_IAM_USER_ARN"],
            EXTERNAL_ID: described["STORAGE_AWS_EXTERNAL_ID"],
            SNS_USER_ARN: _principal(str(policy)),
        }
        before = self._record.load()
        known = {**before.integrations, landing.integration: attributes}
        self._record.save(replace(before, integrations=known))
        return attributes

    def remembered_integration(self) -> Mapping[str, str]:
        """What `make_integration` came to last, without Snowflake."""
        return self._record.load().integrations.get(self._landing.integration, {})

    def make_objects(self, catalogue: Catalogue) -> None:
        """Stage, tables, pipes, views and grants for every dataset.

        A dataset that cannot be made does not keep the others from it: WarehouseError
        names all that failed, at the end. What was made before by the same statements
        is left alone. Raises OutOfTime with part of them made; the next call goes on.
        """
        datasets = [catalogue.datasets[name] for name in sorted(catalogue.datasets)]
        before = self._record.load()
        with closing(self._open()) as warehouse:
            self._await_access(warehouse)
            known = self._make_home(warehouse)
            # a database that is made anew has nothing of what is remembered
            is_there = self._hears(names.runs_pipe(self._database), known)
            made = before.digests if is_there else frozenset[str]()
            began_s = self._clock.monotonic()
            ends = list(self._make_datasets(warehouse, datasets, known, made))
            self._log_speed(ends, made, began_s)
            digests = frozenset(end.digest for end in ends if end.digest is not None)
            is_whole = len(ends) == len(datasets)
            kept = digests if is_whole else digests | made
            self._record.save(replace(before, digests=kept))
            if not is_whole:
                raise OutOfTime(
                    f"{len(ends)} of {len(datasets)} datasets were made in the time of "
                    "one invocation; the next one makes the others"
                )
            # one that failed has no table, and would take its whole view with it
            there = sorted(end.dataset for end in ends if end.error is None)
            kept |= self._make_freshness(warehouse, there, made)
            models = self._make_models(
                warehouse, in_order(catalogue.models), catalogue, known, made
            )
            digests = kept.union(end.digest for end in models if end.digest)
            self._record.save(replace(before, digests=digests))
        _raise_failures([*ends, *models])

    def make_relation(
        self, dataset: Dataset, seen: Mapping[str, ObservedType], catalogue: Catalogue
    ) -> None:
        """Make the relation of a dataset anew, of the columns that are kept of it and
        of those that an event has told of, whichever is ahead; and after it the models
        that are made from it.

        Columns are only ever added and types only widened, so that it does not matter
        in which order events come. Two that are told of at once look again whether
        they were overtaken.
        """
        with closing(self._open()) as warehouse:
            columns = merged(self._columns.of(dataset.name).columns, seen)
            for _ in range(MOST_REPEATS):
                self._make_relation(
                    warehouse, dataset, columns, self._standing(warehouse)
                )
                now = merged(self._columns.of(dataset.name).columns, columns)
                if now == columns:
                    break
                columns = now
            models = made_from(catalogue, [dataset.name])
            known = self._standing(warehouse)
            _raise_failures(
                self._make_models(warehouse, models, catalogue, known, frozenset())
            )

    def _log_speed(
        self, ends: Sequence[End], before: frozenset[str], began_s: float
    ) -> None:
        """How many datasets one invocation has time for is known by this line only."""
        made = [one for one in ends if one.digest is not None]
        self._log(
            "datasets made",
            {
                "datasets": sum(one.digest not in before for one in made),
                "left_alone": sum(one.digest in before for one in made),
                "refused": len(ends) - len(made),
                "seconds": round(self._clock.monotonic() - began_s, 1),
            },
        )

    def _await_access(self, warehouse: Warehouse) -> None:
        """IAM takes seconds to minutes to let a new trust count everywhere. What
        Snowflake answers meanwhile is not documented, so an error is waited out, too.
        """
        wait_s = 1.0
        while (answer := self._refusal(warehouse)) is not None:
            if self._clock.monotonic() + wait_s > self._deadline_s:
                raise WarehouseError(
                    f"Snowflake's integration {self._landing.integration} was expected "
                    f"to list s3://{self._landing.bucket}/, and still cannot: "
                    f"{answer[:400]}; check the access role's trust and policy"
                )
            self._log(
                "Snowflake cannot list the bucket yet",
                {"answer": answer[:400], "next_try_in_s": wait_s},
            )
            self._clock.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _refusal(self, warehouse: Warehouse) -> str | None:
        """Why the integration cannot list the bucket yet, if it cannot."""
        try:
            rows = warehouse.query(loading.validate_integration(self._landing))
        except WarehouseUnreachable:
            raise
        except WarehouseError as error:
            return str(error)
        answer = str(rows[0][0])
        return None if json.loads(answer).get("status") == "success" else answer

    def _make_home(self, warehouse: Warehouse) -> ExistingObjects:
        """What all datasets share; says what of each dataset stands already."""
        database = self._database
        reader, repairer = self._settings.reader_role, self._settings.repairer_role
        for statement in (
            *loading.create_schemas(database),
            loading.create_stage(self._landing),
            loading.create_runs_table(database),
            *access.shared_grants(database, reader=reader, repairer=repairer),
            access.runs_table_grant(database, repairer=repairer),
            create_checks_table(database),
            access.checks_table_grants(database, reader=reader),
            create_released_table(database),
            *access.released_table_grants(database, reader=reader, repairer=repairer),
        ):
            warehouse.query(statement)
        known = self._standing(warehouse)
        pipe = names.runs_pipe(database)
        made = (
            loading.create_runs_pipe(self._landing),
            access.runs_pipe_grant(database, repairer=repairer),
        )
        loaded = loading.any_row(names.runs_table(database))
        self._make_pipe(warehouse, pipe, known, made, loaded)
        return known

    def _standing(self, warehouse: Warehouse) -> ExistingObjects:
        pipes = warehouse.query(loading.show_pipes(self._database))
        dynamic = warehouse.query(views.show_dynamic_tables(self._database))
        return ExistingObjects(
            pipes={str(row[_SHOWN_NAME]): str(row[_SHOWN_COMMENT]) for row in pipes},
            dynamic_tables=frozenset(str(row[_SHOWN_NAME]) for row in dynamic),
            said=frozenset(value for row in dynamic for value in map(str, row)),
        )

    def _make_datasets(
        self,
        warehouse: Warehouse,
        datasets: Sequence[Dataset],
        known: ExistingObjects,
        made: frozenset[str],
    ) -> Iterator[End]:
        lanes = min(LANES, -(-len(datasets) // DATASETS_PER_LANE))
        if lanes <= 1:
            yield from self._make_lane(warehouse, datasets, known, made)
            return

        def lane(number: int) -> list[End]:
            with closing(self._open()) as own:
                part = datasets[number::lanes]
                return list(self._make_lane(own, part, known, made))

        with ThreadPoolExecutor(max_workers=lanes) as pool:
            for ends in pool.map(lane, range(lanes)):
                yield from ends

    def _make_lane(
        self,
        warehouse: Warehouse,
        datasets: Sequence[Dataset],
        known: ExistingObjects,
        made: frozenset[str],
    ) -> Iterator[End]:
        """How each ended, as far as the time sufficed."""
        for dataset in datasets:
            if self._clock.monotonic() > self._deadline_s:
                return
            try:
                digest = self._make_dataset(warehouse, dataset, known, made)
            except CatflapError as error:
                yield End(dataset=dataset.name, error=error)
            else:
                yield End(dataset=dataset.name, digest=digest)

    def _make_dataset(
        self,
        warehouse: Warehouse,
        dataset: Dataset,
        known: ExistingObjects,
        made: frozenset[str],
    ) -> str:
        """A digest of what it is made by; one that is made and stands is left."""
        table, pipe = self._of_table(dataset), self._of_pipe(dataset)
        seen: Mapping[str, ObservedType] = {}
        if dataset.columns is None:
            seen = self._columns.of(dataset.name).columns
        digest = _digest([*table, *self._of_relation(dataset, seen), *pipe])
        name = names.pipe(self._database, dataset.name, loading.generation(dataset))
        if digest in made and self._hears(name, known):
            return digest
        for statement in table:
            warehouse.query(statement)
        if dataset.breaker is not None:
            for statement in release_before(self._database, dataset.name):
                warehouse.query(statement)
        self._make_relation(warehouse, dataset, seen, known)
        raw = names.raw_table(self._database, dataset.name)
        loaded = loading.any_row(raw, below=loading.generation(dataset))
        self._make_pipe(warehouse, name, known, pipe, loaded)
        return digest

    def _of_table(self, dataset: Dataset) -> list[str]:
        return [
            loading.create_table(self._database, dataset),
            *access.raw_table_grants(
                names.raw_table(self._database, dataset.name),
                reader=self._settings.reader_role,
                repairer=self._settings.repairer_role,
                removes_old_runs=dataset.write_disposition == "replace",
            ),
        ]

    def _of_pipe(self, dataset: Dataset) -> list[str]:
        settings = self._settings
        pipe = names.pipe(self._database, dataset.name, loading.generation(dataset))
        return [
            loading.create_pipe(self._landing, dataset),
            *access.pipe_grants(
                pipe, reader=settings.reader_role, repairer=settings.repairer_role
            ),
        ]

    def _of_relation(
        self, dataset: Dataset, seen: Mapping[str, ObservedType]
    ) -> list[str]:
        if dataset.table.materialized == "dynamic_table":
            runs_on = self._settings.snowflake_warehouse
            return [views.create_dynamic_table(self._database, dataset, runs_on, seen)]
        return [views.create_view(self._database, dataset, seen)]

    def _make_relation(
        self,
        warehouse: Warehouse,
        dataset: Dataset,
        seen: Mapping[str, ObservedType],
        known: ExistingObjects,
    ) -> None:
        """A view, or a dynamic table. What is of the other kind goes first: Snowflake
        replaces neither by the other. A dynamic table that is as wanted stays, because
        to replace it computes all of it anew.
        """
        database, name = self._database, dataset.name
        is_dynamic = names.plain(names.identifier(name)) in known.dynamic_tables
        kind = "VIEW"
        if dataset.table.materialized == "dynamic_table":
            kind, runs_on = "DYNAMIC TABLE", self._settings.snowflake_warehouse
            mark = views.dynamic_table_mark(database, dataset, runs_on, seen)
            if not is_dynamic:
                warehouse.query(views.drop_view(database, name))
            if not is_dynamic or mark not in known.said:
                warehouse.query(
                    views.create_dynamic_table(database, dataset, runs_on, seen)
                )
        else:
            if is_dynamic:
                warehouse.query(views.drop_dynamic_table(database, name))
            warehouse.query(views.create_view(database, dataset, seen))
        relation = names.analytics_view(database, name)
        for grant in self._relation_grants(kind, relation):
            warehouse.query(grant)

    def _make_models(
        self,
        warehouse: Warehouse,
        models: Sequence[SqlModel],
        catalogue: Catalogue,
        known: ExistingObjects,
        made: frozenset[str],
    ) -> list[End]:
        """Each after what it is made from, and each apart: one that fails keeps its
        last version. One whose text has not changed is left alone: whatever is made
        from a view that is replaced is computed anew.
        """
        ends: list[End] = []
        failed: set[str] = set()
        for model in models:
            if failed.intersection(refs_of(model)):
                failed.add(model.name)  # it keeps its last version, too
                continue
            statements = self._of_model(model)
            digest = _digest(statements)
            if digest not in made:
                try:
                    for statement in (*self._other_kind(model, known), *statements):
                        warehouse.query(statement)
                except CatflapError as error:
                    failed.add(model.name)
                    if not self._awaits_columns(model, catalogue):
                        ends.append(End(dataset=f"models/{model.name}", error=error))
                    continue
            ends.append(End(dataset=model.name, digest=digest))
        return ends

    def _of_model(self, model: SqlModel) -> list[str]:
        database, runs_on = self._database, self._settings.snowflake_warehouse
        select = select_of(model, database, REF)
        relation = names.analytics_view(database, model.name)
        is_view = model.materialized == "view"
        kind = "VIEW" if is_view else "DYNAMIC TABLE"
        return [
            create_model(model, database, runs_on, select),
            *self._relation_grants(kind, relation),
        ]

    def _relation_grants(self, kind: str, relation: str) -> list[str]:
        """For those who read it, and of a dynamic table for the monitor."""
        grants = [access.relation_grant(kind, relation, self._database)]
        if kind == "DYNAMIC TABLE":
            reader = self._settings.reader_role
            grants.append(access.dynamic_table_grant(relation, reader=reader))
        return grants

    def _other_kind(self, model: SqlModel, known: ExistingObjects) -> list[str]:
        """What stands in its place and is of the other kind goes first."""
        is_dynamic = names.plain(names.identifier(model.name)) in known.dynamic_tables
        if model.materialized == "view":
            drop = views.drop_dynamic_table(self._database, model.name)
            return [drop] if is_dynamic else []
        return [] if is_dynamic else [views.drop_view(self._database, model.name)]

    def _awaits_columns(self, model: SqlModel, catalogue: Catalogue) -> bool:
        """Whether it reads a dataset whose columns are taken from data that have not
        come yet; it is made when they have.
        """
        return any(
            catalogue.datasets[name].columns is None
            and not self._columns.of(name).columns
            for name in inputs_of(catalogue, model.name)
        )

    def _make_pipe(
        self,
        warehouse: Warehouse,
        pipe: str,
        known: ExistingObjects,
        statements: Iterable[str],
        loaded: str,
    ) -> None:
        """The statements make the pipe and grant it; `loaded` asks for any row that a
        pipe before it loaded.

        A new pipe is told of what landed before it could hear of it. One that takes
        the place of another, or of itself with another topic, knows nothing of what
        that one loaded, and would load seven days again: what was missed in between is
        found by the repair function, by the history and the rows of each file.
        """
        hears = self._hears(pipe, known)
        if not hears and _shown(pipe) in known.pipes:
            warehouse.query(loading.drop_pipe(pipe))
        for statement in statements:
            warehouse.query(statement)
        if not hears and not warehouse.query(loaded):
            warehouse.query(loading.refresh_pipe(pipe))

    def _hears(self, pipe: str, known: ExistingObjects) -> bool:
        """Whether it stands, and was made with the topic of now. Earlier versions of
        ours left no comment.
        """
        return known.pipes.get(_shown(pipe)) in ("", self._landing.topic_arn)

    def _make_freshness(
        self,
        warehouse: Warehouse,
        datasets: Sequence[str],
        made: frozenset[str],
    ) -> frozenset[str]:
        """The views that a check reads; one whose tables are the same is left alone."""
        role = self._settings.reader_role
        digests = set()
        for view, members in watching.freshness_views(self._database, datasets).items():
            statements = (
                watching.create_freshness_view(self._database, view, members),
                access.freshness_view_grant(view, reader=role),
            )
            digest = _digest(statements)
            digests.add(digest)
            if digest not in made:
                for statement in statements:
                    warehouse.query(statement)
        return frozenset(digests)


def _raise_failures(ends: Sequence[End]) -> None:
    failed = [f"{end.dataset}: {end.error}" for end in ends if end.error is not None]
    if failed:
        raise WarehouseError(
            f"{len(failed)} of {len(ends)} datasets could not be made in Snowflake "
            "(the others were, and stay): " + "; ".join(failed)
        )


def _digest(statements: Iterable[str]) -> str:
    text = "\0".join(statements).encode()
    return hashlib.blake2b(text, digest_size=8).hexdigest()


def _shown(pipe: str) -> str:
    """As SHOW PIPES names it."""
    return names.plain(pipe.rpartition(".")[2])


def _described(
    warehouse: Warehouse, landing: loading.LandingLocation
) -> Mapping[str, str]:
    rows = warehouse.query(loading.describe_integration(landing))
    return {str(row[0]): str(row[2]) for row in rows}


def _principal(policy: str) -> str:
    statement = json.loads(policy)["Statement"][0]
    principal = statement["Principal"]["AWS"]
    return str(principal[0] if isinstance(principal, list) else principal)
