"""How a dataset or a model is, as the page tells it."""

from __future__ import annotations

from enum import StrEnum


class RowState(StrEnum):
    """How a dataset or a model is, in the order in which people want to read it."""

    ERROR = "error"
    WARN = "warn"
    UNKNOWN = "unknown"
    AT_RISK = "at_risk"
    ON_TIME = "on_time"
    NO_PROMISE = "no_promise"


SAID = {
    RowState.ERROR: "Late",
    RowState.WARN: "Late (warning)",
    RowState.UNKNOWN: "Not known",
    RowState.AT_RISK: "On time, at risk",
    RowState.ON_TIME: "On time",
    RowState.NO_PROMISE: "No promise",
}
OF_STATE = {
    "error": RowState.ERROR,
    "warn": RowState.WARN,
    "unknown": RowState.UNKNOWN,
    "pass": RowState.ON_TIME,
}
"""By the state of a verdict."""
WORST_FIRST = list(RowState)
LATE = frozenset({RowState.ERROR, RowState.WARN})
"""Those that people wait for."""
