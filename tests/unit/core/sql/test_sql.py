from __future__ import annotations

import itertools
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.columns.observed import ObservedType
from lambdas.core.dataset import Dataset
from lambdas.core.errors import BadInput
from lambdas.core.landing.names import raw_key, raw_prefix
from lambdas.core.sql import freshness as watching
from lambdas.core.sql import generation, loading, names, views
from lambdas.core.sql.casts import try_instant

DATABASE = "CATFLAP_TEST"
LANDING = loading.LandingLocation(
    database=DATABASE,
    bucket="landing",
    integration=loading.integration_name(DATABASE),
    topic_arn="arn:aws:sns:eu-west-1:123456789012:landed",
)
# https://docs.snowflake.com/en/user-guide/data-load-transform, "Supported functions"
ALLOWED_IN_COPY = {
    "CASE", "CAST", "CONCAT", "CONVERT_TIMEZONE", "NVL", "REGEXP_REPLACE",
    "REGEXP_SUBSTR", "SPLIT_PART", "SUBSTR", "TO_NUMBER", "TO_TIMESTAMP_TZ",
    "TO_VARCHAR", "TRY_CAST",
}  # fmt: skip


def flights(**changes: Any) -> Dataset:
    document: dict[str, Any] = {
        "name": "flights",
        "description": "flights",
        "owner": {"team": "data"},
        "source": {
            "endpoint": {
                "path": "flights.json",
                "incremental": {"cursor_path": "time_hour"},
            }
        },
        "schedule": {"rate": "1 hour"},
        "freshness": {"loaded_at_field": "time_hour"},
    } | changes
    return Dataset.model_validate_json(json.dumps(document))


def zoned(zone: str) -> Dataset:
    incremental = {"cursor_path": "$.time_hour", "timezone": zone}
    return flights(source={"endpoint": {"path": "x", "incremental": incremental}})


def test_the_pipe_covers_exactly_the_prefix_that_its_objects_get() -> None:
    dataset = flights()
    number = generation(dataset)
    key = raw_key("flights", number, "20130101T050000.000Z-0123456789ab", 1)

    text = loading.create_pipe(LANDING, dataset)

    assert f"FROM @CATFLAP_TEST.RAW.LANDING/{raw_prefix('flights', number)})" in text
    assert key.startswith(raw_prefix("flights", number))
    assert f"PIPE IF NOT EXISTS CATFLAP_TEST.RAW.FLIGHTS_G{number} " in text


def test_a_generation_is_a_small_stable_number() -> None:
    assert generation(flights()) == generation(flights()) == 849_635
    assert 1 <= generation(zoned("Europe/Berlin")) <= 999_983


@pytest.mark.parametrize(
    "changes",
    [
        {"schedule": {"rate": "2 hours"}},
        {"columns": {"id": "integer"}},
        {"write_disposition": "merge", "primary_key": ["id"]},
        {"freshness": {"loaded_at_field": "$['time_hour']"}},
        {"name": "other"},
    ],
)
def test_a_generation_outlives_what_the_copy_does_not_see(
    changes: dict[str, Any],
) -> None:
    assert generation(flights(**changes)) == generation(flights())


def test_a_generation_changes_with_the_copy() -> None:
    paths = [None, "time_hour", "other", "a.b", "['a.b']", "a[0]"]
    shapes = [flights(freshness={"loaded_at_field": path}) for path in paths]
    shapes += [zoned("America/New_York"), zoned("Europe/Berlin")]

    copies = {loading.copy_statement(DATABASE, each) for each in shapes}
    assert len({generation(each) for each in shapes}) == len(shapes)
    assert len(copies) == len(shapes)


@pytest.mark.parametrize("dataset", [flights(), zoned("America/New_York")])
def test_a_copy_uses_only_functions_that_a_copy_may(dataset: Dataset) -> None:
    for text in (
        loading.copy_statement(DATABASE, dataset),
        loading.copy_runs_statement(DATABASE),
    ):
        select = re.sub(r"'(?:[^']|'')*'", "''", text)
        select = select[select.index("FROM (SELECT") : select.index("FILE_FORMAT")]
        called = set(re.findall(r"([A-Z_]+)\(", select))
        assert called <= ALLOWED_IN_COPY, called - ALLOWED_IN_COPY


