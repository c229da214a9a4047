"""Models: what `catflap check` says of them, by file and line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli.generate import ROOT
from project.yaml_files import read_files

FLIGHTS = """\
description: flights
owner: {team: data}
source: {client: {base_url: "https://api.example.com"}, endpoint: {path: flights}}
schedule: {rate: 1 hour}
columns: {id: integer, carrier: string, origin: string, time_hour: timestamp,
  crew: variant}
"""
AIRLINES = FLIGHTS.replace("flights", "airlines").partition("columns")[0]


class Folder:
    """A project that a test writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name in ("datasets", "models"):
            (path / name).mkdir()
        self.write("datasets/flights.yaml", FLIGHTS)
        self.write("datasets/airlines.yaml", AIRLINES)

    def write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text)

    def model(self, name: str, sql: str, header: str = "") -> None:
        self.write(f"models/{name}.sql", f"{header}\n{sql}" if header else sql)

    def faults(self) -> list[str]:
        read = read_files(
            self.path / "datasets", self.path / "apis", self.path / "models"
        )
        below = f"{self.path}/models/"
        return [str(fault).removeprefix(below) for fault in read.faults]

    def models(self) -> list[str]:
        read = read_files(
            self.path / "datasets", self.path / "apis", self.path / "models"
        )
        return list(read.sound.models)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_models_come_after_what_they_are_made_from(folder: Folder) -> None:
    folder.model("a_last", "select n from {{ ref('b_first') }}")
    folder.model("b_first", 'select count(*) as n from {{ ref( "flights" ) }}')

    assert folder.faults() == []
    assert folder.models() == ["b_first", "a_last"]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select carier\nfrom {{ ref('flights') }}", [
            "1: sql: there is no column `carier` (the nearest is `carrier`)"]),
        ("select carrier\nfrom {{ ref('flihts') }}", [
            "2: sql: there is no `flihts` (the nearest is `flights`)"]),
        ("select f.id\nfrom {{ ref('flights') }} f\nwhere f.origen = 'x'", [
            "3: sql: there is no column `origen` (the nearest is `origin`)"]),
        (("select id\nfrom {{ ref('flights') }} f\njoin {{ ref('flights') }} g\n"
         "on f.id = g.id"), ["1: sql: `id` is ambiguous: f, g have it"]),
        ("select g.id from {{ ref('flights') }} f", [
            "1: sql: there is no `g` to take `id` of"]),
        ("select count(*) as n from {{ ref('flights') }}\nhaving nn > 1", [
            "2: sql: there is no column `nn`"]),
        ("select carrier from raw.flights", [
            "1: sql: reads `raw.flights` without ref"]),
        ("delete from {{ ref('flights') }}", ["1: sql: must be one SELECT"]),
        ("select 1; select 2", ["1: sql: must be one SELECT"]),
        ("select id from (", ["1: sql: cannot be read"]),
        ("select nm, what from {{ ref('airlines') }}", []),
        ("select id as x, x + 1 as y from {{ ref('flights') }} qualify y = 1", []),
        (("select i.value from {{ ref('flights') }} f, "
         "lateral flatten(input => f.carrier) i"), []),
        ("select id from {{ ref('flights') }} join {{ ref('flights') }} g using (id)",
         []),
        ("with c as (select * from {{ ref('flights') }}) select c.id from c", []),
        (("with a as (select id from {{ ref('flights') }}), "
         "b as (select id, carrier from {{ ref('flights') }}) "
         "select a.id, carrier from a join b using (id)"), []),
        (("with recursive r as (select id from {{ ref('flights') }} "
         "union all select id from r where id < 3) select id from r"), []),
        (("with a as (select id from {{ ref('flights') }}) select id, nm "
         "from (select id as x from {{ ref('flights') }})"), [
            "1: sql: there is no column `id`", "1: sql: there is no column `nm`"]),
    ],
)  # fmt: skip
def test_a_select_is_checked_against_known_columns(
    folder: Folder, sql: str, expected: list[str]
) -> None:
    folder.model("made", sql)
    found = folder.faults()

    assert len(found) == len(expected), found
    for fault, beginning in zip(found, expected, strict=True):
        assert fault.startswith(f"made.sql:{beginning}")
        assert "; accepted: " in fault


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('-- {"materialised": "view"}', "made.sql:1: materialised: "),
        ('-- {"materialized": "table"}', "made.sql:1: materialized: "),
        ('-- {"materialized": "dynamic_table"}', "made.sql:1: target_lag: is missing"),
        ('-- {"target_lag": "1 hour"}', "made.sql:1: target_lag: a view is always"),
        ('-- {"refresh_mode": "full"}', "made.sql:1: refresh_mode: a view is never"),
        ('-- {"columns": {"ix": "no"}}', "made.sql:1: columns.ix: there is no column"),
        ('-- {"quality": [{"metric": "nullValues", "column": "ix", "mustBe": 0}]}',
         "made.sql:1: quality[0].column: there is no column"),
        ('-- {"quality": [{"metric": "volume"}]}', "made.sql:1: quality[0].metric: "),
        ('-- {"freshness": {"loaded_at_field": "id"}}',
         "made.sql:1: freshness.loaded_at_field: "),
    ],
)  # fmt: skip
def test_what_is_said_of_a_model_is_checked(
    folder: Folder, header: str, expected: str
) -> None:
    folder.model("made", "select id from {{ ref('flights') }}", header)

    (fault,) = folder.faults()
    assert fault.startswith(expected)


