from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from lambdas.core.dataset import Catalogue, Dataset
from lambdas.core.errors import WarehouseError
from lambdas.core.settings import WarehouseSettings
from lambdas.core.sql import generation
from lambdas.warehouse.provision import LANES, Provisioner

SETTINGS = WarehouseSettings(
    snowflake_account="acme",
    snowflake_user="DEPLOYER",
    snowflake_role="ADMIN",
    snowflake_warehouse="WH",
    snowflake_database="CATFLAP_TEST",
    landing_bucket="landing",
    landed_topic_arn="arn:aws:sns:eu-west-1:123456789012:landed",
    reader_role="READER",
    repairer_role="REPAIRER",
)


class PatientClock:
    """Waiting takes no time, and is counted."""

    def __init__(self) -> None:
        self.waited_s = 0.0

    def now(self) -> datetime:
        return datetime(2013, 1, 1, tzinfo=UTC)

    def sleep(self, seconds: float) -> None:
        self.waited_s += seconds

    def monotonic(self) -> float:
        return self.waited_s


class FakeWarehouse:
    """Answers what the provisioner reads, and keeps what it was told."""

    def __init__(
        self, *, denied: int = 0, pipes: Sequence[str] = (), role: str = "arn:access"
    ) -> None:
        self.statements: list[str] = []
        self.denied = denied
        self.pipes = pipes
        self.role = role
        self.opened = 0
        self.closed = 0

    def open(self) -> FakeWarehouse:
        self.opened += 1
        return self

    def close(self) -> None:
        self.closed += 1

    def query(
        self, statement: str, parameters: Sequence[object] = ()
    ) -> list[tuple[object, ...]]:
        assert not parameters
        self.statements.append(statement)
        if "VALIDATE_STORAGE" in statement:
            self.denied -= 1
            status = "failure" if self.denied >= 0 else "success"
            return [(json.dumps({"status": status}),)]
        if statement.startswith("SHOW PIPES"):
            return [("created", pipe, "DB") for pipe in self.pipes]
        if statement.startswith("DESC"):
            return [
                ("STORAGE_AWS_IAM_USER_ARN", "String", "arn:snowflake", ""),
                ("STORAGE_AWS_EXTERNAL_ID", "String", "external", ""),
                ("STORAGE_AWS_ROLE_ARN", "String", self.role, ""),
                ("STORAGE_ALLOWED_LOCATIONS", "List", "s3://landing/", ""),
            ]
        if "SNS_IAM_POLICY" in statement:
            policy = {"Statement": [{"Principal": {"AWS": ["arn:subscriber"]}}]}
            return [(json.dumps(policy),)]
        return []

    def told(self, beginning: str) -> list[str]:
        return [text for text in self.statements if text.startswith(beginning)]


def provisioner(
    warehouse: FakeWarehouse, clock: PatientClock | None = None
) -> Provisioner:
    return Provisioner(
        settings=SETTINGS,
        open_warehouse=warehouse.open,
        clock=clock or PatientClock(),
        deadline_s=100,
    )


def flights(name: str = "flights") -> Dataset:
    return Dataset.model_validate(
        {
            "name": name,
            "description": "x",
            "owner": {"team": "data"},
            "source": {},
            "schedule": {"rate": "1 hour"},
        }
    )


def catalogue(*names: str) -> Catalogue:
    return Catalogue(datasets={name: flights(name) for name in names})


def test_the_integration_says_who_will_read() -> None:
    warehouse = FakeWarehouse()

    attributes = provisioner(warehouse).make_integration("arn:access")

    assert attributes == {
        "IamUserArn": "arn:snowflake",
        "ExternalId": "external",
        "SnsUserArn": "arn:subscriber",
    }
    assert warehouse.told("ALTER") == []
    assert warehouse.opened == warehouse.closed == 1


def test_an_integration_that_stands_learns_of_another_role_in_place() -> None:
    warehouse = FakeWarehouse(role="arn:older")

    provisioner(warehouse).make_integration("arn:access")

    (altered,) = warehouse.told("ALTER STORAGE INTEGRATION")
    assert "'arn:access'" in altered


def test_nothing_is_made_before_iam_lets_snowflake_in() -> None:
    warehouse, clock = FakeWarehouse(denied=5), PatientClock()

    provisioner(warehouse, clock).make_objects(catalogue("flights"))

    assert clock.waited_s == 1 + 2 + 4 + 8 + 16
    assert all("VALIDATE" in text for text in warehouse.statements[:6])
    assert warehouse.told("CREATE PIPE")


def test_waiting_for_iam_ends_in_time_to_answer() -> None:
    warehouse, clock = FakeWarehouse(denied=10_000), PatientClock()

    with pytest.raises(WarehouseError, match="access role's trust"):
        provisioner(warehouse, clock).make_objects(catalogue("flights"))

    assert clock.waited_s <= 100
    assert warehouse.closed == 1


def test_only_a_new_pipe_is_refreshed() -> None:
    number = generation(flights())
    warehouse = FakeWarehouse(pipes=[f"FLIGHTS_G{number}", "_RUNS"])

    provisioner(warehouse).make_objects(catalogue("flights", "weather"))

    refreshed = warehouse.told("ALTER PIPE")
    assert refreshed == [f"ALTER PIPE CATFLAP_TEST.RAW.WEATHER_G{number} REFRESH"]


def test_the_reader_may_read_all_that_is_made() -> None:
    warehouse = FakeWarehouse()

    provisioner(warehouse).make_objects(catalogue("flights"))

    for made in ("TABLE", "VIEW", "PIPE"):
        created = {
            text.split(f"{made} IF NOT EXISTS ")[-1].split(f"{made} ")[-1].split()[0]
            for text in warehouse.told(f"CREATE {made}")
            + warehouse.told(f"CREATE OR REPLACE {made}")
        }
        granted = {
            text.split(" ON ")[1].split()[1]
            for text in warehouse.told("GRANT")
            if f" ON {made} " in text
        }
        assert created == granted, made


def test_a_thousand_datasets_go_over_few_connections() -> None:
    warehouse = FakeWarehouse()

    provisioner(warehouse).make_objects(catalogue(*(f"d{n}" for n in range(1_000))))

    assert warehouse.opened == warehouse.closed == 1 + LANES
    assert len(warehouse.told("CREATE PIPE")) == 1_001
    assert len(warehouse.told("CREATE OR REPLACE VIEW CATFLAP_TEST.CATFLAP.")) == 2