def test_nothing_that_a_pipe_stands_on_is_ever_replaced() -> None:
    texts = [
        loading.create_stage(LANDING),
        loading.create_integration(LANDING, access_role_arn="a", external_id="b"),
        loading.alter_integration(LANDING, "a"),
        loading.create_pipe(LANDING, flights()),
        loading.create_runs_pipe(LANDING),
        loading.create_table(DATABASE, flights()),
        loading.create_runs_table(DATABASE),
        loading.create_database(DATABASE),
        *loading.create_schemas(DATABASE),
    ]
    assert not [
        text for text in texts if "REPLACE" in re.sub("REGEXP_REPLACE", "", text)
    ]


def test_a_replaced_view_keeps_its_grants() -> None:
    assert " COPY GRANTS AS SELECT " in views.create_view(DATABASE, flights())
    assert " COPY GRANTS AS SELECT " in watching.create_freshness_view(
        DATABASE, "V", ["flights"]
    )


def test_stage_and_integration_end_with_a_slash() -> None:
    assert "URL = 's3://landing/'" in loading.create_stage(LANDING)
    text = loading.create_integration(LANDING, access_role_arn="a", external_id="b")
    assert "('s3://landing/')" in text


def test_an_integration_fits_only_its_own_role_and_bucket() -> None:
    described = {
        "STORAGE_AWS_ROLE_ARN": "arn",
        "STORAGE_ALLOWED_LOCATIONS": "s3://landing/",
    }
    assert loading.integration_fits(LANDING, "arn", described)
    assert not loading.integration_fits(LANDING, "other", described)


def test_a_view_without_columns_shows_the_record() -> None:
    text = views.create_view(DATABASE, flights())
    assert "SELECT PAYLOAD, _EVENT_AT, _FILE, _ROW, _RUN_ID, _EXTRACTED_AT" in text


def test_observed_columns_stand_in_for_declared_ones() -> None:
    text = views.create_view(DATABASE, flights(), {"dep_delay": "number"})
    assert "TRY_TO_DOUBLE(PAYLOAD['dep_delay']::VARCHAR) AS DEP_DELAY" in text
    declared = flights(columns={"id": "integer"})
    assert "DEP_DELAY" not in views.create_view(
        DATABASE, declared, {"dep_delay": "number"}
    )


def test_a_column_may_be_elsewhere_and_oddly_named() -> None:
    columns = {"a.b": "string", "c": {"type": "string", "path": "x.y[1]"}}
    text = views.create_view(DATABASE, flights(columns=columns))
    assert "PAYLOAD['a.b']::VARCHAR AS \"a.b\"" in text
    assert "PAYLOAD['x']['y'][1]::VARCHAR AS C" in text


@pytest.mark.parametrize(
    "columns", [{"_row": "string"}, {"a": "string", "A": "string"}]
)
def test_a_name_that_is_taken_is_refused(columns: dict[str, str]) -> None:
    with pytest.raises(BadInput, match="is taken"):
        views.create_view(DATABASE, flights(columns=columns))


def dynamic(**changes: Any) -> Dataset:
    table = {"materialized": "dynamic_table", "target_lag": "1 hour"}
    return flights(**({"table": table} | changes))


def test_a_dynamic_table_selects_what_the_view_would() -> None:
    text = views.create_dynamic_table(DATABASE, dynamic(), "WH")
    view = views.create_view(DATABASE, flights())
    assert text.startswith(
        "CREATE OR REPLACE DYNAMIC TABLE CATFLAP_TEST.ANALYTICS.FLIGHTS "
        "TARGET_LAG = '1 hours' WAREHOUSE = WH REFRESH_MODE = INCREMENTAL "
        "COMMENT = 'catflap flights "
    )
    assert text.partition(" AS ")[2] == view.partition(" AS ")[2]
    lag = {"materialized": "dynamic_table", "target_lag": "downstream"}
    assert "TARGET_LAG = DOWNSTREAM " in views.create_dynamic_table(
        DATABASE, dynamic(table=lag), "WH"
    )


def test_the_mark_of_a_dynamic_table_changes_with_its_statement_and_nothing_else() -> (
    None
):
    def mark(dataset: Dataset, **seen: ObservedType) -> str:
        return views.dynamic_table_mark(DATABASE, dataset, "WH", seen)

    assert mark(dynamic()) == mark(dynamic(schedule={"rate": "2 hours"}))
    others = [
        mark(dynamic()),
        mark(dynamic(), id="integer"),
        mark(dynamic(columns={"id": "string"})),
        mark(dynamic(table={"materialized": "dynamic_table", "target_lag": "2 hours"})),
        views.dynamic_table_mark(DATABASE, dynamic(), "OTHER"),
    ]
    assert len(set(others)) == len(others)
    assert mark(dynamic()) in views.create_dynamic_table(DATABASE, dynamic(), "WH")


