"""Moved out of paging.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from lambdas.core.http.message import HttpRequest
from lambdas.core.paging.base import BasePaginator
from lambdas.core.paging.detect import DetectedPaginator
from lambdas.core.paging.links import (
    CursorPaginator,
    HeaderCursorPaginator,
    HeaderLinkPaginator,
    JsonLinkPaginator,
    SinglePagePaginator,
)
from lambdas.core.paging.numbers import OffsetPaginator, PageNumberPaginator
from lambdas.core.paging.page import AnsweredPage
from lambdas.core.records.documents import bad_response


class AutoPaginator(BasePaginator):
    """Find out from the first answer; the rules are in `lambdas.core.paging.detect`.

    Position: `{"paginator": <configuration>, "at": <its position>}`.
    """

    type: Literal["auto"] = "auto"

    def request(self, base: HttpRequest, position: JsonValue) -> HttpRequest:
        """The dataset's own request, then the detected paginator's."""
        if position is None:
            return base
        paginator, at = self._detected(position)
        return paginator.request(base, at)

    def after(self, page: AnsweredPage, position: JsonValue) -> JsonValue:
        """Detect after the first page; later do as detected."""
        from lambdas.core.paging.detect import detect  # noqa: PLC0415 - it needs us first

        if position is None:
            paginator, at = detect(page), None
        else:
            paginator, at = self._detected(position)
        upcoming = paginator.after(page, at)
        if upcoming is None:
            return None
        known = paginator.model_dump(mode="json", exclude_defaults=True)
        return {"paginator": {**known, "type": paginator.type}, "at": upcoming}

    def foreseen(
        self, page: AnsweredPage, upcoming: JsonValue, count: int
    ) -> Sequence[JsonValue]:
        """As detected."""
        paginator, at = self._detected(upcoming)
        known = upcoming["paginator"] if isinstance(upcoming, dict) else None
        return [
            {"paginator": known, "at": one}
            for one in paginator.foreseen(page, at, count)
        ]

    @staticmethod
    def _detected(position: JsonValue) -> tuple[DetectedPaginator, JsonValue]:
        if not isinstance(position, dict):
            raise bad_response(f"not a position of auto: {position!r}")
        holder = _Detected.model_validate_json(
            msgspec.json.encode({"paginator": position.get("paginator")})
        )
        return holder.paginator, position.get("at")


Paginator = Annotated[
    AutoPaginator
    | SinglePagePaginator
    | JsonLinkPaginator
    | HeaderLinkPaginator
    | HeaderCursorPaginator
    | CursorPaginator
    | OffsetPaginator
    | PageNumberPaginator,
    Field(discriminator="type"),
]


class _Detected(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, defer_build=True
    )
    paginator: DetectedPaginator
