"""What every paginator is, and how a value gets into a request."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import BaseModel, ConfigDict, JsonValue

from lambdas.core.answered_page import AnsweredPage
from lambdas.core.documents import bad_response
from lambdas.core.json_path import steps
from lambdas.core.ports import HttpRequest


class BasePaginator(BaseModel, ABC):
    """Frozen, strict configuration, and the two decisions."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, defer_build=True
    )

    @abstractmethod
    def request(self, base: HttpRequest, position: JsonValue) -> HttpRequest:
        """The request for the page at `position`."""

    @abstractmethod
    def after(self, page: AnsweredPage, position: JsonValue) -> JsonValue:
        """The position after the page at `position`; None if that was the last.

        Raises Terminal if the answer does not say what it must.
        """

    def foreseen(
        self, page: AnsweredPage, upcoming: JsonValue, count: int
    ) -> Sequence[JsonValue]:
        """Up to `count` positions from `upcoming`, the one after `page`, on that will
        follow as far as this answer tells; [] where each answer names the next.
        """
        del page, upcoming, count
        return []


def text(position: JsonValue) -> str:
    """`position`, which must be a text."""
    if isinstance(position, str):
        return position
    raise bad_response(f"not a position of this paginator: {position!r}")


def put(
    base: HttpRequest, param: str, body_path: str | None, value: JsonValue
) -> HttpRequest:
    """`base` with `value` as a query parameter, or at a path in its JSON body."""
    if body_path is None:
        return replace(base, params={**base.params, param: str(value)})
    return replace(base, json=_with(base.json or {}, steps(body_path), value))


def _with(
    body: Mapping[str, object], path: tuple[str | int | None, ...], value: object
) -> dict[str, object]:
    name, rest = str(path[0]), path[1:]
    inner = body.get(name)
    if rest:
        value = _with(inner if isinstance(inner, Mapping) else {}, rest, value)
    return {**body, name: value}


def at_most_one(name: str, param: str | None, body_path: str | None) -> None:
    """Raise ValueError if a value would go to two places, or to none."""
    if param is not None and body_path is not None:
        raise ValueError(f"either {name}_param or {name}_body_path, not both")
    if param == "":
        raise ValueError(f"{name}_param must not be empty")
