"""`offset`: rows are skipped by number."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from lambdas.core.http.message import HttpRequest
from lambdas.core.paging.base import at_most_one, put
from lambdas.core.paging.counts import (
    LIMIT_PARAMS,
    OFFSET_PARAMS,
    CountingPaginator,
    cap_reached,
    groups_in_body,
    number_of,
    own,
    placed,
    sent_by,
)
from lambdas.core.paging.page import AnsweredPage
from lambdas.core.paging.signs import Sign
from lambdas.core.records.documents import bad_response
from lambdas.core.records.json_path import JsonPath
from lambdas.core.text.number import whole_number

_LIKELY_ALL = "likely_all"
"""In a position: a short page was before it."""


class OffsetPaginator(CountingPaginator):
    """Rows are skipped by number.

    Position: `{"offset": n, "limit": m}`; the limit is the API's own if its first page
    holds fewer rows than were asked for and more follow.
    """

    type: Literal["offset"] = "offset"
    limit: int = Field(gt=0, description="rows asked for at once")
    offset: int = Field(default=0, ge=0, description="rows skipped at first")
    offset_param: str | None = Field(
        default=None,
        description="the parameter that takes the offset; `offset` if absent",
    )
    offset_body_path: JsonPath | None = Field(
        default=None, description="where in the body the offset goes, instead"
    )
    limit_param: str | None = Field(
        default=None,
        description="the parameter that takes the limit; `limit` if absent",
    )
    limit_body_path: JsonPath | None = Field(
        default=None, description="where in the body the limit goes, instead"
    )
    maximum_offset: int | None = Field(
        default=None,
        gt=0,
        description="offsets from here on are not requested; rows there are an error, "
        "or are read from the cursor if rows come in its order",
    )

    known_by: ClassVar[str] = (
        "an offset and a total side by side; a sign of more, where the dataset "
        "sends offset and limit itself"
    )
    rank: ClassVar[int] = 70

    @model_validator(mode="after")
    def _can_end(self) -> Self:
        at_most_one("offset", self.offset_param, self.offset_body_path)
        at_most_one("limit", self.limit_param, self.limit_body_path)
        self.must_end("maximum_offset", self.maximum_offset)
        return self

    @classmethod
    def detected(cls, page: AnsweredPage) -> Self | None:
        """An offset beside a total, or a sign of more where a limit is sent."""
        return cls._by_numbers(page) or cls._by_own_params(page)

    @classmethod
    def _by_numbers(cls, page: AnsweredPage) -> Self | None:
        sent = sent_by(page)
        for one in groups_in_body(page):
            offset, total = number_of(one.offset), number_of(one.total)
            if offset is None or total is None or not page.rows:
                continue
            limit = number_of(one.limit) or page.rows
            name = one.offset.node.name if one.offset and one.offset.node else "offset"
            limit_name = _limit_name(name, one.limit.node.name if one.limit and
                                     one.limit.node else None)  # fmt: skip
            return cls.model_validate(
                {
                    "limit": limit,
                    "offset": offset,
                    **placed(page, "offset", own(sent, OFFSET_PARAMS, offset) or name),
                    **placed(
                        page, "limit", own(sent, LIMIT_PARAMS, limit) or limit_name
                    ),
                    "total_path": one.total.where if one.total else None,
                }
            )
        return None

    @classmethod
    def _by_own_params(cls, page: AnsweredPage) -> Self | None:
        sent = sent_by(page)
        limit, offset = own(sent, LIMIT_PARAMS), own(sent, OFFSET_PARAMS)
        if limit is None or offset is None:
            return None
        size, start = whole_number(sent[limit]), whole_number(sent[offset])
        if size is None or start is None or size <= 0 or start < 0:
            return None
        above = page.signs.above(page.rows_read)
        if above is None and page.signs.of_more(page.rows_read, bare=True) is None:
            return None
        is_path = above is not None and not above.is_header
        return cls.model_validate(
            {
                "limit": size,
                "offset": start,
                **placed(page, "offset", offset),
                **placed(page, "limit", limit),
                "total_path": above.where if above and is_path else None,
            }
        )

    def request(self, base: HttpRequest, position: JsonValue) -> HttpRequest:
        """Offset and limit, each in the query or in the body."""
        offset, limit = self._at(position)[0], self.limit
        base = put(base, self.offset_param or "offset", self.offset_body_path, offset)
        return put(base, self.limit_param or "limit", self.limit_body_path, limit)

    def following(self, page: AnsweredPage, position: JsonValue) -> JsonValue:
        """The offset after the rows that came.

        A short page is no end: an API may cap the limit, or leave out what one may not
        see, and going on by the limit asked for would skip rows. Nor do more rows than
        expected come again. If nothing else tells the end, a page without rows does, or
        that one behind a short page is refused.
        """
        offset, limit = self._at(position)
        is_short = page.rows < limit and self.stop_after_empty_page
        if page.rows == 0 and self.stop_after_empty_page:
            return None
        if position is None and 0 < page.rows < limit:
            limit = page.rows
        limit = max(limit, page.rows)
        upcoming = offset + (page.rows or limit)
        total = page.total(self.total_path)
        # rows in hand beyond a total show that it does not count the rows
        if total is not None and offset + page.rows > total + self._base and (
            page.rows >= limit
        ):  # fmt: skip
            total = None
        goes_on = partial(
            self.goes_on,
            page,
            by_total=None if total is None else upcoming < total + self._base,
            rows_read=self.rows_up_to(page, position),
            maximum=self.maximum_offset,
        )
        if not goes_on(is_full=True if self.stop_after_empty_page else None):
            return None
        if self.maximum_offset is not None and upcoming >= self.maximum_offset:
            raise cap_reached("maximum_offset", self.maximum_offset)
        is_likely_all = is_short and not goes_on(is_full=False)
        return {
            "offset": upcoming,
            "limit": limit,
            **({_LIKELY_ALL: True} if is_likely_all else {}),
        }

    def may_be_past_the_end(self, position: JsonValue) -> bool:
        """Behind a short page, where nothing says that there is more."""
        return isinstance(position, dict) and position.get(_LIKELY_ALL) is True

    @property
    def _base(self) -> int:
        """1 where the API numbers its first row so, as SCIM's `startIndex`."""
        return 1 if self.offset == 1 else 0

    def rows_up_to(self, page: AnsweredPage, position: JsonValue) -> int | None:
        """By the offset, which counts those that an earlier segment read."""
        return self._at(position)[0] + page.rows

    def short_of_total(self, page: AnsweredPage, position: JsonValue) -> Sign | None:
        """The declared total, by whatever name, if it is above the offset."""
        where, total = self.total_at, page.total(self.total_path)
        if where is None or total is None:
            return None
        read = self._at(position)[0] + page.rows - self._base
        least = min(total, page.before.totals.get(where, total))
        return Sign(where, total) if least > read else None

    def foreseen(
        self, page: AnsweredPage, upcoming: JsonValue, count: int
    ) -> Sequence[JsonValue]:
        """The offsets up to the total."""
        total = page.total(self.total_path)
        if total is None or page.flag(self.has_more_path, "has_more_path") is not None:
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


def _limit_name(offset: str, limit: str | None) -> str:
    """The parameter of the limit: as it is echoed, or as it goes with the offset."""
    if limit is not None and limit not in {"size", "pageSize"}:
        return {"itemsPerPage": "count"}.get(limit, limit)
    if limit is not None:
        return limit
    return {"start": "rows", "startIndex": "count", "$skip": "$top"}.get(
        offset, "limit"
    )
