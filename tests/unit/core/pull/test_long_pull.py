"""All flights of a year in segments are all flights of a year in one run."""

from __future__ import annotations

import gzip
import hashlib
import secrets
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.__main__ import serving
from cli.one_machine.file_state import FileState
from cli.one_machine.folder_landing import FolderLanding
from cli.one_machine.landing_zone import NoBus
from cli.one_machine.wiring import sources
from lambdas.adapters.environment import SystemClock
from lambdas.adapters.sources.parent_rows import LandedParents
from lambdas.adapters.sources.rate_budget import OwnBudgets
from lambdas.core.dataset import Dataset
from lambdas.core.pull.engine import Puller
from lambdas.core.pull.run import RunStatus
from lambdas.core.pull.segment import UNBOUNDED, Budget
from tests.datasets import a_dataset

pytestmark = pytest.mark.long

FLIGHTS = 336_776
SEGMENT = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What a pull came to: its segments, and how often each record is visible."""

    segments: int
    rows: Counter[bytes]


def flights(base_url: str) -> Dataset:
    source = {
        "client": {
            "base_url": base_url,
            "paginator": {"type": "json_link", "next_url_path": "next_url"},
        },
        "endpoint": {
            "path": "flights?page=0",
            "data_selector": "rows",
            "incremental": {
                "cursor_path": "time_hour",
                "initial_value": "2013-01-01T00:00:00Z",
            },
        },
    }
    return a_dataset(name="flights", source=source)


def pulled(dataset: Dataset, folder: Path, budget: Budget) -> Pulled:
    """Pull until nothing is left, each segment as a function of its own has it."""
    clock = SystemClock()
    landing = FolderLanding(root=folder / "landing")
    segments = 0
    with FileState(path=folder / "state.json") as state:
        continues = True
        while continues:
            puller = Puller(
                landing=landing,
                state=state,
                events=NoBus(),
                clock=clock,
                source=sources(
                    clock,
                    datasets=folder / "datasets",
                    parents=LandedParents(landing=landing),
                    budgets=OwnBudgets(clock=clock),
                ),
                random=secrets.token_bytes,
                budget=budget,
            )
            result = puller.pull(dataset)
            assert result.run.status is RunStatus.LANDED
            segments += 1
            continues = result.continues
        cursor = state.read("flights").cursor.value
    assert cursor == "2014-01-01T04:00:00Z"
    return Pulled(segments=segments, rows=_rows(folder / "landing"))


def _rows(folder: Path) -> Counter[bytes]:
    """A hash of each record that is visible, byte for byte, and how often it is."""
    return Counter(
        hashlib.blake2b(line, digest_size=16).digest()
        for file in folder.glob("raw/**/*.gz")
        for line in gzip.decompress(file.read_bytes()).splitlines()
    )


@pytest.fixture(scope="module")
def whole_and_cut(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pulled, Pulled]:
    with serving(1) as base_url:
        dataset = flights(base_url)
        whole, cut = (
            pulled(dataset, tmp_path_factory.mktemp(name), budget)
            for name, budget in (
                ("whole", UNBOUNDED),
                ("cut", Budget(rows=SEGMENT)),
            )
        )
    return whole, cut


def test_a_year_in_a_dozen_segments_is_the_year_in_one_run(
    whole_and_cut: tuple[Pulled, Pulled],
) -> None:
    whole, cut = whole_and_cut
    assert (whole.segments, cut.segments) == (1, 12)
    assert len(whole.rows) == FLIGHTS
    assert set(whole.rows.values()) == set(cut.rows.values()) == {1}
    assert whole.rows == cut.rows
