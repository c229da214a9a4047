"""Results of quality checks in the state table.

``CHECKED`` / ``<dataset>``            up to which load it was checked, and what fails
``CHECKS#<dataset>`` / ``RESULTS``     the newest result of each check, with its history
``CHECKS#<dataset>`` / ``SAMPLES``     bad rows; they expire after 30 days
``CHECKS#<dataset>`` / ``RELEASE#…``   a run that a person wants to be shown
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from lambdas.adapters.state.columns import observed_in
from lambdas.adapters.state.items import items_of
from lambdas.adapters.state.runs import StateTable
from lambdas.core.columns.observed import Observed
from lambdas.core.pull.run import RunStatus
from lambdas.core.quality.ports import LandedPull
from lambdas.core.quality.result import (
    SAMPLES_KEPT_DAYS,
    CheckedLoad,
    DatasetChecks,
    Release,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CHECKED = "CHECKED"
_LOOKED_AT = 10
"""Runs among which the newest that landed is looked for."""


class CheckTable:
    """CheckStore and LandedRuns on DynamoDB."""

    def __init__(self, *, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def loads(self) -> Mapping[str, CheckedLoad]:
        """What is remembered of every dataset that has checks, by name."""
        return {
            item["sk"]["S"]: msgspec.json.decode(item["load"]["S"], type=CheckedLoad)
            for item in items_of(self._dynamodb, self._table, CHECKED)
        }

    def remember(self, load: CheckedLoad) -> None:
        """Keep it."""
        self._put({**_key(CHECKED, load.dataset), "load": _json(load)})

    def results(self, dataset: str) -> DatasetChecks | None:
        """The newest results, with the samples that have not expired."""
        item = self._get(_results_key(dataset))
        if item is None:
            return None
        checks = msgspec.json.decode(item["checks"]["S"], type=DatasetChecks)
        sampled = self._get(_samples_key(dataset)) or {}
        expires_at = int(sampled.get("expires_at", {"N": "0"})["N"])
        if expires_at <= datetime.now(UTC).timestamp():
            return checks
        samples = msgspec.json.decode(sampled["samples"]["S"])
        return dataclasses.replace(checks, samples=samples)

    def keep(self, checks: DatasetChecks) -> None:
        """Keep results and samples; without any, those before are gone."""
        bare = dataclasses.replace(checks, samples={})
        if checks.samples:
            expiry = checks.checked_at + timedelta(days=SAMPLES_KEPT_DAYS)
            self._put(
                {
                    **_samples_key(checks.dataset),
                    "samples": _json(checks.samples),
                    "expires_at": {"N": str(int(expiry.timestamp()))},
                }
            )
        else:
            self.forget_samples(checks.dataset)
        self._put({**_results_key(checks.dataset), "checks": _json(bare)})

    def releases(self, dataset: str) -> list[Release]:
        """Runs that a person wants to be shown, by id."""
        found = items_of(
            self._dynamodb, self._table, f"CHECKS#{dataset}", beginning="RELEASE#"
        )
        return [
            msgspec.json.decode(item["release"]["S"], type=Release) for item in found
        ]

    def release(self, release: Release) -> None:
        """Have a run shown by the next check."""
        self._put({**_release_key(release), "release": _json(release)})

    def released(self, release: Release) -> None:
        """It is shown."""
        self._delete(_release_key(release))

    def forget(self, datasets: Iterable[str]) -> None:
        """Drop what is kept of datasets that have no checks any more."""
        for name in datasets:
            self.forget_samples(name)
            self._delete(_results_key(name))
            self._delete(_key(CHECKED, name))

    def forget_samples(self, dataset: str) -> None:
        """Drop the bad rows that are kept: a person among them is erased."""
        self._delete(_samples_key(dataset))

    def newest_landed(
        self, dataset: str, *, with_rows: bool = False
    ) -> LandedPull | None:
        """The newest run that has landed, or the newest of those that brought rows."""
        runs = StateTable(dynamodb=self._dynamodb, table=self._table)
        for run in runs.latest_runs(dataset, _LOOKED_AT):
            if run.status is RunStatus.LANDED and (run.rows or not with_rows):
                return LandedPull(run_id=run.run_id, rows=run.rows)
        return None

    def observed(self, dataset: str) -> Observed:
        """The columns of its data, as the newest run that landed has left them."""
        item = self._get(_key(f"DATASET#{dataset}", "STATE"))
        return observed_in(item or {})

    def _get(self, key: dict[str, Any]) -> dict[str, Any] | None:
        answer = self._dynamodb.get_item(
            TableName=self._table, Key=key, ConsistentRead=True
        )
        return answer.get("Item")

    def _put(self, item: dict[str, Any]) -> None:
        self._dynamodb.put_item(TableName=self._table, Item=item)

    def _delete(self, key: dict[str, Any]) -> None:
        self._dynamodb.delete_item(TableName=self._table, Key=key)


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _results_key(dataset: str) -> dict[str, Any]:
    return _key(f"CHECKS#{dataset}", "RESULTS")


def _samples_key(dataset: str) -> dict[str, Any]:
    return _key(f"CHECKS#{dataset}", "SAMPLES")


def _release_key(release: Release) -> dict[str, Any]:
    return _key(f"CHECKS#{release.dataset}", f"RELEASE#{release.run_id}")


def _json(value: object) -> dict[str, str]:
    return {"S": msgspec.json.encode(value).decode()}
