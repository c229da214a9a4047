"""Parents of a dataset that a command asks for, where nobody pulls them on schedule."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence

from lambdas.core.dataset import Catalogue, Dataset
from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.landing.names import RUNS
from lambdas.core.pull.engine import Puller
from lambdas.core.pull.ports import LandingZone, Page
from lambdas.core.pull.run import CursorPosition, Run, RunStatus
from lambdas.core.pull.window import Window
from lambdas.core.rules.fan_out import ancestors
from lambdas.core.source.fan_out import ParentRow, Place, RunRead
from lambdas.core.text.count import counted
from project.fault import printable

PREVIEWED = 100
"""Rows of a parent that a preview asks for at most."""


def never_landed(
    dataset: Dataset, catalogue: Catalogue, landing: LandingZone
) -> list[Dataset]:
    """The parents that nothing has landed of, those first that others depend on."""
    missing: list[Dataset] = []
    for name in ancestors(dataset, catalogue.datasets):
        if next(landing.keys(f"{RUNS}{name}/"), None) is not None:
            break
        missing.insert(0, catalogue[name])
    return missing


def pulled_first(parents: Sequence[Dataset], *, puller: Puller, to: str) -> Run | None:
    """Pull these, and say so on stderr. Returns the run that failed, if one did."""
    for parent in parents:
        print(
            printable(f"{parent.name} has never landed in {to}; it is pulled first"),
            file=sys.stderr,
        )
        run = puller.pull(parent).run
        if run.status is not RunStatus.LANDED:
            return run
        print(f"{parent.name}: {counted(run.rows, 'row')} landed", file=sys.stderr)
    return None


class ParentFailed:
    """The pages of a child whose parent could not be pulled (a PageSource): none."""

    requests = retries = 0
    reached: None = None

    def __init__(self, parent: Run) -> None:
        self._parent = parent

    def pages(self) -> Iterator[Page]:
        """Raises Terminal, for the reason that the parent's run has."""
        error = self._parent.error
        raise Terminal(
            f"its parent {self._parent.dataset} could not be pulled: "
            f"{error.message if error else 'its uploads are gone'}",
            kind=error.kind if error else RunErrorKind.INTERNAL,
        )


class PreviewedParents:
    """Parents whose rows are asked for on the spot, `PREVIEWED` at most (Parents)."""

    def __init__(self, rows: Callable[[str], Iterator[bytes]]) -> None:
        """`rows` are those of the dataset of a name, as a first pull brings them."""
        self._rows = rows

    def open(self, dataset: str, window: Window, *, whole: bool) -> PreviewedReading:
        """All rows of `dataset`."""
        del window, whole
        return PreviewedReading(dataset, self._rows(dataset))


class PreviewedReading:
    """A reading of rows that never landed."""

    def __init__(self, dataset: str, rows: Iterator[bytes]) -> None:
        self._dataset = dataset
        self._rows = rows

    def rows(self) -> Iterator[ParentRow | RunRead]:
        """The rows, as long as a preview wants to wait."""
        for number, record in enumerate(self._rows):
            if number == PREVIEWED:
                print(
                    f"only the first {PREVIEWED} rows of {self._dataset} were asked "
                    "for; a pull asks for all",
                    file=sys.stderr,
                )
                return
            yield ParentRow(place=Place(run="preview", row=number), record=record)

    def reached(self, read: Sequence[str]) -> CursorPosition:
        """Nowhere: nothing is remembered."""
        del read
        return CursorPosition()
