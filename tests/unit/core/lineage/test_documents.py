"""Each event and each facet of it, held to its own published schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import (  # type: ignore[import-untyped]  # it has none
    Draft202012Validator,
    ValidationError,
)
from referencing import Registry, Resource

from lambdas.core.dataset import Catalogue, SqlModel
from lambdas.core.events import (
    ChecksRunEvent,
    RowsLoadedEvent,
    RunFailedEvent,
    RunLandedEvent,
)
from lambdas.core.incidents.inhibition import lineage
from lambdas.core.lineage.documents import SPECIFICATION, LineageDocuments, facet
from lambdas.core.models.graph import inputs_of
from project.environment_file import read_project
from tests.datasets import a_dataset

ROOT = Path(__file__).resolve().parents[4]
SCHEMAS = {
    schema["$id"]: schema
    for path in (ROOT / "tests/cases/openlineage").glob("*.json")
    for schema in [json.loads(path.read_text())]
}
REGISTRY: Registry[Any] = Registry().with_resources(
    (name, Resource.from_contents(schema)) for name, schema in SCHEMAS.items()
)
RUN = "20261123T090200.000Z-0123456789ab"
AT = "2026-11-23T09:05:00Z"
DETAILS: Mapping[str, Mapping[str, Any]] = {
    RunLandedEvent.detail_type: {
        "run_id": RUN, "rows": 912, "bytes": 48_213, "objects": ["raw/x-1"],
        "started_at": AT,
    },
    RunFailedEvent.detail_type: {
        "run_id": RUN, "message": "it answered 401", "started_at": AT,
    },
    RowsLoadedEvent.detail_type: {"loaded_at": AT},
    ChecksRunEvent.detail_type: {
        "checked_at": AT,
        "checks": [
            {"check": f"nulls_{state}", "metric": "nullValues", "column": "name",
             "severity": "error", "state": state, "value": value, "must": "0",
             "reason": None if value is not None else "there is no such column"}
            for state, value in (("pass", 0.0), ("fail", 3.0), ("error", None))
        ],
    },
}  # fmt: skip


def documents_of(catalogue: Catalogue) -> LineageDocuments:
    return LineageDocuments(
        catalogue=catalogue,
        environment="prod",
        account="ACME-MAIN",
        database="CATFLAP",
        bucket="landing",
    )


def event(kind: str, dataset: str) -> dict[str, Any]:
    return {
        "detail-type": kind,
        "time": AT,
        "detail": {"dataset": dataset, **DETAILS[kind]},
    }


CATS = Catalogue(
    datasets={
        "cats": a_dataset(
            columns={"id": "string", "name": {"type": "string", "description": "it"}}
        )
    },
    models={
        "fat_cats": SqlModel(
            name="fat_cats",
            sql="select name from {{ ref('cats') }}",
            output=("NAME",),
            origins={"NAME": ("cats.NAME",)},
            columns={"name": "how it is called"},
        )
    },
)


def valid(document: Any, url: str) -> None:
    Draft202012Validator({"$ref": url}, registry=REGISTRY).validate(document)


def facets_in(document: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(document, dict):
        if "_schemaURL" in document:
            yield document
        for value in document.values():
            yield from facets_in(value)
    elif isinstance(document, list):
        for value in document:
            yield from facets_in(value)


@pytest.mark.parametrize("kind", DETAILS)
def test_each_event_and_each_facet_keeps_to_its_schema(kind: str) -> None:
    found = [*documents_of(CATS).of(event(kind, "cats"))]
    names = set()
    for document in found:
        valid(document, SPECIFICATION)
        for one in facets_in(document):
            valid(one, one["_schemaURL"])
            names.add(one["_schemaURL"].rpartition("/")[2])

    expected = {
        RunLandedEvent.detail_type: {"OutputStatisticsOutputDatasetFacet"},
        RunFailedEvent.detail_type: {"ErrorMessageRunFacet"},
        RowsLoadedEvent.detail_type: {
            "ColumnLineageDatasetFacet", "SchemaDatasetFacet",
        },
        ChecksRunEvent.detail_type: {
            "DataQualityAssertionsDatasetFacet", "SchemaDatasetFacet", "TestRunFacet",
        },
    }  # fmt: skip
    assert names == {"JobTypeJobFacet", *expected[kind]}


def test_a_broken_facet_is_seen_by_its_own_schema_alone() -> None:
    (_, done) = documents_of(CATS).of(event(ChecksRunEvent.detail_type, "cats"))
    broken = facet("1-0-1", "TestRunFacet", tests=[{"name": "nulls"}])
    done["run"]["facets"] = {"test": broken}
    valid(done, SPECIFICATION)
    with pytest.raises(ValidationError, match="'status' is a required property"):
        valid(broken, broken["_schemaURL"])


def test_what_could_not_run_is_skipped_and_no_assertion() -> None:
    (_, done) = documents_of(CATS).of(event(ChecksRunEvent.detail_type, "cats"))
    asserted = done["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
    tests = done["run"]["facets"]["test"]["tests"]

    assert [(one["name"], one["success"]) for one in asserted] == [
        ("nulls_pass", True),
        ("nulls_fail", False),
    ]
    assert asserted[0]["column"] == "NAME"
    assert [one["status"] for one in tests] == ["pass", "fail", "skip"]
    assert tests[2]["description"] == "there is no such column"


def test_the_start_and_the_end_of_a_run_are_of_one_run() -> None:
    first, last = documents_of(CATS).of(event(RunLandedEvent.detail_type, "cats"))
    (again, _) = documents_of(CATS).of(event(RunLandedEvent.detail_type, "cats"))

    assert (first["eventType"], last["eventType"]) == ("START", "COMPLETE")
    assert first["run"]["runId"] == last["run"]["runId"] == again["run"]["runId"]


def test_names_are_as_others_write_them() -> None:
    *_, relation, _, model = documents_of(CATS).of(
        event(RowsLoadedEvent.detail_type, "cats")
    )
    namespace = "snowflake://ACME-MAIN"

    assert [(one["namespace"], one["name"]) for one in relation["outputs"]] == [
        (namespace, "CATFLAP.ANALYTICS.CATS")
    ]
    (made,) = model["outputs"]
    assert made["facets"]["schema"]["fields"] == [
        {"name": "NAME", "description": "how it is called"}
    ]


def test_an_event_about_what_is_not_known_any_more_says_nothing() -> None:
    for kind in DETAILS:
        assert not [*documents_of(CATS).of(event(kind, "dogs"))]


def test_the_lineage_of_the_demo_drawn_from_its_events_is_our_own() -> None:
    catalogue = read_project(ROOT, "dev")[1]
    ours = documents_of(catalogue)
    edges = {
        (_name(one), _name(other))
        for name in catalogue.datasets
        for kind in (RunLandedEvent.detail_type, RowsLoadedEvent.detail_type)
        for document in ours.of(event(kind, name))
        for one in document["inputs"]
        for other in document["outputs"]
        if _name(one) != _name(other) and not one["namespace"].startswith("http")
    }
    drawn = {
        name: frozenset(_datasets_above(edges, name, catalogue))
        for name in {below for _, below in edges}
    }

    assert catalogue.models
    assert drawn == lineage(catalogue)
    assert all(
        drawn[name] == {*inputs_of(catalogue, name)} for name in catalogue.models
    )


def test_each_column_of_the_demo_is_drawn_back_to_the_payload_it_came_in() -> None:
    catalogue = read_project(ROOT, "dev")[1]
    above: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for name in catalogue.datasets:
        loaded = event(RowsLoadedEvent.detail_type, name)
        for document in documents_of(catalogue).of(loaded):
            for one in document["outputs"]:
                fields = one.get("facets", {}).get("columnLineage", {"fields": {}})
                for column, of in fields["fields"].items():
                    above[one["name"], column] = {
                        (each["name"], each["field"]) for each in of["inputFields"]
                    }

    def payloads(column: tuple[str, str]) -> set[str]:
        if column not in above:
            return {".".join(column)}
        return set[str]().union(*map(payloads, above[column]))

    model = "CATFLAP.ANALYTICS.DELAYS_BY_WEATHER"
    assert payloads((model, "AIRLINE")) == {"CATFLAP.RAW.AIRLINES.PAYLOAD"}
    assert payloads((model, "VISIBILITY")) == {"CATFLAP.RAW.WEATHER.PAYLOAD"}
    ends = {end for column in above for end in payloads(column)}
    assert ends == {f"CATFLAP.RAW.{x.upper()}.PAYLOAD" for x in catalogue.datasets}


def _name(dataset: Mapping[str, Any]) -> str:
    """The dataset or model whose objects, table or relation this is."""
    return str(dataset["name"]).replace("/", ".").rpartition(".")[2].lower()


def _datasets_above(
    edges: set[tuple[str, str]], name: str, catalogue: Catalogue
) -> Iterator[str]:
    for above, below in edges:
        if below == name:
            if above in catalogue.datasets:
                yield above
            else:
                yield from _datasets_above(edges, above, catalogue)
