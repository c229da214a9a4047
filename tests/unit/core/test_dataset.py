"""The dataset model: strict, frozen, and the same again after its trip in a bundle."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import BaseModel, ValidationError

from lambdas.core import dataset as module
from lambdas.core.dataset import (
    Catalogue,
    Dataset,
    Model,
    Period,
    Retention,
    catalogue_from_json,
    catalogue_to_json,
)
from tests.datasets import a_dataset, incremental

FULL = {
    "source": {
        "client": {
            "base_url": "https://example.com",
            "auth": {"type": "bearer", "token": "secret:cats#token"},
            "paginator": {"type": "offset", "limit": 10},
            "rate_limit": {"requests": 1},
        },
        "endpoint": {
            "path": "cats",
            "method": "POST",
            "json": {"filter": [{"a": None}]},
            "response_actions": [{"status_code": 404, "action": "ignore"}],
            "incremental": {"cursor_path": "at", "initial_value": 3},
        },
    },
    "columns": {"id": "integer", "fur": {"type": "string", "personal": True}},
    "quality": [{"metric": "rowCount", "mustBeBetween": [1, 2.5]}],
    "freshness": {"warn_after": {"count": 3, "period": "hour"}},
}


def test_a_catalogue_comes_back_equal() -> None:
    catalogue = Catalogue(datasets={"cats": a_dataset(**FULL), "dogs": a_dataset()})
    assert catalogue_from_json(catalogue_to_json(catalogue)) == catalogue


def test_the_bundle_holds_a_reference_and_never_a_secret() -> None:
    text = catalogue_to_json(Catalogue(datasets={"cats": a_dataset(**FULL)}))
    assert "secret:cats#token" in text


@pytest.mark.parametrize(
    ("kind", "value"),
    [("whole", 3), ("float", 3.0), ("text", "2013-01-01T00:00:00Z")],
)
def test_a_cursor_value_keeps_its_type(kind: str, value: object) -> None:
    del kind
    source = incremental(initial_value=value)
    catalogue = Catalogue(datasets={"cats": a_dataset(source=source)})
    again = catalogue_from_json(catalogue_to_json(catalogue))["cats"]
    assert again.source.endpoint is not None
    assert again.source.endpoint.incremental is not None
    found = again.source.endpoint.incremental.initial_value
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    "changes",
    [
        {"colour": "red"},
        {"description": 3},
        {"primary_key": "id"},
        {"circuit_breaker": "true"},
        {"retention": {"runs": "10"}},
        {"name": "Cats"},
        {"name": "c" * 49},
    ],
)
def test_what_does_not_fit_exactly_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        a_dataset(**changes)


def test_a_dataset_is_frozen() -> None:
    with pytest.raises(ValidationError):
        a_dataset().description = "other"  # type: ignore[misc]  # on purpose


@pytest.mark.parametrize(
    "days", ["0 days", "1.5 days", "a day", "30", "30 d", "-1 days"]
)
def test_retention_is_whole_days(days: str) -> None:
    with pytest.raises(ValidationError, match="must be a number of days"):
        Retention(raw=days)
    assert Retention(raw="1 day").raw == "1 day"


@pytest.mark.parametrize(
    ("period", "duration"),
    [
        ("minute", timedelta(minutes=3)),
        ("hour", timedelta(hours=3)),
        ("day", timedelta(hours=72)),
    ],
)
def test_a_period_is_a_duration(period: str, duration: timedelta) -> None:
    written = Period.model_validate({"count": 3, "period": period})
    assert written.duration == duration


def test_every_model_is_strict_and_knows_its_keys() -> None:
    models = [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, BaseModel) and one is not BaseModel
    ]
    assert len(models) > 15
    assert Dataset in models
    for model in models:
        config = model.model_config
        if issubclass(model, Model):
            assert (config["extra"], config["strict"]) == ("forbid", True)


def test_every_key_says_what_it_means() -> None:
    silent = [
        f"{model.__name__}.{name}"
        for model in vars(module).values()
        if isinstance(model, type) and issubclass(model, Model)
        for name, field in model.model_fields.items()
        if not field.description
    ]
    assert silent == ["Dataset.name", "SqlModel.name", "Catalogue.datasets"]
