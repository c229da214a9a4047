"""How a model is: as new as its oldest input, late with it or by its own promise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from lambdas.core.dataset import Catalogue, SqlModel
from lambdas.core.models.graph import inputs_of
from lambdas.core.schedule.calendar import due_time_between

_WORST_FIRST = ("error", "warn", "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class InputState:
    """How an input is said to be (`error`, `warn`, `unknown`, or well), and how new."""

    state: str
    newest_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """A model's state, and the newest time up to which all of its inputs have come."""

    model: str
    state: str
    newest_at: datetime | None


def model_state(
    catalogue: Catalogue,
    model: SqlModel,
    inputs: Mapping[str, InputState],
    now: datetime,
) -> ModelState:
    """What is known of a model by its inputs, as people are told of those."""
    wanted = inputs_of(catalogue, model.name)
    known = [inputs[name] for name in wanted if name in inputs]
    times = [one.newest_at for one in known if one.newest_at is not None]
    newest = min(times) if times and len(times) == len(wanted) else None
    states = {one.state for one in known}
    if len(known) < len(wanted):
        states.add("unknown")
    states.add(_by_promise(model, newest, now))
    worst = next((one for one in _WORST_FIRST if one in states), "pass")
    return ModelState(model=model.name, state=worst, newest_at=newest)


def _by_promise(model: SqlModel, newest: datetime | None, now: datetime) -> str:
    promise = model.freshness
    if promise.warn_after is None and promise.error_after is None:
        return "pass"
    if newest is None:
        return "unknown"
    age = due_time_between(promise.calendar, newest, now)
    if promise.error_after is not None and age > promise.error_after.duration:
        return "error"
    is_late = promise.warn_after is not None and age > promise.warn_after.duration
    return "warn" if is_late else "pass"
