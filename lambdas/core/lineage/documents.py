"""OpenLineage's run events of pulls, loads, models and checks, made of bus events.

Names follow its "Naming conventions": a table is `DATABASE.SCHEMA.TABLE`, as Snowflake
stores it, in `snowflake://<organization>-<account>`; landed objects are a prefix in
`s3://<bucket>`. Each facet names a schema of its own, which it is held to: the core
schema takes any object for a facet.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from lambdas.core.columns.declared import declared_columns
from lambdas.core.dataset import Api, Catalogue, Column, Dataset, SqlModel
from lambdas.core.events import (
    ChecksRunEvent,
    RowsLoadedEvent,
    RunFailedEvent,
    RunLandedEvent,
)
from lambdas.core.http.urls import origin_of
from lambdas.core.models.graph import made_from, refs_of
from lambdas.core.sql import names

Document: TypeAlias = dict[str, Any]
SPECIFICATION = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACETS = "https://openlineage.io/spec/facets"
PRODUCER = "urn:catflap"
OF_RUNS = uuid.UUID("5f0a1c5e-2d0e-5b7a-9d2b-6a1f3c2e8b10")
"""Run ids have to be UUIDs: ours are made of the names of runs, always the same."""
HEARD = (
    RunLandedEvent.detail_type,
    RunFailedEvent.detail_type,
    RowsLoadedEvent.detail_type,
    ChecksRunEvent.detail_type,
)
_STATUS = {"pass": "pass", "fail": "fail", "error": "skip"}


def facet(version: str, name: str, **said: object) -> Document:
    """A facet, with the schema that it is held to."""
    return {
        "_producer": PRODUCER,
        "_schemaURL": f"{FACETS}/{version}/{name}.json#/$defs/{name}",
        **{key: value for key, value in said.items() if value is not None},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageDocuments:
    """Makes run events of the events of one environment's bus."""

    catalogue: Catalogue
    environment: str
    account: str
    database: str
    bucket: str

    def of(self, event: Mapping[str, Any]) -> Iterator[Document]:
        """Those of one event of the bus; none of an event about what is not known."""
        detail, at = event["detail"], str(event["time"])
        name = str(detail["dataset"])
        dataset = self.catalogue.datasets.get(name)
        match event["detail-type"]:
            case RunLandedEvent.detail_type if dataset is not None:
                yield from self._pulled(dataset, detail, at, "COMPLETE")
            case RunFailedEvent.detail_type if dataset is not None:
                yield from self._pulled(dataset, detail, at, "FAIL")
            case RowsLoadedEvent.detail_type if dataset is not None:
                yield from self._loaded(dataset, detail, at)
            case ChecksRunEvent.detail_type if name in self._relations:
                yield from self._checked(name, detail, at)

    @property
    def _relations(self) -> set[str]:
        return {*self.catalogue.datasets, *self.catalogue.models}

    def _pulled(
        self, dataset: Dataset, detail: Mapping[str, Any], at: str, ended: str
    ) -> Iterator[Document]:
        run = f"pull.{dataset.name}", detail["run_id"]
        inputs = [*self._upstream(dataset)]
        yield self._event("START", *run, at=detail["started_at"], inputs=inputs)
        if ended == "FAIL":
            error = facet(
                "1-0-1",
                "ErrorMessageRunFacet",
                message=detail["message"] or "not known",
                programmingLanguage="PYTHON",
            )
            facets = {"errorMessage": error}
            yield self._event(ended, *run, at=at, inputs=inputs, facets=facets)
            return
        landed = self._landed(dataset.name)
        landed["outputFacets"] = {
            "outputStatistics": facet(
                "1-0-2",
                "OutputStatisticsOutputDatasetFacet",
                rowCount=detail["rows"],
                size=detail["bytes"],
                fileCount=len(detail["objects"]),
            )
        }
        yield self._event(ended, *run, at=at, inputs=inputs, outputs=[landed])

    def _loaded(
        self, dataset: Dataset, detail: Mapping[str, Any], at: str
    ) -> Iterator[Document]:
        """Rows are in the table, so that the relation and its models have them."""
        name, run = dataset.name, detail["loaded_at"]
        raw = self._table(names.raw_table(self.database, name))
        yield from self._done(
            f"load.{name}", run, at, inputs=[self._landed(name)], outputs=[raw]
        )
        relation = self._relation(name)
        fields = {
            names.plain(names.identifier(one.name)): [(raw, "PAYLOAD")]
            for one in declared_columns(dataset)
        }
        _add_column_lineage(relation, fields)
        yield from self._done(
            f"relation.{name}", run, at, inputs=[raw], outputs=[relation]
        )
        for model in made_from(self.catalogue, [name]):
            made = self._relation(model.name)
            _add_column_lineage(made, self._origins(model))
            yield from self._done(
                f"model.{model.name}",
                f"{name} {run}",
                at,
                inputs=[self._relation(one) for one in refs_of(model)],
                outputs=[made],
            )

    def _origins(self, model: SqlModel) -> Mapping[str, list[tuple[Document, str]]]:
        """The columns that each of its own is computed from."""
        return {
            column: [
                (self._table(names.analytics_view(self.database, relation)), name)
                for relation, name in (one.split(".", 1) for one in of)
            ]
            for column, of in model.origins.items()
        }

    def _checked(
        self, name: str, detail: Mapping[str, Any], at: str
    ) -> Iterator[Document]:
        """What could not run is no assertion: only a test may be skipped."""
        results: Sequence[Mapping[str, Any]] = detail["checks"]
        relation = self._relation(name)
        relation["inputFacets"] = {
            "dataQualityAssertions": facet(
                "1-1-0",
                "DataQualityAssertionsDatasetFacet",
                assertions=[
                    _without_nulls(
                        assertion=one["metric"],
                        success=one["state"] == "pass",
                        column=one["column"]
                        and names.plain(names.identifier(one["column"])),
                        **_measured(one),
                    )
                    for one in results
                    if one["state"] != "error"
                ],
            )
        }
        tests = facet(
            "1-0-1",
            "TestRunFacet",
            tests=[
                _without_nulls(
                    status=_STATUS[one["state"]],
                    type=one["metric"],
                    description=one["reason"] if one["state"] == "error" else None,
                    **_measured(one),
                )
                for one in results
            ],
        )
        yield from self._done(
            f"check.{name}",
            detail["checked_at"],
            at,
            inputs=[relation],
            facets={"test": tests},
        )

    def _done(
        self,
        job: str,
        run: str,
        at: str,
        *,
        inputs: Sequence[Document],
        outputs: Sequence[Document] = (),
        facets: Document | None = None,
    ) -> Iterator[Document]:
        """A run of which only the end is known."""
        yield self._event("START", job, run, at=at)
        yield self._event(
            "COMPLETE", job, run, at=at, inputs=inputs, outputs=outputs, facets=facets
        )

    def _event(
        self,
        kind: str,
        job: str,
        run: str,
        *,
        at: str,
        inputs: Sequence[Document] = (),
        outputs: Sequence[Document] = (),
        facets: Document | None = None,
    ) -> Document:
        namespace = f"catflap-{self.environment}"
        job_type = facet(
            "2-0-4",
            "JobTypeJobFacet",
            processingType="BATCH",
            integration="CATFLAP",
            jobType=job.partition(".")[0].upper(),
        )
        return {
            "eventType": kind,
            "eventTime": at,
            "producer": PRODUCER,
            "schemaURL": SPECIFICATION,
            "run": {
                "runId": str(uuid.uuid5(OF_RUNS, f"{namespace} {job} {run}")),
                "facets": facets or {},
            },
            "job": {
                "namespace": namespace,
                "name": job,
                "facets": {"jobType": job_type},
            },
            "inputs": [*inputs],
            "outputs": [*outputs],
        }

    def _upstream(self, dataset: Dataset) -> Iterator[Document]:
        """The endpoint of the API; of a child, its parent's rows too."""
        source = dataset.source
        api = source.client
        if isinstance(api, Api) and source.endpoint is not None:
            path = source.endpoint.path.lstrip("/")
            yield {"namespace": origin_of(api.base_url), "name": path}
        if source.parent is not None:
            yield self._landed(source.parent.dataset)

    def _landed(self, name: str) -> Document:
        return {"namespace": f"s3://{self.bucket}", "name": f"raw/{name}"}

    def _table(self, quoted: str) -> Document:
        parts = ".".join(names.plain(part) for part in quoted.split("."))
        return {"namespace": f"snowflake://{self.account}", "name": parts}

    def _relation(self, name: str) -> Document:
        relation = self._table(names.analytics_view(self.database, name))
        fields = [*self._fields(name)]
        if fields:
            schema = facet("1-2-0", "SchemaDatasetFacet", fields=fields)
            relation["facets"] = {"schema": schema}
        return relation

    def _fields(self, name: str) -> Iterator[Document]:
        """The columns that are declared; of others nothing is known here."""
        model = self.catalogue.models.get(name)
        if model is not None:
            yield from _fields_of_model(model)
            return
        dataset = self.catalogue.datasets[name]
        for one in declared_columns(dataset):
            written = (dataset.columns or {})[one.name]
            yield _without_nulls(
                name=names.plain(names.identifier(one.name)),
                type=one.type,
                description=written.description
                if isinstance(written, Column)
                else None,
            )


def _add_column_lineage(
    relation: Document, origins: Mapping[str, Sequence[tuple[Document, str]]]
) -> None:
    """Say of columns from which they are computed; what is not known is left out."""
    fields = {
        column: {
            "inputFields": [
                {**of, "field": name, "transformations": [{"type": "DIRECT"}]}
                for of, name in found
            ]
        }
        for column, found in origins.items()
    }
    if fields:
        said = facet("1-2-0", "ColumnLineageDatasetFacet", fields=fields)
        relation.setdefault("facets", {})["columnLineage"] = said


def _fields_of_model(model: SqlModel) -> Iterator[Document]:
    said = {one.upper(): text for one, text in model.columns.items()}
    for one in model.output or said:
        yield _without_nulls(
            name=names.plain(names.identifier(one)), description=said.get(one.upper())
        )


def _measured(one: Mapping[str, Any]) -> Document:
    value = one["value"]
    return {
        "name": one["check"],
        "severity": one["severity"],
        "expected": one["must"] or None,
        "actual": None if value is None else f"{value:g}",
    }


def _without_nulls(**said: object) -> Document:
    return {key: value for key, value in said.items() if value is not None}
