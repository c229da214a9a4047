"""What every paginator is, and how a value gets into a request."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import BaseModel, ConfigDict, JsonValue

from lambdas.core.http.message import HttpRequest
from lambdas.core.paging.page import AnsweredPage
from lambdas.core.records.documents import bad_response
from lambdas.core.records.json_path import Step, steps


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
    body = _with(base.json or {}, steps(body_path), value)
    return replace(base, json=body if isinstance(body, Mapping) else None)


def _with(body: object, path: tuple[Step, ...], value: object) -> object:
    """`body` with `value` at `path`; what is missing on the way there is made."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        items = list(body) if isinstance(body, list) else []
        items += [None] * (step + 1 - len(items))
        items[step] = _with(items[step], rest, value)
        return items
    known = body if isinstance(body, Mapping) else {}
    return {**known, str(step): _with(known.get(str(step)), rest, value)}


def at_most_one(name: str, param: str | None, body_path: str | None) -> None:
    """Raise ValueError if a value would go to two places, or to none."""
    if param is not None and body_path is not None:
        raise ValueError(f"either {name}_param or {name}_body_path, not both")
    if param == "":
        raise ValueError(f"{name}_param must not be empty")
    way = steps(body_path) if body_path is not None else ("",)
    if not way or not isinstance(way[0], str) or not all(map(_is_one_place, way)):
        raise ValueError(
            f"{name}_body_path must be one place in an object, such as `search.after` "
            "or `search_after[0]`"
        )


_MOST_ELEMENTS = 16


def _is_one_place(step: Step) -> bool:
    return isinstance(step, str) or (step is not None and 0 <= step < _MOST_ELEMENTS)


def must_be_all(page: AnsweredPage, told: str) -> None:
    """Raise Terminal if an answer that does not hold what leads on, `told`, says in
    another way that there is more: to end here would lose rows.
    """
    from lambdas.core.paging.signs import sign_elsewhere  # noqa: PLC0415 - it needs us

    sign = sign_elsewhere(page)
    if sign is not None:
        raise bad_response(
            f"{told} is not there, and {sign}: correct the paginator, or say "
            "`{type: single_page}` if this page is all you want"
        )
