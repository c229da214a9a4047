"""When checks run, and what is told of them, whatever dies in between."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from lambdas.core.columns.observed import Observed
from lambdas.core.dataset import Catalogue, Dataset, QualityCheck, SqlModel
from lambdas.core.errors import WarehouseError
from lambdas.core.incidents.incident import Recipient
from lambdas.core.incidents.message import as_mail
from lambdas.core.incidents.notice import Notice
from lambdas.core.quality.ports import LandedPull
from tests.checked import MemoryChecks, quality_checks
from tests.datasets import a_dataset
from tests.memory import Faults, Killed
from tests.watched import HOUR, NOW, MemoryIncidents

ROUTES = {
    Recipient.ENGINEERS: ("sns",),
    Recipient.STAKEHOLDERS: ("sns",),
    Recipient.SYSTEMS: ("bus",),
}
RUN_1, RUN_2 = "20261123T070000.000Z-0123456789ab", "20261123T080000.000Z-0123456789ab"


class FakeTables:
    """One relation, `cats`, of which a test says how many rows a check counts."""

    def __init__(self) -> None:
        self.run, self.loaded = RUN_1, NOW
        self.columns = ["ID", "NAME", "MAIL", "_RUN_ID"]
        self.nulls = 0.0
        self.error: WarehouseError | None = None
        self.asked: list[str] = []
        self.models: list[str] = []

    def query(
        self, statement: str, parameters: Sequence[object] = (), **_: object
    ) -> list[tuple[object, ...]]:
        del parameters
        self.asked.append(statement)
        if "MAX(_RUN_ID)" in statement:
            return [("cats", self.run, self.loaded)]
        if "INFORMATION_SCHEMA" in statement:
            relations = ["CATS", *self.models]
            return [(one, name, "TEXT") for one in relations for name in self.columns]
        if "AS BRANCH" in statement:
            if self.error is not None:
                raise self.error
            width = statement.partition(" FROM ")[0].count(" AS V")
            return [(0, *[self.nulls] * width)]
        return []


class House:
    """The checks of one dataset, at a time that a test moves."""

    def __init__(
        self, *checks: dict[str, object], faults: Faults | None = None
    ) -> None:
        self.now = NOW
        self.tables = FakeTables()
        self.store = MemoryChecks(landed={"cats": LandedPull(run_id=RUN_1, rows=3)})
        self.state = MemoryIncidents(faults)
        self.last_check_at: datetime | None = None
        columns = {"id": "string", "name": "string"}
        columns |= {"mail": {"type": "string", "personal": True}}  # type: ignore[dict-item]  # as YAML has it
        self.dataset: Dataset | None = a_dataset(quality=list(checks), columns=columns)

    def check(
        self, *, after: timedelta = timedelta(), is_awake: bool = True
    ) -> Sequence[Notice]:
        self.now += after
        one = self.dataset
        made = quality_checks(
            Catalogue(datasets={} if one is None else {"cats": one}),
            warehouse=self.tables,
            state=self.state,
            routes=ROUTES,
            store=self.store,
        ).check(is_awake=is_awake, last_check_at=self.last_check_at, now=self.now)
        self.last_check_at = self.now
        return made

    def load(self, *, nulls: float) -> None:
        self.tables.run, self.tables.loaded = RUN_2, self.now + HOUR
        self.tables.nulls = nulls


NULLS: dict[str, object] = {"metric": "nullValues", "column": "name", "mustBe": 0}


def said(notices: Sequence[Notice]) -> list[tuple[str, str, bool]]:
    return [(one.audience.value, one.kind.value, one.page) for one in notices]


def test_a_failing_check_is_told_once_and_its_end_is_told() -> None:
    house = House(NULLS)
    house.tables.nulls = 3

    opened = house.check()
    assert said(opened) == [
        ("engineers", "opened", True),
        ("stakeholders", "opened", False),
        ("systems", "opened", False),
    ]
    assert "nullValues_name is 3, and must be 0" in opened[0].message.headline
    assert RUN_1 in as_mail(opened[0].message)[1]
    assert RUN_1 not in as_mail(opened[1].message)[1]
    assert opened[2].event == "dataset.check_failed"
    (incident,) = house.state.all.values()
    assert (incident.kind, incident.cause) == ("quality", "checks_failed")

    house.load(nulls=4)
    assert house.check(after=HOUR) == []

    house.load(nulls=0)
    house.tables.loaded += HOUR
    ended = house.check(after=HOUR)
    assert [one.kind.value for one in ended] == ["resolved"] * 3
    assert ended[0].message.headline == "cats: its checks pass again"
    assert ended[2].event == "dataset.recovered"


def test_one_more_failing_check_is_news() -> None:
    house = House(NULLS, {"metric": "rowCount", "mustBeGreaterThan": 1})
    house.tables.nulls = 3
    assert len(house.check()) == 3

    house.load(nulls=1)
    assert ("engineers", "changed", True) in said(house.check(after=HOUR))
    assert house.store.remembered["cats"].failing == ("nullValues_name", "rowCount")


def test_a_warning_wakes_nobody_and_stakeholders_hear_nothing() -> None:
    house = House(NULLS | {"severity": "warn"})
    house.tables.nulls = 1

    assert said(house.check()) == [
        ("engineers", "opened", False),
        ("systems", "opened", False),
    ]


def test_what_could_not_run_is_unknown_and_opens_and_ends_nothing() -> None:
    house = House(NULLS)
    house.tables.error = WarehouseError("division by zero")
    assert house.check() == []
    assert house.store.kept["cats"].results[0].state == "error"

    house.tables.error, house.tables.nulls = None, 2
    assert len(house.check(after=HOUR)) == 3

    house.load(nulls=0)
    house.tables.error = WarehouseError("division by zero")
    assert house.check(after=HOUR) == []
    assert house.state.open_incident("cats", of_checks=True) is not None


def test_a_column_that_is_gone_costs_no_statement_and_names_the_nearest() -> None:
    house = House(NULLS)
    house.tables.columns = ["ID", "NAMES", "_RUN_ID"]
    house.check()

    (result,) = house.store.kept["cats"].results
    assert result.state == "error"
    assert result.reason == "cats has no column NAME; the nearest is NAMES"
    assert not any("AS BRANCH" in text for text in house.tables.asked)


def test_the_same_rows_are_checked_once() -> None:
    house = House(NULLS)
    house.check()
    before = len(house.tables.asked)
    house.check(after=timedelta(minutes=5))

    assert len(house.tables.asked) == before + 1
    house.check(after=timedelta(minutes=5), is_awake=False)
    assert len(house.tables.asked) == before + 1


def test_what_landed_wakes_the_warehouse_once_an_hour_at_most() -> None:
    house = House(NULLS)
    house.check()
    house.load(nulls=1)
    house.store.landed["cats"] = LandedPull(run_id=RUN_2, rows=3)
    told = [
        len(house.check(after=timedelta(minutes=5), is_awake=False)) for _ in range(12)
    ]

    assert sum(map(bool, told)) == 1


def test_samples_hold_no_personal_column() -> None:
    house = House(NULLS, NULLS | {"column": "mail"}, NULLS | {
        "name": "filtered", "filter": "mail is not null"
    })  # fmt: skip
    house.tables.nulls = 1
    house.check()

    (sample,) = (text for text in house.tables.asked if "CHECK_NUMBER" in text)
    assert "MAIL" not in sample.upper()
    assert sample.count("LIMIT 10") == 1


def test_checks_that_were_removed_are_forgotten_and_their_incident_ends() -> None:
    house = House(NULLS)
    house.tables.nulls = 1
    house.check()
    house.dataset = a_dataset()

    ended = house.check(after=HOUR)
    assert {one.kind.value for one in ended} == {"resolved"}
    assert house.store.remembered == {}


def test_new_and_missing_columns_are_those_that_were_not_declared_or_are_gone() -> None:
    house = House(
        {"metric": "newColumns", "mustBe": 0}, {"metric": "missingColumns", "mustBe": 0}
    )
    house.store.columns["cats"] = Observed(
        columns={"id": "string", "name": "string", "mail": "string", "age": "integer"},
        missing=("name",),
    )
    house.check()

    new, missing = house.store.kept["cats"].results
    assert (new.state, new.value, new.reason) == ("fail", 1, "age")
    assert (missing.state, missing.value, missing.reason) == ("fail", 1, "name")


@pytest.mark.parametrize("is_before", [True, False])
def test_a_death_at_the_incident_costs_nothing_but_a_second_try(
    *, is_before: bool
) -> None:
    faults = Faults(at=1, after=not is_before)
    house = House(NULLS, faults=faults)
    house.tables.nulls = 1
    with pytest.raises(Killed):
        house.check()
    house.check(after=timedelta(minutes=5))

    kinds = [one.kind.value for one in house.state.undelivered()]
    assert kinds == ["opened"] * 3
    assert len(house.state.all) == 1


def test_a_query_of_ones_own_reads_the_relation() -> None:
    house = House(
        {"query": "select count(*) from {table} -- all\n;", "mustBe": 0, "name": "own"}
    )
    house.check()

    (asked,) = (text for text in house.tables.asked if "AS BRANCH" in text)
    assert re.search(r"from DB\.ANALYTICS\.CATS -- all\n", asked)


def test_a_model_is_checked_when_its_inputs_are_loaded() -> None:
    house = House(NULLS)
    model = SqlModel(
        name="litters",
        sql="select name from {{ ref('cats') }}",
        quality=(QualityCheck(metric="rowCount", mustBeGreaterThan=3),),
    )
    tables = FakeTables()
    tables.nulls = 0.0
    catalogue = Catalogue(datasets={"cats": a_dataset()}, models={"litters": model})
    tables.models = ["LITTERS"]
    made = quality_checks(
        catalogue,
        warehouse=tables,
        state=house.state,
        routes=ROUTES,
        store=house.store,
    ).check(is_awake=True, last_check_at=None, now=NOW)

    assert made[0].dataset == "litters"
    assert "models/litters.sql" in as_mail(made[0].message)[1]
    assert house.store.remembered["litters"].run_id == RUN_1
