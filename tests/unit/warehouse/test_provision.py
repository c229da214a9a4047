from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from lambdas.adapters.state.incidents import IncidentTable
from lambdas.adapters.state.made import UnmadeRelations
from lambdas.core.columns.observed import Observed, ObservedType
from lambdas.core.custom_resource import Made
from lambdas.core.dataset import Catalogue, Dataset, SqlModel
from lambdas.core.errors import BadInput, OutOfTime, WarehouseError
from lambdas.core.loading.repair import RELATION_NOT_MADE, Problem
from lambdas.core.pull.column_events import COLUMNS_OBSERVED
from lambdas.core.settings import WarehouseSettings
from lambdas.core.sql import generation
from lambdas.warehouse.provision import LANES, MOST_REPEATS, Log, Provisioner
from lambdas.warehouse.steps import remake
from tests.memory import KeptProblems
from tests.state_table import TableInMemory

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)

SETTINGS = WarehouseSettings(
    catalogue_key="catalogue/1.json",
    snowflake_account="acme",
    snowflake_user="DEPLOYER",
    snowflake_role="ADMIN",
    snowflake_warehouse="WH",
    snowflake_database="CATFLAP_TEST",
    state_table="state",
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
        self.comment = SETTINGS.landed_topic_arn
        self.role = role
        self.dynamic: dict[str, str] = {}
        self.refuses: dict[str, WarehouseError] = {}
        self.opened = 0
        self.closed = 0

    def open(self) -> FakeWarehouse:
        self.opened += 1
        return self

    def close(self) -> None:
        self.closed += 1

    def query(
        self, statement: str, parameters: Sequence[object] = (), **_: object
    ) -> list[tuple[object, ...]]:
        assert not parameters
        self.statements.append(statement)
        for text, error in self.refuses.items():
            if text in statement:
                raise error
        if "VALIDATE_STORAGE" in statement:
            self.denied -= 1
            status = "failure" if self.denied >= 0 else "success"
            return [(json.dumps({"status": status}),)]
        if statement.startswith("SHOW DYNAMIC"):
            return [("created", name, "", mark) for name, mark in self.dynamic.items()]
        made = re.match(
            r"(CREATE OR REPLACE|DROP) DYNAMIC TABLE (?:IF EXISTS )?\S+\.(\w+)",
            statement,
        )
        if made and made[1] == "DROP":
            self.dynamic.pop(made[2])
        elif made:
            self.dynamic[made[2]] = statement.partition("COMMENT = '")[2].partition(
                "'"
            )[0]
        if statement.startswith("SHOW PIPES"):
            row = ("created", "", "DB", "RAW", "COPY", "ADMIN", "channel")
            return [(*row[:1], pipe, *row[2:], self.comment) for pipe in self.pipes]
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


class SeenColumns:
    """What is kept of the columns; `later` overtakes whoever asked before."""

    def __init__(self, *states: dict[str, ObservedType]) -> None:
        self.states = list(states) or [{}]
        self.asked = 0

    def of(self, dataset: str) -> Observed:
        del dataset
        at = min(self.asked, len(self.states) - 1)
        self.asked += 1
        return Observed(columns=self.states[at])


class KeptRecord:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.made = Made()

    def load(self) -> Made:
        return self.made

    def save(self, made: Made) -> None:
        self.made = made


NO_MODELS = Catalogue(datasets={})


def provisioner(
    warehouse: FakeWarehouse,
    clock: PatientClock | None = None,
    columns: SeenColumns | None = None,
    record: KeptRecord | None = None,
    log: Log = lambda _text, _values: None,
) -> Provisioner:
    return Provisioner(
        settings=SETTINGS,
        record=record or KeptRecord(),
        open_warehouse=warehouse.open,
        columns=columns or SeenColumns(),
        clock=clock or PatientClock(),
        deadline_s=100,
        log=log,
    )


def flights(name: str = "flights", **changes: Any) -> Dataset:
    return Dataset.model_validate(
        {
            "name": name,
            "description": "x",
            "owner": {"team": "data"},
            "source": {},
            "schedule": {"rate": "1 hour"},
        }
        | changes
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


@pytest.mark.parametrize(
    ("comment", "is_deaf"),
    [("arn:another", True), ("", False), ("arn:aws:sns:eu-west-1:1:landed", False)],
)
def test_a_pipe_that_listens_to_another_topic_is_made_anew(
    comment: str,
    is_deaf: bool,  # noqa: FBT001 - a case of the table
) -> None:
    name = f"FLIGHTS_G{generation(flights())}"
    warehouse = FakeWarehouse(pipes=[name, "_RUNS"])
    warehouse.comment = comment.replace(":1:", ":123456789012:")

    provisioner(warehouse).make_objects(catalogue("flights"))

    both = {f"DROP PIPE IF EXISTS CATFLAP_TEST.RAW.{one}" for one in (name, "_RUNS")}
    assert set(warehouse.told("DROP PIPE")) == (both if is_deaf else set())
    told = warehouse.statements
    for dropped in warehouse.told("DROP PIPE"):
        made = dropped.replace("DROP PIPE IF EXISTS", "CREATE PIPE IF NOT EXISTS")
        assert any(one.startswith(made) for one in told[told.index(dropped) :])


def test_a_pipe_that_takes_anothers_place_loads_nothing_again() -> None:
    number = generation(flights())

    class Loaded(FakeWarehouse):
        def query(
            self, statement: str, parameters: Sequence[object] = (), **_: object
        ) -> list[tuple[object, ...]]:
            if statement.startswith("SELECT 1 FROM CATFLAP_TEST.RAW.FLIGHTS "):
                assert f"'/g{number}/'" in statement
                return [(1,)]
            return super().query(statement, parameters)

    warehouse = Loaded()
    provisioner(warehouse).make_objects(catalogue("flights", "weather"))

    refreshed = [text for text in warehouse.told("ALTER PIPE") if "_RUNS" not in text]
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


DYNAMIC = {"table": {"materialized": "dynamic_table", "target_lag": "1 hour"}}


def made_of(warehouse: FakeWarehouse, **changes: Any) -> list[str]:
    """What a deploy of `flights` does to its relation."""
    warehouse.statements.clear()
    only = Catalogue(datasets={"flights": flights(**changes)})
    provisioner(warehouse).make_objects(only)
    return [
        " ".join(text.split()[: 5 if "DYNAMIC" in text else 4])
        for text in warehouse.statements
        if "ANALYTICS.FLIGHTS" in text and not text.startswith("GRANT")
    ]


def test_an_unchanged_dynamic_table_is_left_alone() -> None:
    warehouse = FakeWarehouse()

    assert made_of(warehouse, **DYNAMIC) == [
        "DROP VIEW IF EXISTS",
        "CREATE OR REPLACE DYNAMIC TABLE",
    ]
    assert made_of(warehouse, **DYNAMIC) == []
    (grant,) = (
        text for text in warehouse.told("GRANT SELECT") if "DYNAMIC TABLE" in text
    )
    assert grant.endswith(
        "ANALYTICS.FLIGHTS TO DATABASE ROLE CATFLAP_TEST.ANALYTICS_READER"
    )

    assert made_of(warehouse, **DYNAMIC, columns={"id": "integer"}) == [
        "CREATE OR REPLACE DYNAMIC TABLE"
    ]


def test_a_relation_of_the_other_kind_goes_first() -> None:
    warehouse = FakeWarehouse()
    made_of(warehouse, **DYNAMIC)

    assert made_of(warehouse) == [
        "DROP DYNAMIC TABLE IF EXISTS",
        "CREATE OR REPLACE VIEW",
    ]
    assert made_of(warehouse) == ["CREATE OR REPLACE VIEW"]


def test_a_deploy_uses_the_columns_seen_where_none_is_declared() -> None:
    warehouse, seen = FakeWarehouse(), SeenColumns({"id": "integer", "fur": "string"})

    provisioner(warehouse, columns=seen).make_objects(catalogue("flights"))

    (view,) = warehouse.told("CREATE OR REPLACE VIEW CATFLAP_TEST.ANALYTICS.FLIGHTS")
    assert "AS ID, PAYLOAD['fur']::VARCHAR AS FUR, _EVENT_AT" in view


def views_made(warehouse: FakeWarehouse) -> list[str]:
    return [
        " ".join(re.findall(r" AS (\w+),", text.partition("SELECT")[2]))
        for text in warehouse.told("CREATE OR REPLACE VIEW")
    ]


def test_an_event_and_the_state_make_the_same_relation_whichever_is_ahead() -> None:
    for state, event in (
        ({"id": "integer"}, {"id": "integer", "fur": "string"}),
        ({"id": "integer", "fur": "string"}, {"id": "integer"}),
    ):
        warehouse = FakeWarehouse()
        seen = SeenColumns(state)  # type: ignore[arg-type]  # literals
        provisioner(warehouse, columns=seen).make_relation(
            flights(),
            event,  # type: ignore[arg-type]  # literals
            NO_MODELS,
        )
        assert views_made(warehouse) == ["ID FUR"]
        assert warehouse.told("CREATE PIPE") == []
        assert warehouse.closed == 1


def test_whoever_was_overtaken_makes_the_relation_once_more() -> None:
    warehouse = FakeWarehouse()
    seen = SeenColumns({"id": "integer"}, {"id": "integer", "fur": "string"})

    provisioner(warehouse, columns=seen).make_relation(
        flights(), {"id": "integer"}, NO_MODELS
    )

    assert views_made(warehouse) == ["ID", "ID FUR"]


def test_columns_that_never_stand_still_do_not_keep_it_for_ever() -> None:
    states: list[dict[str, ObservedType]] = [{f"c{n}": "integer"} for n in range(99)]
    warehouse = FakeWarehouse()

    provisioner(warehouse, columns=SeenColumns(*states)).make_relation(
        flights(), {}, NO_MODELS
    )

    assert len(views_made(warehouse)) == MOST_REPEATS


def an_event(**detail: object) -> dict[str, object]:
    return {"detail-type": COLUMNS_OBSERVED, "detail": detail}


def test_an_event_makes_only_the_relation_it_is_about() -> None:
    warehouse = FakeWarehouse()
    known = Catalogue(
        datasets={
            "cats": flights("cats"),
            "dogs": flights("dogs", columns={"id": "integer"}),
        }
    )

    def remade(dataset: str) -> object:
        event = an_event(dataset=dataset, columns={"fur": "string"}, run_id="r")
        done = remake(
            event,
            provisioner=lambda: provisioner(warehouse),
            known=lambda: known,
            unmade=KeptProblems(),
            at=NOW,
        )
        return done["status"]

    assert remade("dogs") == remade("removed") == "nothing to do"
    assert warehouse.statements == []
    assert remade("cats") == "made"
    assert views_made(warehouse) == ["FUR"]


@pytest.mark.parametrize(
    "event",
    [
        {},
        an_event(),
        an_event(dataset="cats"),
        an_event(dataset="cats", columns={"fur": "money"}),
    ],
)
def test_another_event_is_refused_by_what_it_lacks(event: dict[str, object]) -> None:
    with pytest.raises(BadInput, match=r"dataset.columns_observed: \S+"):
        remake(
            event,
            provisioner=lambda: pytest.fail("made"),
            known=catalogue,
            unmade=KeptProblems(),
            at=NOW,
        )


def test_a_relation_that_cannot_be_made_is_reported_until_it_is() -> None:
    warehouse, kept = FakeWarehouse(), KeptProblems()
    known = Catalogue(datasets={"cats": flights("cats")})
    event = an_event(dataset="cats", columns={"fur": "string"}, run_id="r")

    def remade() -> None:
        remake(
            event,
            provisioner=lambda: provisioner(warehouse),
            known=lambda: known,
            unmade=kept,
            at=NOW,
        )

    warehouse.refuses = {"VIEW": WarehouseError("002003: no such column")}
    for _ in range(2):  # as it is tried again
        with pytest.raises(WarehouseError):
            remade()
    (problem,) = kept.problems.values()
    assert (problem.code, problem.dataset, problem.since) == (
        RELATION_NOT_MADE,
        "cats",
        NOW,
    )
    assert "no such column" in problem.sentence
    warehouse.refuses = {}
    remade()
    assert kept.problems == {}


def test_a_deploy_that_made_all_relations_ends_what_was_reported() -> None:
    table = cast("Any", TableInMemory())
    reports = UnmadeRelations(client=lambda: table, table="state")
    for name in ("cats", "dogs"):
        problem = Problem(
            code=RELATION_NOT_MADE,
            dataset=name,
            sentence="no such column",
            next_step="deploy",
            since=NOW,
        )
        reports.report(problem)
    found = IncidentTable(dynamodb=table, table="state").check_state().problems
    assert {one.dataset for one in found} == {"cats", "dogs"}
    reports.made("cats")
    reports.all_made()
    assert not IncidentTable(dynamodb=table, table="state").check_state().problems


def declared(*datasets: Dataset) -> Catalogue:
    return Catalogue(datasets={each.name: each for each in datasets})


def test_only_a_changed_datasets_statements_are_sent_again() -> None:
    warehouse, record = FakeWarehouse(), KeptRecord()
    cats, dogs = flights("cats"), flights("dogs")
    provisioner(warehouse, record=record).make_objects(declared(cats, dogs))
    warehouse.pipes = ["_RUNS", *(f"{name}_G{generation(flights(name))}".upper()
                                  for name in ("cats", "dogs"))]  # fmt: skip
    warehouse.statements.clear()

    changed = flights("dogs", columns={"id": "integer"})
    provisioner(warehouse, record=record).make_objects(declared(cats, changed))

    assert [text for text in warehouse.told("CREATE TABLE") if "CATS" in text] == []
    assert [text for text in warehouse.told("CREATE TABLE") if "DOGS" in text]


def test_a_dataset_whose_pipe_is_gone_is_made_again() -> None:
    warehouse, record = FakeWarehouse(), KeptRecord()
    for _ in range(2):
        warehouse.statements.clear()
        provisioner(warehouse, record=record).make_objects(declared(flights()))

    assert warehouse.told("CREATE PIPE IF NOT EXISTS CATFLAP_TEST.RAW.FLIGHTS_G")


def test_a_deploy_that_takes_longer_than_one_invocation_goes_on() -> None:
    record = KeptRecord()
    clock = PatientClock()

    class Slow(FakeWarehouse):
        def query(
            self, statement: str, parameters: Sequence[object] = (), **_: object
        ) -> list[tuple[object, ...]]:
            clock.sleep(3.0 if "RAW" in statement else 0.0)
            return super().query(statement, parameters)

    warehouse = Slow()
    some = declared(*(flights(f"cats_{number}") for number in range(20)))
    invocations = 1
    while True:
        warehouse.pipes = [
            text.split(" AUTO_INGEST")[0].rpartition(".")[2]
            for text in warehouse.told("CREATE PIPE")
        ]
        clock.waited_s = 0.0
        try:
            provisioner(warehouse, clock, record=record).make_objects(some)
        except OutOfTime:
            invocations += 1
            continue
        break

    tables = [text for text in warehouse.told("CREATE TABLE") if "CATS_" in text]
    assert invocations > 2
    assert len(tables) == 20
    # those of the datasets, and of the view that a check reads
    assert len(record.made.digests) == 21


def test_an_sql_error_while_iam_spreads_is_waited_out() -> None:
    class Stumbling(FakeWarehouse):
        stumbles = 2

        def query(
            self, statement: str, parameters: Sequence[object] = (), **_: object
        ) -> list[tuple[object, ...]]:
            if "VALIDATE_STORAGE" in statement and self.stumbles:
                self.stumbles -= 1
                raise WarehouseError("Snowflake error 3167 on `SELECT SYSTEM$VALIDATE`")
            return super().query(statement, parameters)

    clock = PatientClock()
    provisioner(Stumbling(), clock).make_objects(declared(flights()))
    assert clock.waited_s > 0


def test_a_first_deploy_leaves_in_the_log_what_no_account_has_shown_yet() -> None:
    lines: list[Mapping[str, object]] = []
    warehouse = FakeWarehouse(denied=2)
    warehouse.refuses["ANALYTICS.CATS"] = WarehouseError("a table is in the way")
    deploys = provisioner(warehouse, log=lambda _, values: lines.append(values))

    with pytest.raises(WarehouseError):
        deploys.make_objects(declared(flights(), flights("cats")))

    *waits, made = lines
    assert [one["answer"] for one in waits] == ['{"status": "failure"}'] * 2
    assert (made["datasets"], made["left_alone"], made["refused"]) == (1, 0, 1)


def test_a_rollback_finds_the_attributes_of_the_integration_of_before() -> None:
    record = KeptRecord()
    made = provisioner(FakeWarehouse(), record=record).make_integration("arn:access")

    assert provisioner(FakeWarehouse(), record=record).remembered_integration() == made
    assert provisioner(FakeWarehouse()).remembered_integration() == {}


def a_project(**sql: str) -> Catalogue:
    """The flights, and models of these texts."""
    models = {name: SqlModel(name=name, sql=text) for name, text in sql.items()}
    known = flights(columns={"id": "integer"})
    return Catalogue(datasets={"flights": known}, models=models)


CHAIN = {
    "a_last": "select 1 from {{ ref('b_first') }}",
    "b_first": "select * from {{ ref('flights') }};",
    "c_other": "select 2 from {{ ref('flights') }}",
}


def models_made(warehouse: FakeWarehouse) -> list[str]:
    return [
        text.split()[4].rpartition(".")[2]
        for text in warehouse.told("CREATE OR REPLACE VIEW")
        if "select" in text
    ]


def test_models_are_made_after_what_they_are_made_from_and_once() -> None:
    warehouse, record = FakeWarehouse(), KeptRecord()
    own = provisioner(warehouse, record=record)
    own.make_objects(a_project(**CHAIN))
    assert models_made(warehouse) == ["B_FIRST", "C_OTHER", "A_LAST"]
    made = warehouse.told("CREATE OR REPLACE VIEW")
    (first,) = (text for text in made if ".B_FIRST " in text)
    assert re.search(r"AS select \* from \w+\.ANALYTICS\.FLIGHTS$", first)

    warehouse.pipes = ["_RUNS"]
    own.make_objects(a_project(**CHAIN))
    assert len(models_made(warehouse)) == 3
    own.make_objects(a_project(**CHAIN | {"c_other": "select 3 as n"}))
    assert models_made(warehouse)[3:] == ["C_OTHER"]


def test_a_database_that_is_made_anew_gets_its_models_again() -> None:
    warehouse, record = FakeWarehouse(), KeptRecord()
    own = provisioner(warehouse, record=record)
    own.make_objects(a_project(**CHAIN))
    own.make_objects(a_project(**CHAIN))
    assert models_made(warehouse) == 2 * ["B_FIRST", "C_OTHER", "A_LAST"]


def test_a_deploy_without_changes_replaces_and_grants_nothing() -> None:
    warehouse, record = FakeWarehouse(), KeptRecord()
    own = provisioner(warehouse, record=record)
    own.make_objects(a_project(**CHAIN))
    number = generation(flights())
    warehouse.pipes = ["_RUNS", f"FLIGHTS_G{number}"]
    warehouse.statements.clear()
    own.make_objects(a_project(**CHAIN))
    assert warehouse.told("CREATE OR") == warehouse.told("DROP") == []
    assert [x for x in warehouse.told("GRANT") if "ANALYTICS." in x] == []


def test_a_model_that_is_refused_keeps_its_last_version_and_those_after_it() -> None:
    warehouse = FakeWarehouse()
    warehouse.refuses["ANALYTICS.B_FIRST COPY"] = WarehouseError("invalid identifier")

    with pytest.raises(WarehouseError, match="models/b_first: invalid identifier"):
        provisioner(warehouse).make_objects(a_project(**CHAIN))
    assert models_made(warehouse) == ["B_FIRST", "C_OTHER"]