DYNAMIC = '-- {"materialized": "dynamic_table", "target_lag": "1 hour"}'


@pytest.mark.parametrize(
    "sql",
    [
        "select id from {{ ref('flights') }} limit 3",
        (
            "select id from {{ ref('flights') }} where id in "
            "(select id from {{ ref('flights') }})"
        ),
        "select id from {{ ref('flights') }} f where exists (select 1)",
        "select (select max(id) from {{ ref('flights') }}) as id",
        "select any_value(id) as id from {{ ref('flights') }}",
        "select current_timestamp() as at from {{ ref('flights') }}",
        "select median(id) as id from {{ ref('flights') }}",
        "select id from {{ ref('flights') }} except select 1",
        (
            "with recursive r as (select 1 as n union all select n + 1 from r) "
            "select n from r"
        ),
        "select id from {{ ref('flights') }} connect by prior id = origin",
        "select id, k from {{ ref('flights') }} unpivot (v for k in (carrier, origin))",
        (
            "select f.id from {{ ref('flights') }} f "
            "left join {{ ref('flights') }} g on f.id > g.id"
        ),
        "select current_role() as who from {{ ref('flights') }}",
        "select seq4() as n from {{ ref('flights') }}",
        "select uuid_string() as n from {{ ref('flights') }}",
        (
            "select f.id from {{ ref('flights') }} f, "
            "lateral (select id from {{ ref('flights') }} g where g.id = f.id) h"
        ),
        (
            "select c.seq as n from {{ ref('flights') }} f, "
            "lateral flatten(input => f.crew) c"
        ),
    ],
)
def test_what_snowflake_would_compute_anew_each_time_is_named(
    folder: Folder, sql: str
) -> None:
    folder.model("made", sql, DYNAMIC)
    assert folder.faults()
    assert all(fault.startswith("made.sql:2: sql: ") for fault in folder.faults())

    folder.model("made", sql)
    assert folder.faults() == []


def test_dynamic_tables_on_each_other_fit(folder: Folder) -> None:
    one_hour = "select id from {{ ref('flights') }}"
    folder.model("slow", one_hour, DYNAMIC)
    quick = DYNAMIC.replace("1 hour", "5 minutes")
    folder.model("fast", "select id from {{ ref('slow') }}", quick)
    folder.model("unread", one_hour, DYNAMIC.replace("1 hour", "downstream"))
    folder.model("whole", one_hour, DYNAMIC.replace("}", ', "refresh_mode": "full"}'))
    folder.model("view_of_whole", "select id from {{ ref('whole') }}")
    folder.model("on_whole", "select id from {{ ref('view_of_whole') }}", DYNAMIC)
    folder.model("view_of_unread", "select id from {{ ref('unread') }}")

    found = "\n".join(folder.faults())
    assert "fast.sql:1: target_lag: is shorter than that of slow" in found
    assert "unread.sql:1: target_lag: no dynamic table is made from it" in found
    assert "on_whole.sql:1: refresh_mode: whole, which it is made from" in found
    assert len(folder.faults()) == 3

    folder.model("reads_it", "select id from {{ ref('view_of_unread') }}", DYNAMIC)
    assert len(folder.faults()) == 2


def test_of_two_hundred_one_circle_one_column_and_one_name_are_told(
    folder: Folder,
) -> None:
    for number in range(200):
        after = "flights" if number % 20 == 0 else f"m{number - 1}"
        folder.model(f"m{number}", f"select id from {{{{ ref('{after}') }}}}")
    folder.model("m40", "select idd\nfrom {{ ref('flights') }}")
    folder.model("m80", "select id\nfrom {{ ref('nowhere') }}")
    folder.model("m120", "select id\n\nfrom {{ ref('m121') }}")

    found = [one.partition("; accepted")[0] for one in folder.faults()]
    assert found == [
        "m120.sql:3: sql: is made from itself: m120 → m121 → m120",
        "m121.sql:1: sql: is made from itself: m120 → m121 → m120",
        "m40.sql:1: sql: there is no column `idd` (the nearest is `id`)",
        "m80.sql:2: sql: there is no `nowhere` (the nearest is `airlines`)",
    ]
    assert len(folder.models()) == 140


def test_a_name_is_one_relation(folder: Folder) -> None:
    folder.model("flights", "select 1 as one")

    (fault,) = folder.faults()
    assert "is called as the dataset flights is" in fault


def test_yaml_beside_a_model_says_the_same_as_its_first_line(folder: Folder) -> None:
    folder.model("made", "select id from {{ ref('flights') }}")
    folder.write("models/made.yaml", "description: made\nmaterialised: view\n")

    (fault,) = folder.faults()
    assert fault.startswith("made.yaml:2: materialised: ")


def test_the_example_of_the_page_is_valid(folder: Folder) -> None:
    page = (ROOT / "docs/models.md").read_text()
    blocks = re.findall(r"```sql\n(-- \{.*?)```", page, re.DOTALL)
    for number, block in enumerate(blocks):
        folder.model(f"example_{number}", block)

    assert blocks
    assert folder.faults() == []
