"""A bound that a person asks for on the command line, as a dataset's cursor has it."""

from __future__ import annotations

import re

from lambdas.core.cursor.order import CursorOrder, CursorValue, Kind
from lambdas.core.dataset import Incremental
from lambdas.core.errors import BadInput

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_EPOCHS = ((1, 10**9, 4 * 10**9), (1000, 10**12, 4 * 10**12))
"""What a second counts, and the range in which numbers are times from 2001 to 2096."""


def cursor_bound(option: str, text: str, incremental: Incremental) -> CursorValue:
    """A number where the cursor counts, else a time as the cursor writes it, which
    needs an offset unless the dataset declares a zone. BadInput if it is neither.
    """
    order, declared = CursorOrder.of(incremental), incremental.initial_value
    if order.type == "text":
        return text
    if order.patterns:
        return _by_pattern(option, text, incremental)
    if isinstance(declared, int | float):
        return _number(option, text, like=declared, order=order)
    kind = _kind(option, text, order)
    if declared is None:
        return _parsed(text) if kind == "number" else text
    return _like(option, text, kind, declared, order)


def _like(
    option: str, text: str, kind: Kind, declared: str, order: CursorOrder
) -> CursorValue:
    """A bound as `declared` is: a date as its midnight, a time as its day."""
    match order.bound_key(declared)[0], kind:
        case "time", "date":
            return f"{text}T00:00:00" + ("" if order.timezone else "Z")
        case "date", "time":
            return str(order.as_date(order.key(text))[1].isoformat())
        case wanted, _ if wanted != kind:
            raise BadInput(
                f"{option} {text!r} is a {kind}, and the cursor of this dataset is a "
                f"{wanted}; accepted: one such as {declared}"
            )
    return text


def _parsed(text: str) -> CursorValue:
    return float(text) if "." in text else int(text)


def _by_pattern(option: str, text: str, incremental: Incremental) -> CursorValue:
    order = CursorOrder.of(incremental)
    pattern = order.patterns[0]
    try:
        order.key(text)
        written = text
    except ValueError:
        _kind(option, text, order)
        at = order.instant(text)
        written = text if at is None else pattern.write(at.astimezone(order.zone))
    is_number = isinstance(incremental.initial_value, int | float)
    return _parsed(written) if is_number and _NUMBER.fullmatch(written) else written


def _number(option: str, text: str, *, like: float, order: CursorOrder) -> CursorValue:
    if _NUMBER.fullmatch(text):
        return _parsed(text)
    epoch = _epoch(text, like=like, order=order)
    if epoch is None:
        raise BadInput(
            f"{option} {text!r}: the cursor of this dataset is a number, such as {like}"
        )
    return epoch


def _epoch(text: str, *, like: float, order: CursorOrder) -> int | None:
    """A time as a number, if the cursor's own is an epoch; else None."""
    try:
        instant = CursorOrder(timezone=order.timezone).instant(text)
    except ValueError:
        return None
    a_second = next((unit for unit, a, b in _EPOCHS if a <= like <= b), None)
    if instant is None or a_second is None:
        return None
    return round(instant.timestamp() * a_second)


def _kind(option: str, text: str, order: CursorOrder) -> Kind:
    try:
        return order.bound_key(text)[0]
    except ValueError as error:
        raise BadInput(f"{option}: {error}") from None