def aliases(text: str) -> list[str]:
    selected = text.partition(" AS SELECT ")[2].partition(" FROM CATFLAP_TEST")[0]
    return re.findall(r' AS ("(?:[^"]|"")*"|[A-Z_0-9$]+)(?=, )', selected)


def test_columns_of_the_data_get_names_that_can_stand_beside_each_other() -> None:
    seen: dict[str, ObservedType] = {
        "id": "integer", "ID": "string", "": "null", "_file": "boolean",
        'a"b': "number", "order": "variant", "id_2": "string",
        "x'; DROP TABLE x; --\\": "string",
    }  # fmt: skip
    text = views.create_view(DATABASE, flights(), seen)
    assert aliases(text) == [
        "ID", "ID_2", "UNNAMED", "_FILE_2", '"a""b"', '"ORDER"', "ID_2_2",
        "\"x'; DROP TABLE x; --\\\"",
    ]  # fmt: skip
    assert "PAYLOAD['x\\''; DROP" not in text
    assert "PAYLOAD['x''; DROP TABLE x; --\\\\']::VARCHAR" in text


@given(st.dictionaries(st.text(max_size=8), st.just("integer"), max_size=8))
def test_a_later_column_never_takes_the_name_of_an_earlier(
    seen: dict[str, ObservedType],
) -> None:
    names_of = [
        aliases(views.create_view(DATABASE, flights(), dict(list(seen.items())[:some])))
        for some in range(1, len(seen) + 1)
    ]
    for before, after in itertools.pairwise(names_of):
        assert after[: len(before)] == before
    for found in names_of[-1:]:
        assert len({one.upper() for one in found}) == len(seen)


def test_an_integer_is_never_made_of_a_fraction() -> None:
    text = views.create_view(DATABASE, flights(columns={"id": "integer"}))
    assert "IFF(TRY_TO_DOUBLE(PAYLOAD['id']::VARCHAR) = TRUNC(" in text


def test_a_merge_without_a_key_is_refused() -> None:
    with pytest.raises(BadInput, match="primary_key"):
        views.create_view(DATABASE, flights(write_disposition="merge"))


def test_a_deleted_record_leaves_the_view_as_its_newest_version() -> None:
    text = views.create_view(
        DATABASE,
        flights(write_disposition="merge", primary_key=["id"], deleted_when="gone"),
    )
    assert text.endswith("= 1 AND NVL(LOWER(PAYLOAD['gone']::VARCHAR), 'false') "
                         "IN ('false', '0', '')")  # fmt: skip


def test_an_index_from_the_end_is_refused() -> None:
    with pytest.raises(BadInput, match="from the end"):
        loading.copy_statement(
            DATABASE, flights(freshness={"loaded_at_field": "times[-1]"})
        )


def test_freshness_views_hold_at_most_500_and_every_dataset_once() -> None:
    datasets = [f"d{number}" for number in range(1_201)]
    found = watching.freshness_views(DATABASE, datasets)
    assert [len(members) for members in found.values()] == [500, 500, 201]
    assert sorted(name for members in found.values() for name in members) == sorted(
        datasets
    )
    assert next(iter(found)) == "CATFLAP_TEST.CATFLAP.FRESHNESS_0"


def test_a_limit_is_written_in_utc() -> None:
    east = timezone(timedelta(hours=2))
    text = watching.future_rows_query(
        DATABASE, ["flights"], datetime(2013, 1, 1, 7, tzinfo=east)
    )
    assert "_EVENT_AT > '2013-01-01T05:00:00+00:00'::TIMESTAMP_TZ" in text
    assert "'2013-01-01T05:00:00+00:00'" in watching.copy_history(
        DATABASE, "flights", datetime(2013, 1, 1, 5, tzinfo=UTC)
    )


def test_only_a_declared_zone_admits_a_naive_time() -> None:
    assert "CONVERT_TIMEZONE" not in try_instant("X", None)
    assert "CONVERT_TIMEZONE('Europe/Berlin', 'UTC'" in try_instant(
        "X", "Europe/Berlin"
    )


@given(st.text(min_size=1, max_size=30))
def test_no_text_leaves_its_quotes(text: str) -> None:
    inside = names.literal(text)[1:-1]
    assert not re.sub(r"\\\\|''", "", inside).count("'")
    assert not re.sub(r"\\\\", "", inside).count("\\")
    assert '"' not in names.quoted(text)[1:-1].replace('""', "")
    name = names.identifier(text)
    assert name.startswith('"') or re.fullmatch(r"[A-Z_][A-Z0-9_$]*", name)
