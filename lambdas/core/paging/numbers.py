"""Paginators that count: rows skipped, or pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, JsonValue, model_validator

from lambdas.core.http.message import HttpRequest
from lambdas.core.paging.base import BasePaginator, at_most_one, put
from lambdas.core.paging.page import AnsweredPage
from lambdas.core.records.documents import bad_response
from lambdas.core.records.json_path import JsonPath


class OffsetPaginator(BasePaginator):
    """Rows are skipped by number.

    Position: `{"offset": n, "limit": m}`; the limit is the API's own if its first page
    holds fewer rows than were asked for and more follow.
    """

    type: Literal["offset"] = "offset"
    limit: int = Field(gt=0)
    offset: int = Field(default=0, ge=0)
    offset_param: str | None = None
    offset_body_path: JsonPath | None = None
    limit_param: str | None = None
    limit_body_path: JsonPath | None = None
    total_path: JsonPath | None = "total"
    maximum_offset: int | None = Field(default=None, gt=0)
    stop_after_empty_page: bool = True
    has_more_path: JsonPath | None = None

    @model_validator(mode="after")
    def _can_end(self) -> Self:
        at_most_one("offset", self.offset_param, self.offset_body_path)
        at_most_one("limit", self.limit_param, self.limit_body_path)
        _must_end(self, "maximum_offset", self.maximum_offset)
        return self

    def request(self, base: HttpRequest, position: JsonValue) -> HttpRequest:
        """Offset and limit, each in the query or in the body."""
        offset, limit = self._at(position)[0], self.limit
        base = put(base, self.offset_param or "offset", self.offset_body_path, offset)
        return put(base, self.limit_param or "limit", self.limit_body_path, limit)

    def after(self, page: AnsweredPage, position: JsonValue) -> JsonValue:
        """The offset after the rows that came.

        A short page with more behind it is an API that caps the limit, or caps this
        page: going on by the limit asked for would skip rows. Nor do more rows than
        expected come again. A short page after a full one is the last, if there is no
        total.
        """
        offset, limit = self._at(position)
        if page.rows == 0 and self.stop_after_empty_page:
            return None
        if position is None and 0 < page.rows < limit:
            limit = page.rows
        limit = max(limit, page.rows)
        upcoming = offset + (page.rows or limit)
        if self.maximum_offset is not None and upcoming >= self.maximum_offset:
            return None
        more = page.has_more(self.has_more_path)
        total = page.total(self.total_path)
        # rows in hand beyond a total show that it does not count the rows
        if total is not None and offset + page.rows > total and page.rows >= limit:
            total = None
        if more is None and total is not None:
            more = upcoming < total
        elif more is None:
            full = page.rows >= limit if self.stop_after_empty_page else None
            more = _without_total(full, self.maximum_offset)
        return {"offset": upcoming, "limit": limit} if more else None

    def foreseen(
        self, page: AnsweredPage, upcoming: JsonValue, count: int
    ) -> Sequence[JsonValue]:
        """The offsets up to the total."""
        total = page.total(self.total_path)
        if total is None or page.has_more(self.has_more_path) is not None:
            return []
        end = min(total, self.maximum_offset or total)
        start, limit = self._at(upcoming)
        offsets = range(start, end, limit)[:count]
        return [{"offset": offset, "limit": limit} for offset in offsets]

    def _at(self, position: JsonValue) -> tuple[int, int]:
        if isinstance(position, dict):
            offset, limit = position.get("offset"), position.get("limit")
            if isinstance(offset, int) and isinstance(limit, int):
                return offset, limit
        if position is None:
            return self.offset, self.limit
        raise bad_response(f"not a position of an offset paginator: {position!r}")


class PageNumberPaginator(BasePaginator):
    """Pages are counted; `total_path` holds the number of pages."""

    type: Literal["page_number"] = "page_number"
    base_page: int = Field(default=0, ge=0)
    page: int | None = Field(default=None, ge=0)
    page_param: str | None = None
    page_body_path: JsonPath | None = None
    total_path: JsonPath | None = "total"
    maximum_page: int | None = Field(default=None, gt=0)
    stop_after_empty_page: bool = True
    has_more_path: JsonPath | None = None

    @model_validator(mode="after")
    def _can_end(self) -> Self:
        at_most_one("page", self.page_param, self.page_body_path)
        _must_end(self, "maximum_page", self.maximum_page)
        return self

    def request(self, base: HttpRequest, position: JsonValue) -> HttpRequest:
        """The page number in the query or in the body."""
        number = self._at(position)
        return put(base, self.page_param or "page", self.page_body_path, number)

    def after(self, page: AnsweredPage, position: JsonValue) -> JsonValue:
        """The next number, until the total, the maximum or an empty page."""
        if page.rows == 0 and self.stop_after_empty_page:
            return None
        upcoming = self._at(position) + 1
        if self.maximum_page is not None and upcoming >= self.maximum_page:
            return None
        more = page.has_more(self.has_more_path)
        total = page.total(self.total_path)
        if more is None and total is not None:
            more = upcoming < total + self.base_page
        elif more is None:
            full = True if self.stop_after_empty_page else None
            more = _without_total(full, self.maximum_page)
        return upcoming if more else None

    def foreseen(
        self, page: AnsweredPage, upcoming: JsonValue, count: int
    ) -> Sequence[JsonValue]:
        """The numbers up to the total."""
        total = page.total(self.total_path)
        if total is None or page.has_more(self.has_more_path) is not None:
            return []
        end = total + self.base_page
        return list(range(self._at(upcoming), min(end, self.maximum_page or end)))[
            :count
        ]

    def _at(self, position: JsonValue) -> int:
        if position is None:
            return self.page if self.page is not None else self.base_page
        if isinstance(position, int):
            return position
        raise bad_response(f"not a page number: {position!r}")


def _without_total(full: bool | None, maximum: int | None) -> bool:  # noqa: FBT001 - three states
    """Whether to go on if neither a total nor has_more is in the answer: as long as
    pages are full, or up to the maximum if empty pages are to be passed over.
    """
    if full is not None:
        return full
    if maximum is not None:
        return True
    raise bad_response(
        "the answer holds neither the total nor has_more that were declared, and an "
        "empty page may not end it: correct total_path or has_more_path, or set "
        "stop_after_empty_page: true"
    )


def _must_end(
    paginator: OffsetPaginator | PageNumberPaginator, name: str, maximum: int | None
) -> None:
    if (
        paginator.total_path is None
        and maximum is None
        and paginator.has_more_path is None
        and not paginator.stop_after_empty_page
    ):
        raise ValueError(
            f"nothing would end it: give total_path, {name}, has_more_path or "
            "stop_after_empty_page: true"
        )
