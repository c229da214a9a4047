"""Collecting the signals of suspects: bounded in time, each able to fail alone.

What could not be collected is not known: its section stays None, and a log line says
why.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from lambdas.core.dataset import Dataset
from lambdas.core.diagnosis.evidence import PullFacts
from lambdas.core.diagnosis.signals import Pipe, Upstream
from lambdas.core.loading.objects import LandedObjects, LoadRecord

LOG = logging.getLogger("catflap.freshness.collect")

Section_co = TypeVar("Section_co", covariant=True)


class SignalSource(Protocol[Section_co]):
    """One place where rows leave a trace."""

    def collect(self, dataset: Dataset, *, now: datetime) -> Section_co:
        """What is found there. Whatever it raises, the section is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """All of them, by section."""

    upstream: SignalSource[Upstream]
    pull: SignalSource[PullFacts]
    landing: SignalSource[LandedObjects]
    load: SignalSource[Sequence[LoadRecord]]
    pipe: SignalSource[Pipe]


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedSignals:
    """What was found of one dataset; None is not known."""

    upstream: Upstream | None = None
    pull: PullFacts | None = None
    landing: LandedObjects | None = None
    load: Sequence[LoadRecord] | None = None
    pipe: Pipe | None = None


SECTIONS = tuple(field.name for field in dataclasses.fields(CollectedSignals))


class Collector:
    """Runs the sources in a pool of threads."""

    def __init__(self, *, sources: Sources, threads: int, timeout_s: float) -> None:
        """`timeout_s` bounds one `collect`, however many datasets are suspect."""
        self._sources = sources
        self._threads = threads
        self._timeout_s = timeout_s

    def collect(
        self,
        datasets: Sequence[Dataset],
        *,
        now: datetime,
        sections: Sequence[str] = SECTIONS,
    ) -> Mapping[str, CollectedSignals]:
        """What was found of each dataset, by name, in some sections or all."""
        if not datasets:
            return {}
        # Not a `with`: its end would wait for whatever hangs.
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="signals")
        asked: dict[Future[object], tuple[str, str]] = {}
        for dataset in datasets:
            for section in sections:
                source: SignalSource[object] = getattr(self._sources, section)
                task = pool.submit(source.collect, dataset, now=now)
                asked[task] = (dataset.name, section)
        done, late = wait(asked, timeout=self._timeout_s)
        pool.shutdown(wait=False, cancel_futures=True)
        for task in late:
            LOG.warning("%s: %s not known: it took too long", *asked[task])
        found: dict[str, dict[str, object]] = {item.name: {} for item in datasets}
        for task in done:
            name, section = asked[task]
            error = task.exception()
            if error is None:
                found[name][section] = task.result()
            else:
                LOG.warning(
                    "%s: %s could not be collected, so it is not known: %s: %s",
                    name,
                    section,
                    type(error).__name__,
                    error,
                )
        return {name: CollectedSignals(**sections) for name, sections in found.items()}  # type: ignore[arg-type]  # each source gives its own section
