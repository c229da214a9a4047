"""The SQL of quality checks is read by `catflap check`, and not first in Snowflake."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.main import run
from lambdas.core.dataset import QualityCheck
from project.check_sql import check_sql_findings

COLUMNS = ("ID", "PRICE", "AT")


def said_of(key: str, sql: str) -> str:
    what = {"query": sql} if key == "query" else {"metric": "rowCount", "filter": sql}
    check = QualityCheck.model_validate({**what, "mustBe": 0, "column": "id"})
    return "; ".join(one.sentence for one in check_sql_findings([check], COLUMNS))


@pytest.mark.parametrize(
    ("key", "sql"),
    [
        ("query", "select count(*) from {table} where price > 0"),
        ("query", "select count(*) from ${table} where ${column} is null;"),
        ("query", "with a as (select id from {table}) select count(*) from a"),
        ("query", "select count(*) from {table} join raw.other using (id) where x > 1"),
        ("query", 'select max(x) from raw."cats"'),
        ("filter", "price > 0 -- those that are sold"),
        ("filter", "at > dateadd('day', -1, current_timestamp()) or id = 1"),
    ],
)
def test_sql_that_snowflake_takes_is_accepted(key: str, sql: str) -> None:
    assert said_of(key, sql) == ""


@pytest.mark.parametrize(
    ("key", "sql", "said"),
    [
        ("query", "select count(*) from {table} where prise > 0", "is `price`"),
        ("query", "select max(t.nope) from {table} t join o on true", "`nope`"),
        ("query", "select 1 from {table}\nwhere nope > 0", "line 2 of it: "),
        ("query", "select count(* from {table}", "cannot be read at"),
        ("query", "select 1 from {table}; drop table x", "must be one SELECT"),
        ("filter", "prize > 0", "there is no column `prize`"),
        ("filter", "price >", "cannot be read as a condition"),
        ("filter", "price > 0 group by id", "cannot be read as a condition"),
        ("filter", "price > 0) or (1 = 1", "cannot be read as a condition"),
    ],
)
def test_sql_that_cannot_be_is_told_with_the_nearest_word(
    key: str, sql: str, said: str
) -> None:
    assert said in said_of(key, sql)


def test_where_columns_come_from_the_data_only_syntax_is_read() -> None:
    check = QualityCheck.model_validate({"metric": "rowCount", "filter": "x > 0"})
    assert not list(check_sql_findings([check], None))
    check = QualityCheck.model_validate({"metric": "rowCount", "filter": "x >"})
    assert list(check_sql_findings([check], None))


DATASET = """description: cats
owner: {team: felines}
source:
  client: {base_url: "https://api.example.com"}
  endpoint: {path: cats}
columns: {id: integer, price: number}
schedule: {rate: 1 hour}
quality:
  - {metric: rowCount, mustBeGreaterThan: 0}
  - query: select count(*) from {table} where prise < 0
    mustBe: 0
"""
MODEL = """-- {"quality": [{"metric": "rowCount", "filter": "prise > 0", "mustBe": 0}]}
select id, price from {{ ref('cats') }}
"""


def test_check_names_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "datasets").mkdir()
    (tmp_path / "models").mkdir()
    (tmp_path / "datasets/cats.yaml").write_text(DATASET)
    (tmp_path / "models/dear.sql").write_text(MODEL)
    folders = ["--datasets", f"{tmp_path}/datasets", "--apis", f"{tmp_path}/apis"]
    assert run(["check", *folders]) == 2
    err = capsys.readouterr().err
    assert "cats.yaml:10: quality[1].query: there is no column `prise`" in err
    assert "dear.sql:1: quality[0].filter: there is no column `prise`" in err
