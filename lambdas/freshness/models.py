"""Models with a promise of their own: judged by what is known of their inputs.

Where an input is late, its incident names the model. An incident of the model's own is
opened only where all of its inputs are on time, and it is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lambdas.adapters.signals.judge import Judge, Judged
from lambdas.core.dataset import Catalogue, Dataset
from lambdas.core.diagnosis.assessment import State
from lambdas.core.freshness.assess import newest_of
from lambdas.core.freshness.promise import is_promised
from lambdas.core.freshness.watch import Watch, is_due, promise_hash
from lambdas.core.incidents.models import model_verdict
from lambdas.core.models.graph import inputs_of
from lambdas.core.quality.due import relations


@dataclass(frozen=True, slots=True, kw_only=True)
class _Input:
    """What is known of an input: its state, and its newest time."""

    dataset: Dataset
    state: str
    newest_at: datetime


class ModelPromises:
    """Says whose inputs are to be read, and judges models by them."""

    def __init__(self, *, catalogue: Catalogue, judge: Judge) -> None:
        self._judge = judge
        self._catalogue = catalogue
        known = relations(catalogue) if catalogue.models else {}
        self.promised = {
            name: known[name]
            for name in catalogue.models
            if is_promised(known[name].freshness)
        }
        """The models with a promise of their own, as datasets that nothing pulls."""
        self._inputs = {
            name: [catalogue.datasets[one] for one in inputs_of(catalogue, name)]
            for name in self.promised
        }

    def due(self, watches: Mapping[str, Watch], now: datetime) -> set[str]:
        """The inputs of models that may be late by now."""
        return {
            one.name
            for name, model in self.promised.items()
            if self._known(name, (), watches)
            and is_due(watches.get(name), promise=promise_hash(model), now=now)
            for one in self._inputs[name]
        }

    def judged(
        self, seen: Sequence[Judged], watches: Mapping[str, Watch], now: datetime
    ) -> list[Judged]:
        """A verdict on each model of which an input was judged now.

        None where an input is late, has no rows or cannot be read: a model whose
        incident is open is judged all the same while its input is late.
        """
        names = {item.dataset.name for item in seen}
        found = []
        for name, model in self.promised.items():
            if not names.intersection(one.name for one in self._inputs[name]):
                continue
            inputs = self._known(name, seen, watches)
            before = watches.get(name)
            is_open = before is not None and before.incident_id is not None
            is_late = any(one.state in {"warn", "error"} for one in inputs)
            if inputs and (is_open or not is_late):
                found.append(self._judged(model, inputs, before, now))
        return found

    def _known(
        self, name: str, seen: Sequence[Judged], watches: Mapping[str, Watch]
    ) -> list[_Input]:
        """What is known of all inputs of a model; nothing, if one is not known."""
        now_seen = {item.dataset.name: item for item in seen}
        found = []
        for dataset in self._inputs[name]:
            one = _input(dataset, now_seen.get(dataset.name), watches)
            if one is None:
                return []
            found.append(one)
        return found

    def _judged(
        self,
        model: Dataset,
        inputs: Sequence[_Input],
        before: Watch | None,
        now: datetime,
    ) -> Judged:
        oldest = min(inputs, key=lambda one: one.newest_at)
        judged = self._judge.by_newest(model, oldest.newest_at, before, now=now)
        verdict = model_verdict(
            model.name,
            State(judged.verdict.state),
            oldest=oldest.dataset,
            newest_at=oldest.newest_at,
            promise=model.freshness,
            now=now,
        )
        return Judged(
            dataset=model, signals=judged.signals, verdict=verdict, before=before
        )


def _input(
    dataset: Dataset, item: Judged | None, watches: Mapping[str, Watch]
) -> _Input | None:
    """None if it is paused, has no rows or cannot be read."""
    watch = watches.get(dataset.name)
    state = None if watch is None else watch.state
    newest = None if watch is None else watch.newest_at
    if item is not None:
        state = item.verdict.state.value
        newest = newest_of(dataset, item.signals.table)
    if dataset.schedule.paused is not None or newest is None or state == "unknown":
        return None
    return _Input(dataset=dataset, state=str(state), newest_at=newest)
