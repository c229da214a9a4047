"""From which columns those of a model are computed."""

from __future__ import annotations

import pytest

from lambdas.core.dataset import SqlModel
from project.compilation import compiled

KNOWN = {
    "flights": ("ID", "CARRIER", "CREW", "DELAY"),
    "airlines": ("CARRIER", "NAME"),
    "loose": None,
}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select id from {{ ref('flights') }}", {"ID": ["flights.ID"]}),
        ("select count(*) as n from {{ ref('flights') }}", {}),
        (("select f.carrier, a.name as airline, delay + id as odd, odd * 2 as twice "
         "from {{ ref('flights') }} f join {{ ref('airlines') }} a "
         "on a.carrier = f.carrier where f.delay > 3"),
         {"CARRIER": ["flights.CARRIER"], "AIRLINE": ["airlines.NAME"],
          "ODD": ["flights.DELAY", "flights.ID"],
          "TWICE": ["flights.DELAY", "flights.ID"]}),
        (("with x as (select max(delay) as worst, carrier from {{ ref('flights') }} "
         "group by 2) select * from x"),
         {"WORST": ["flights.DELAY"], "CARRIER": ["flights.CARRIER"]}),
        (("select carrier from {{ ref('flights') }} union all "
         "select name from {{ ref('airlines') }}"),
         {"CARRIER": ["airlines.NAME", "flights.CARRIER"]}),
        (("select i.value:code::string as code from {{ ref('flights') }} f, "
         "lateral flatten(input => f.crew) i"), {"CODE": ["flights.CREW"]}),
        (("with recursive r as (select id from {{ ref('flights') }} union all "
         "select id from r) select id from r"), {"ID": ["flights.ID"]}),
        ("select * from {{ ref('loose') }}", {}),
    ],
)  # fmt: skip
def test_origins_are_found_through_names_joins_and_selects_within(
    sql: str, expected: dict[str, list[str]]
) -> None:
    found = compiled(SqlModel(name="made", sql=sql), KNOWN)
    assert found.faults == ()
    assert {name: list(of) for name, of in found.origins.items()} == expected
