"""An embedded AWS with a landing zone, an embedded Snowflake, and a way to both."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lambdas.adapters.snowflake.warehouse import SnowflakeWarehouse, snowflake_connector
from lambdas.core.columns.observed import Observed, ObservedType
from lambdas.core.custom_resource import Made
from lambdas.core.dataset import Catalogue, Dataset
from lambdas.core.landing.names import new_run_id, raw_key
from lambdas.core.settings import WarehouseSettings
from lambdas.core.sql import generation, names
from lambdas.core.sql.bootstrap import Account, ServiceUser, Step
from lambdas.warehouse.provision import Provisioner
from local.aws.cloud import Cloud
from local.snowflake.process import EmbeddedSnowflake

BUCKET = "catflap-test-landing"
CATALOGUE = "catalogue/1.json"
DATABASE = "CATFLAP_TEST"
ADMIN_ROLE = "CATFLAP_ADMIN"
READER_ROLE = "CATFLAP_READER"
REPAIRER_ROLE = "CATFLAP_REPAIRER"
REPORTER_ROLE = "CATFLAP_REPORTER"
ADMIN, READER, REPAIRER = "CATFLAP_DEPLOYER", "CATFLAP_WATCHER", "CATFLAP_MENDER"
REPORTER = "CATFLAP_BOOKKEEPER"
WAREHOUSE = "CATFLAP_WH"
STARTED = datetime(2013, 1, 1, 5, tzinfo=UTC)


def account(aws_role_arn: str) -> Account:
    """The account's users, who all sign in as one AWS role here."""
    admin, reader, repairer, reporter = (
        ServiceUser(user=user, role=role, function="test", aws_role_arn=aws_role_arn)
        for user, role in (
            (ADMIN, ADMIN_ROLE),
            (READER, READER_ROLE),
            (REPAIRER, REPAIRER_ROLE),
            (REPORTER, REPORTER_ROLE),
        )
    )
    return Account(
        admin=admin,
        reader=reader,
        repairer=repairer,
        reporter=reporter,
        warehouse=WAREHOUSE,
        database=DATABASE,
    )


def statements(steps: Iterable[Step]) -> list[str]:
    """All of their statements, in order."""
    return [text for step in steps for text in step.statements]


class NoSecrets:
    """There are none: workload identity."""

    def value(self, reference: str) -> str:
        raise AssertionError(reference)


@dataclass
class PatientClock:
    """Time passes by itself; waiting takes none."""

    waited_s: float = 0.0

    def now(self) -> datetime:
        return STARTED

    def sleep(self, seconds: float) -> None:
        self.waited_s += seconds

    def monotonic(self) -> float:
        return self.waited_s


def dataset(name: str, **changes: Any) -> Dataset:
    """A dataset of flights, as YAML would give it."""
    document: dict[str, Any] = {
        "name": name,
        "description": "flights",
        "owner": {"team": "data"},
        "source": {
            "endpoint": {
                "path": "flights.json",
                "incremental": {"cursor_path": "time_hour"},
            }
        },
        "schedule": {"rate": "1 hour"},
        "primary_key": ["id"],
        "freshness": {"loaded_at_field": "time_hour"},
        "columns": {"id": "integer", "dep_delay": "number", "time_hour": "timestamp"},
    } | changes
    return Dataset.model_validate_json(json.dumps(document))


class ForgetfulRecord:
    """Remembers nothing, so that everything is made anew."""

    def load(self) -> Made:
        return Made()

    def save(self, made: Made) -> None:
        del made


class SeenColumns:
    """What is kept of the columns in the data, for the provisioner."""

    def __init__(self) -> None:
        self.by_dataset: dict[str, dict[str, ObservedType]] = {}

    def of(self, dataset: str) -> Observed:
        return Observed(columns=self.by_dataset.get(dataset, {}))


@dataclass
class World:
    """What a test of loading needs. Each test takes a dataset of its own name."""

    cloud: Cloud
    snowflake: EmbeddedSnowflake
    topic_arn: str
    access_role_arn: str
    admin: SnowflakeWarehouse
    objects_landed: int = field(default=0)
    seen: SeenColumns = field(default_factory=SeenColumns)

    def settings(self, user: str, role: str) -> WarehouseSettings:
        return WarehouseSettings(
            snowflake_account="acme",
            snowflake_user=user,
            snowflake_role=role,
            snowflake_warehouse=WAREHOUSE,
            snowflake_database=DATABASE,
            snowflake_endpoint_url=self.snowflake.endpoint_url,
            state_table="state",
            landing_bucket=BUCKET,
            catalogue_key=CATALOGUE,
            landed_topic_arn=self.topic_arn,
            reader_role=READER_ROLE,
            repairer_role=REPAIRER_ROLE,
        )

    def warehouse(self, user: str, role: str) -> SnowflakeWarehouse:
        return SnowflakeWarehouse(
            settings=self.settings(user, role),
            secrets=NoSecrets(),
            connector=snowflake_connector,
        )

    def provisioner(
        self, settings: WarehouseSettings | None = None, *, deadline_s: float = 60.0
    ) -> Provisioner:
        known = settings or self.settings(ADMIN, ADMIN_ROLE)
        return Provisioner(
            columns=self.seen,
            record=ForgetfulRecord(),
            settings=known,
            open_warehouse=lambda: SnowflakeWarehouse(
                settings=known, secrets=NoSecrets(), connector=snowflake_connector
            ),
            clock=PatientClock(),
            deadline_s=deadline_s,
            log=lambda _text, _values: None,
        )

    def make(self, *datasets: Dataset) -> None:
        self.provisioner().make_objects(
            Catalogue(datasets={each.name: each for each in datasets})
        )

    def land(
        self,
        dataset: Dataset,
        lines: Sequence[str],
        *,
        started_at: datetime = STARTED,
        run_id: str | None = None,
        part: int = 1,
    ) -> str:
        self.objects_landed += 1
        run = run_id or new_run_id(started_at, self.objects_landed.to_bytes(6))
        key = raw_key(dataset.name, generation(dataset), run, part)
        body = gzip.compress("".join(f"{line}\n" for line in lines).encode())
        self.cloud.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)
        return key

    def load(self, dataset: Dataset, lines: Sequence[str], **more: Any) -> str:
        key = self.land(dataset, lines, **more)
        self.snowflake.deliver()
        return key

    def rows(self, dataset: Dataset, columns: str = "COUNT(*)") -> list[Any]:
        table = names.raw_table(DATABASE, dataset.name)
        return self.admin.query(f"SELECT {columns} FROM {table} ORDER BY 1")

    def view(self, dataset: Dataset, columns: str) -> list[Any]:
        view = names.analytics_view(DATABASE, dataset.name)
        return self.admin.query(f"SELECT {columns} FROM {view} ORDER BY 1")

    def pipe(self, dataset: Dataset) -> str:
        return names.pipe(DATABASE, dataset.name, generation(dataset))

    def status(self, dataset: Dataset) -> dict[str, Any]:
        answer = self.admin.query(f"SELECT SYSTEM$PIPE_STATUS('{self.pipe(dataset)}')")
        status: dict[str, Any] = json.loads(str(answer[0][0]))
        return status
