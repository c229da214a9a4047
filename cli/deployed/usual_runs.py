"""How long pulls take, by what the state table of an environment remembers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from cli.deployed.environment import Deployed
from lambdas.core.diagnosis.evidence import usual_run_s

_RUNS = 10
"""So many of the newest runs of a dataset are asked for."""
_AT_ONCE = 8


def usual_runs(reached: Deployed, datasets: Sequence[str]) -> Mapping[str, timedelta]:
    """By dataset; one that has never landed anything is left out. Raises NotReached."""
    with reached.reached(), ThreadPoolExecutor(_AT_ONCE) as threads:
        table = reached.runs()
        found = zip(
            datasets,
            threads.map(lambda name: table.latest_runs(name, _RUNS), datasets),
            strict=True,
        )
        known = {name: usual_run_s(runs) for name, runs in found}
    return {name: timedelta(seconds=s) for name, s in known.items() if s is not None}
