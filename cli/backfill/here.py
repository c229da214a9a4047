"""A backfill by this process: slices side by side, through the engine of the Lambda.

An interruption ends each slice at its next page or wait, with nothing of its segment
landed. What is under way after a grace is left hard: the commit protocol is made for
that, and the next command rolls forward what was recorded.
"""

from __future__ import annotations

import dataclasses
import os
import random
import secrets
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from cli.backfill.progress import STOPPED, STOPPING, Ended, View
from cli.one_machine.file_state import FileState
from cli.one_machine.landing_zone import NoBus, landing_zone
from cli.one_machine.rate_files import RateFiles
from cli.one_machine.wiring import sources
from lambdas.adapters.environment import SystemClock
from lambdas.adapters.sources.parent_rows import LandedParents
from lambdas.adapters.sources.rate_budget import SharedBudgets
from lambdas.core.backfill.backfill import Progress, SliceStatus, backfill_of, progress
from lambdas.core.dataset import Api, Dataset
from lambdas.core.errors import CatflapError, RunErrorKind
from lambdas.core.pull.commit import Committer
from lambdas.core.pull.engine import Puller, SourceFactory
from lambdas.core.pull.ports import Page, PageSource
from lambdas.core.pull.run import CursorPosition, RunError
from lambdas.core.pull.segment import Budget
from lambdas.core.pull.slice import Slice
from lambdas.core.pull.window import Window

GRACE_S = 10.0
"""For slices to end by themselves once an end was asked for."""

SEGMENT_S = 660.0
"""A slice that takes longer lands what it has: as long as the Lambda's segments."""

INTERRUPTED = 130
LOOK_S = 0.2


class Stopped(BaseException):
    """An end was asked for: whatever is under way is given up, and is no failure."""


class StoppableClock(SystemClock):
    """The wall clock; its waits end when an end is asked for."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def sleep(self, seconds: float) -> None:
        """Wait. Raises Stopped."""
        if self._stop.wait(seconds):
            raise Stopped


class StoppableSource:
    """Pages of another source, until an end is asked for."""

    def __init__(self, source: PageSource, stop: threading.Event) -> None:
        self._source = source
        self._stop = stop

    @property
    def requests(self) -> int:
        """As the source counts them."""
        return self._source.requests

    @property
    def retries(self) -> int:
        """As the source counts them."""
        return self._source.retries

    @property
    def reached(self) -> CursorPosition | None:
        """As the source has it."""
        return self._source.reached

    def pages(self) -> Iterator[Page]:
        """The source's pages. Raises Stopped."""
        pages = self._source.pages()
        try:
            for page in pages:
                if self._stop.is_set():
                    raise Stopped
                yield page
        finally:
            close = getattr(pages, "close", None)
            if close is not None:
                close()


@contextmanager
def pulling_here(
    dataset: Dataset, *, landing: str, state: Path, parallel: int, datasets: Path
) -> Iterator[tuple[FileState, SlicesHere]]:
    """The state file, locked, and who pulls slices into it."""
    zone = landing_zone(landing)
    stop = threading.Event()
    clock = StoppableClock(stop)
    budgets = SharedBudgets(
        store=RateFiles(folder=state.parent), clock=clock, random=random.random
    )
    if isinstance(dataset.source.client, Api):
        budgets.of(dataset.source.client)  # made before threads ask for it
    opened = sources(
        clock,
        datasets=datasets,
        parents=LandedParents(landing=zone),
        budgets=budgets,
    )
    with FileState(path=state) as store:
        Committer(landing=zone, state=store, events=NoBus(), clock=clock).sweep()

        def puller() -> Puller:
            return Puller(
                landing=zone,
                state=store,
                events=NoBus(),
                clock=clock,
                source=_stoppable(opened, stop),
                random=secrets.token_bytes,
                budget=Budget(deadline_s=clock.monotonic() + SEGMENT_S),
            )

        yield store, SlicesHere(dataset, store, puller, parallel=parallel, stop=stop)


def _stoppable(opened: SourceFactory, stop: threading.Event) -> SourceFactory:
    def open_one(dataset: Dataset, window: Window) -> PageSource:
        return StoppableSource(opened(dataset, window), stop)

    return open_one


class SlicesHere:
    """Pulls slices, `parallel` at a time; `puller` makes one for each segment."""

    def __init__(
        self,
        dataset: Dataset,
        store: FileState,
        puller: Callable[[], Puller],
        *,
        parallel: int,
        stop: threading.Event,
    ) -> None:
        self._dataset = dataset
        self._store = store
        self._puller = puller
        self._parallel = parallel
        self._stop = stop

    def carry_out(self, parts: Sequence[Slice], view: View) -> Ended:
        """Pull those that have not landed. A slice that fails holds up no other."""
        asked = secrets.token_hex(4)
        parts = [dataclasses.replace(part, asked=asked) for part in parts]
        pending = [
            one.slice
            for one in self._progress(parts)
            if one.status is SliceStatus.PENDING
        ]
        futures: list[Future[None]] = []
        with ThreadPoolExecutor(self._parallel) as pool:
            try:
                futures.extend(pool.submit(self._pull, part) for part in pending)
                self._watch(parts, futures, view)
            except KeyboardInterrupt:
                self._give_up(futures, view)
                return Ended(progress=self._progress(parts), interrupted=STOPPED)
            except BaseException:
                self._give_up(futures, view)
                raise
        return Ended(progress=self._progress(parts))

    def _watch(
        self, parts: Sequence[Slice], futures: Sequence[Future[None]], view: View
    ) -> None:
        """Show progress until all have ended. Raises what nobody foresaw."""
        waiting: set[Future[None]] = set(futures)
        while waiting:
            done, waiting = wait(waiting, LOOK_S, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
            if done:
                view.show(self._progress(parts))
        view.show(self._progress(parts))

    def _progress(self, parts: Sequence[Slice]) -> list[Progress]:
        lanes = self._store.lanes(self._dataset.name, backfill_of(parts))
        return progress(parts, lanes, asked=parts[0].asked)

    def _pull(self, part: Slice) -> None:
        """All of a slice, segment by segment."""
        continues = True
        while continues and not self._stop.is_set():
            puller = self._puller()
            try:
                result = puller.pull_slice(self._dataset, part)
            except CatflapError as error:
                fault = RunError(kind=RunErrorKind.INTERNAL, message=str(error))
                puller.give_up(part, fault)
                return
            except Stopped:
                return
            if result is not None and result.run.error is not None:
                puller.give_up(part, result.run.error)
            continues = result is not None and result.continues

    def _give_up(self, futures: Sequence[Future[None]], view: View) -> None:
        """End what is under way, in good order if it hears of it in time."""
        self._stop.set()
        for future in futures:
            future.cancel()
        try:
            if not all(future.done() for future in futures):
                print(STOPPING, file=sys.stderr, flush=True)
            running = wait(futures, GRACE_S).not_done
        except KeyboardInterrupt:
            running = {future for future in futures if not future.done()}
        if running:
            view.close()
            print(STOPPED, file=sys.stderr, flush=True)
            sys.stdout.flush()
            os._exit(INTERRUPTED)
