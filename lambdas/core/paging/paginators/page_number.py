"""`page_number`: pages are counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from lambdas.core.http.message import HttpRequest
from lambdas.core.paging.base import Promises, at_most_one, put
from lambdas.core.paging.counts import (
    PAGE_PARAMS,
    CountingPaginator,
    cap_reached,
    groups_in_body,
    number_of,
    own,
    placed,
    sent_by,
)
from lambdas.core.paging.page import AnsweredPage
from lambdas.core.paging.signs import Counted, Sign
from lambdas.core.records.documents import bad_response
from lambdas.core.records.json_path import JsonPath
from lambdas.core.text.number import whole_number

_OTHERWISE = {
    "current_page": "page", "currentPage": "page", "number": "page",
    "current": "page", "currentPageNumber": "page",
}  # fmt: skip
"""Parameters of numbers that come back by another name."""


_PAGE, _LIKELY_ALL = "page", "likely_all"


class PageNumberPaginator(CountingPaginator):
    """Pages are counted; `total_path` holds the number of pages."""

    type: Literal["page_number"] = "page_number"
    base_page: int = Field(
        default=0, ge=0, description="the number of the API's first page"
    )
    page: int | None = Field(
        default=None, ge=0, description="the number to begin with; base_page if absent"
    )
    page_param: str | None = Field(
        default=None,
        description="the parameter that takes the number; `page` if absent",
    )
    page_body_path: JsonPath | None = Field(
        default=None, description="where in the body the number goes, instead"
    )
    maximum_page: int | None = Field(
        default=None,
        gt=0,
        description="pages from this number on are not requested; rows there are an "
        "error, or are read from the cursor if rows come in its order",
    )

    known_by: ClassVar[str] = (
        "a page's number and the number of pages side by side; a sign of more, "
        "where the dataset sends a page's number itself"
    )
    rank: ClassVar[int] = 60
    promises: ClassVar[Promises] = Promises(
        appended="those on a page that was read already land with the next pull, if "
        "its cursor reaches them",
        inserted="a row may come twice",
        deleted="**a row may be on no page**",
    )

    @model_validator(mode="after")
    def _can_end(self) -> Self:
        at_most_one("page", self.page_param, self.page_body_path)
        self.must_end("maximum_page", self.maximum_page)
        return self

    @classmethod
    def detected(cls, page: AnsweredPage) -> Self | None:
        """A page beside its pages, or a sign of more where a page is sent."""
        for one in groups_in_body(page):
            found = cls._by_numbers(page, one)
            if found is not None:
                return found
        sent = sent_by(page)
        param = own(sent, PAGE_PARAMS)
        number = None if param is None else whole_number(sent[param])
        if param is None or number is None or number < 0:
            return None
        if page.signs.of_more(page.rows_read, bare=True) is None:
            return None
        return cls.model_validate(
            {
                "base_page": min(number, 1),
                "page": number,
                **placed(page, "page", param),
                "total_path": None,
            }
        )

    @classmethod
    def _by_numbers(cls, page: AnsweredPage, one: Counted) -> Self | None:
        number, pages = number_of(one.page), number_of(one.pages)
        if one.page is None or one.pages is None or number is None or pages is None:
            return None
        # a first page numbered 0 or 1 tells how the API counts; from a later page one
        # goes on as if it counted from 1, as nearly all do
        name = one.page.node.name if one.page.node else "page"
        where = one.pages.where
        own_name = own(sent_by(page), PAGE_PARAMS, number)
        is_strapi = where == "meta.pagination.pageCount"
        guess = "pagination[page]" if is_strapi else _OTHERWISE.get(name, name)
        return cls.model_validate(
            {
                "base_page": min(number, 1),
                "page": number,
                **placed(page, "page", own_name or guess),
                "total_path": where,
            }
        )

    def request(self, base: HttpRequest, position: JsonValue) -> HttpRequest:
        """The page number in the query or in the body."""
        number = self._at(position)
        return put(base, self.page_param or "page", self.page_body_path, number)

    def following(self, page: AnsweredPage, position: JsonValue) -> JsonValue:
        """The next number, until the total, the maximum or an empty page."""
        if page.rows == 0 and self.stop_after_empty_page:
            return None
        upcoming = self._at(position) + 1
        total = page.total(self.total_path)
        more = self.goes_on(
            page,
            by_total=None if total is None else upcoming < total + self.base_page,
            rows_read=page.rows_read,
            is_full=True if self.stop_after_empty_page else None,
            maximum=self.maximum_page,
        )
        if not more:
            return None
        if self.maximum_page is not None and upcoming >= self.maximum_page:
            raise cap_reached("maximum_page", self.maximum_page)
        is_likely_all = self.stop_after_empty_page and _is_likely_all(page)
        return {_PAGE: upcoming, _LIKELY_ALL: True} if is_likely_all else upcoming

    def may_be_past_the_end(self, position: JsonValue) -> bool:
        """Behind a page that is shorter than those before it, or as many rows as a
        total tells, where nothing says that there is more.
        """
        return isinstance(position, dict) and position.get(_LIKELY_ALL) is True

    def short_of_total(self, page: AnsweredPage, position: JsonValue) -> Sign | None:
        """The declared number of pages, if a later page without rows is one of them.
        One that does not say that it counts pages may count rows, and is reached by
        these too.
        """
        where, total = self.total_at, page.total(self.total_path)
        number = self._at(position) + 1 - self.base_page
        if where is None or total is None or total < number:
            return None
        if page.signs.counts_pages(where):
            return Sign(where, total) if number > 1 else None
        if total == number:
            return None
        read = page.rows_read if self._at(None) == self.base_page else None
        least = min(total, page.before.totals.get(where, total))
        return None if read is None or read >= least else Sign(where, total)

    def foreseen(
        self, page: AnsweredPage, upcoming: JsonValue, count: int
    ) -> Sequence[JsonValue]:
        """The numbers up to the total."""
        total = page.total(self.total_path)
        if total is None or page.flag(self.has_more_path, "has_more_path") is not None:
            return []
        end = total + self.base_page
        return list(range(self._at(upcoming), min(end, self.maximum_page or end)))[
            :count
        ]

    @property
    def counts_pages_at(self) -> str | None:
        """By declaration, the total."""
        return self.total_at

    def _at(self, position: JsonValue) -> int:
        if position is None:
            return self.page if self.page is not None else self.base_page
        number = position.get(_PAGE) if isinstance(position, dict) else position
        if isinstance(number, int):
            return number
        raise bad_response(f"not a page number: {position!r}")


def _is_likely_all(page: AnsweredPage) -> bool:
    """Whether a page may well be the last, though the answer does not say so."""
    read, before = page.rows_read, page.before
    if read is None or page.signs.of_more(read, bare=True) is not None:
        return False
    is_short = bool(before.rows) and page.rows * before.pages < (before.rows or 0)
    return is_short or page.signs.has_total(read)
