"""A parent, its child, and the landing zone they share: fan-outs for tests."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta

from lambdas.adapters.sources.open import ApiSources
from lambdas.adapters.sources.parent_rows import LandedParents
from lambdas.core.dataset import Dataset
from lambdas.core.errors import UpstreamError
from lambdas.core.landing.names import RAW
from lambdas.core.pull.engine import Puller, PullResult
from lambdas.core.pull.ports import PageSource
from lambdas.core.pull.run import RunStatus
from lambdas.core.pull.segment import Budget
from lambdas.core.pull.window import Window
from tests.api_pull import PlannedSecrets
from tests.datasets import a_dataset
from tests.memory import FakeClock, ListSource, MemoryEvents, MemoryLanding, MemoryState

PARENT = "airlines"
MANY = 200


def a_parent(disposition: str = "merge") -> Dataset:
    """`airlines`, whose rows a test hands over."""
    return a_dataset(
        name=PARENT,
        primary_key=[],
        write_disposition=disposition,
        source={
            "client": {"base_url": "http://127.0.0.1:1/"},
            "endpoint": {"path": "airlines"},
        },
    )


def a_child(
    base_url: str = "http://127.0.0.1:1/",
    *,
    fields: Mapping[str, str] | None = None,
    client: Mapping[str, object] | None = None,
    disposition: str = "merge",
    **endpoint: object,
) -> Dataset:
    """`cats`, asked for by the carrier of each airline unless `endpoint` says other."""
    return a_dataset(
        write_disposition=disposition,
        source={
            "client": {
                "base_url": base_url,
                "retry": {"max_attempts": 1},
                **(client or {}),
            },
            "endpoint": {
                "path": "cats",
                "params": {"carrier": "{parent.carrier}"},
                "data_selector": "rows",
                **endpoint,
            },
            "parent": {
                "dataset": PARENT,
                "fields": dict(fields or {"carrier": "carrier"}),
            },
        },
    )


class Family:
    """Pulls of a parent from lists, and of its child over HTTP, by the real engine."""

    def __init__(
        self, child: Dataset, *, parent: Dataset | None = None, ahead: bool = False
    ) -> None:
        self.clock = FakeClock()
        self.landing = MemoryLanding()
        self.state = MemoryState()
        self.child = child
        self.parent = parent or a_parent()
        self.budget = Budget()
        self._ahead = ahead
        self._random = itertools.count(1)

    def puller(self, pages: Sequence[Sequence[bytes] | UpstreamError]) -> Puller:
        """One whose parents' pages are these; children ask the API."""
        sources = ApiSources(
            secrets=PlannedSecrets(),
            clock=self.clock,
            deadline_s=self.clock.monotonic() + 900,
            ahead=self._ahead,
            parents=LandedParents(landing=self.landing),
        )

        def source(dataset: Dataset, window: Window) -> PageSource:
            if dataset.source.parent is None:
                return ListSource(pages)
            return sources(dataset, window)

        return Puller(
            landing=self.landing,
            state=self.state,
            events=MemoryEvents(),
            clock=self.clock,
            source=source,
            random=lambda size: next(self._random).to_bytes(size, "big"),
            budget=self.budget,
        )

    def land(self, *rows: object, dataset: Dataset | None = None) -> str:
        """A run of the parent with these rows; its id."""
        self.clock.advance(timedelta(minutes=1))
        records = [json.dumps(row).encode() for row in rows]
        result = self.puller([records]).pull(dataset or self.parent)
        assert result.run.status is RunStatus.LANDED
        return result.run.run_id

    def land_carriers(self, *carriers: object) -> str:
        return self.land(*({"carrier": carrier} for carrier in carriers))

    def pull(self) -> PullResult:
        """One run of the child."""
        self.clock.advance(timedelta(minutes=1))
        return self.puller([]).pull(self.child)

    def pull_whole(self) -> list[PullResult]:
        """Runs of the child until its pull has ended."""
        results = [self.pull()]
        while results[-1].continues:
            results.append(self.pull())
            assert len(results) < MANY, "the pull does not get any further"
        return results

    def landed(self) -> list[dict[str, object]]:
        """The child's rows, in the order of their runs."""
        return [
            json.loads(line)
            for key, body in sorted(self.landing.objects.items())
            if key.startswith(f"{RAW}cats/")
            for line in gzip.decompress(body).splitlines()
        ]

    @property
    def cursor(self) -> object:
        return self.state.read("cats").cursor.value
