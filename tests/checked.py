"""Stand-ins for what quality checks need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lambdas.core.columns.observed import NOTHING_OBSERVED, Observed
from lambdas.core.dataset import Catalogue
from lambdas.core.incidents.channels import Routes
from lambdas.core.incidents.ports import IncidentState
from lambdas.core.ports import Warehouse
from lambdas.core.quality.ports import LandedPull
from lambdas.core.quality.result import CheckedLoad, DatasetChecks, Release
from lambdas.freshness.quality import QualityChecks


@dataclass
class MemoryChecks:
    """CheckStore, LandedRuns and Events in memory."""

    remembered: dict[str, CheckedLoad] = field(default_factory=dict)
    kept: dict[str, DatasetChecks] = field(default_factory=dict)
    landed: dict[str, LandedPull] = field(default_factory=dict)
    columns: dict[str, Observed] = field(default_factory=dict)
    wanted: list[Release] = field(default_factory=list)
    published: list[tuple[str, Mapping[str, object]]] = field(default_factory=list)

    def publish(self, detail_type: str, detail: Mapping[str, object]) -> None:
        self.published.append((detail_type, detail))

    def loads(self) -> Mapping[str, CheckedLoad]:
        return dict(self.remembered)

    def remember(self, load: CheckedLoad) -> None:
        self.remembered[load.dataset] = load

    def results(self, dataset: str) -> DatasetChecks | None:
        return self.kept.get(dataset)

    def keep(self, checks: DatasetChecks) -> None:
        self.kept[checks.dataset] = checks

    def releases(self, dataset: str) -> list[Release]:
        return [one for one in self.wanted if one.dataset == dataset]

    def released(self, release: Release) -> None:
        self.wanted.remove(release)

    def forget(self, datasets: Iterable[str]) -> None:
        for name in datasets:
            self.remembered.pop(name, None)
            self.kept.pop(name, None)

    def newest_landed(
        self, dataset: str, *, with_rows: bool = False
    ) -> LandedPull | None:
        newest = self.landed.get(dataset)
        return None if with_rows and newest and not newest.rows else newest

    def observed(self, dataset: str) -> Observed:
        return self.columns.get(dataset, NOTHING_OBSERVED)


def quality_checks(
    catalogue: Catalogue,
    *,
    warehouse: Warehouse,
    state: IncidentState,
    routes: Routes,
    store: MemoryChecks | None = None,
    database: str = "DB",
) -> QualityChecks:
    """The checks of a catalogue, as the freshness function has them."""
    kept = store or MemoryChecks()
    return QualityChecks(
        catalogue=catalogue,
        database=database,
        environment="prod",
        warehouse=warehouse,
        store=kept,
        runs=kept,
        state=state,
        routes=routes,
        events=kept,
        has_time=lambda: True,
    )
