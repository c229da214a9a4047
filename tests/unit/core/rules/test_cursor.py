from __future__ import annotations

import pytest

from lambdas.core.rules.cursor import cursor_warnings
from lambdas.core.rules.dataset import dataset_findings
from tests.datasets import a_dataset, incremental

AT = "source.endpoint.incremental"


def told(**keys: object) -> dict[str, str]:
    """What is wrong with a cursor, by key."""
    dataset = a_dataset(source=incremental(**keys))
    return {
        ".".join(map(str, one.key)): one.sentence for one in dataset_findings(dataset)
    }


def warned(disposition: str = "merge", **keys: object) -> dict[str, str]:
    """What `check` warns of, by key."""
    changes: dict[str, object] = {"write_disposition": disposition}
    if "primary_key" in keys:
        changes["primary_key"] = keys.pop("primary_key")
    if "loaded_at" in keys:
        changes["freshness"] = {"loaded_at_field": keys.pop("loaded_at")}
    dataset = a_dataset(source=incremental(**keys), **changes)
    return {
        ".".join(map(str, one.key)): one.sentence for one in cursor_warnings(dataset)
    }


@pytest.mark.parametrize(
    ("keys", "key", "sentence"),
    [
        ({"initial_value": "abc"}, "initial_value", "no known order"),
        ({"initial_value": "19-01-2023"}, "initial_value", "`%d-%m-%Y`"),
        ({"initial_value": "10000-01-01"}, "initial_value", "UTC can hold"),
        ({"initial_value": 5, "cursor_type": "text"}, "initial_value", "says text"),
        (
            {"initial_value": "x", "cursor_type": "number"},
            "initial_value",
            "not a number",
        ),
        ({"initial_value": 0, "end_value": "2024-01-01"}, "end_value", "of one kind"),
        (
            {"initial_value": 0, "format": "%Y-%m-%d"},
            "format",
            "`cursor_format: epoch`",
        ),
        ({"cursor_type": "number", "format": "epoch"}, "format", "is a number"),
        ({"cursor_format": "%d.%m"}, "cursor_format", "does not say the year"),
        ({"cursor_format": "%q"}, "cursor_format", "`%q` is not a directive"),
        ({"cursor_format": "%d.%m.%Y %H:%M"}, "cursor_format", "no zone is declared"),
        ({"cursor_format": "%Y", "cursor_type": "text"}, "cursor_format", "says text"),
        ({"lag": 5, "cursor_type": "text"}, "lag", "a text has nothing"),
        ({"format": "at"}, "format", "no part of a time"),
    ],
)
def test_a_cursor_that_cannot_work_is_a_fault(
    keys: dict[str, object], key: str, sentence: str
) -> None:
    found = told(**keys)
    assert sentence in found[f"{AT}.{key}"]
    assert "accepted: " in found[f"{AT}.{key}"]


@pytest.mark.parametrize(
    "keys",
    [
        {"initial_value": "99"},
        {"initial_value": "abc", "cursor_type": "text"},
        {"initial_value": "2024-01-01", "end_value": "2024-02-01T00:00:00Z"},
        {"initial_value": 0, "cursor_format": "epoch", "format": "%Y-%m-%d"},
        {"initial_value": "2020-01-01", "cursor_format": ["%d.%m.%Y", "%d/%m/%Y"]},
        {"cursor_format": "/Date(%Q)/", "initial_value": "/Date(0)/"},
    ],
)
def test_a_cursor_with_a_known_order_is_valid(keys: dict[str, object]) -> None:
    assert told(**keys) == {}


def test_local_times_of_a_zone_with_clock_changes_need_a_lag() -> None:
    zone = {"timezone": "America/New_York"}
    assert "3600 or more" in warned(**zone)[f"{AT}.lag"]
    assert "3600 or more" in warned(**zone, lag=3599)[f"{AT}.lag"]
    assert warned(**zone, lag=3600) == {}
    assert warned(timezone="Asia/Kolkata") == {}
    assert warned(timezone="Europe/Moscow") == {}
    assert warned(**zone, cursor_format="%d.%m.%Y %H:%M %z") == {}
    assert f"{AT}.lag" in warned(**zone, cursor_format="%d.%m.%Y %H:%M")


def test_a_start_that_is_left_out_needs_a_lag() -> None:
    assert "`lag`" in warned(range_start="open")[f"{AT}.range_start"]
    assert warned(range_start="open", lag=60) == {}


def test_append_without_a_key_lands_changed_rows_again() -> None:
    found = warned("append", primary_key=[])
    assert "lands again" in found["write_disposition"]
    assert warned("append") == {}


@pytest.mark.parametrize(
    ("value", "name"), [(1700000000, "epoch"), (1700000000000, "epoch_ms")]
)
def test_a_number_that_looks_like_a_time_is_asked_about(value: int, name: str) -> None:
    found = warned(initial_value=value)[f"{AT}.initial_value"]
    assert f"`cursor_format: {name}`" in found
    assert warned(initial_value=value, cursor_type="number") == {}
    assert warned(initial_value=value, cursor_format=name) == {}
    assert warned(initial_value=17) == {}


def test_an_event_time_that_the_warehouse_cannot_read_is_told() -> None:
    found = warned(cursor_format="%d.%m.%Y", loaded_at="at")
    assert "event time is not known" in found["freshness.loaded_at_field"]
