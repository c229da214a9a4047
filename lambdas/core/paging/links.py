"""What paginators share whose answers lead to the next page."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from pydantic import Field, JsonValue

from lambdas.core.http.message import HttpRequest
from lambdas.core.paging.base import BasePaginator, Promises, text
from lambdas.core.paging.page import AnsweredPage
from lambdas.core.records.json_path import AnswerPath


class LeadingPaginator(BasePaginator):
    """Each answer leads to the next; a flag or an empty page ends it too."""

    stop_after_empty_page: bool = Field(
        default=False, description="whether a page without rows is the end"
    )
    has_more_path: AnswerPath | None = Field(
        default=None, description="where an answer says whether there is more"
    )

    promises: ClassVar[Promises] = Promises(
        appended="land, once",
        inserted="land with the next pull, if the cursor or its `lag` reaches them",
        deleted="nothing is lost",
    )

    def heeds_flags(self, page: AnsweredPage) -> bool:
        """A flag that is declared decides alone."""
        return page.flag(self.has_more_path, "has_more_path") is None

    def promised_by(self, page: AnsweredPage) -> str | None:
        """The declared flag, if it says that there is more."""
        more = page.flag(self.has_more_path, "has_more_path")
        return self.has_more_path if more else super().promised_by(page)

    def is_declared_end(self, page: AnsweredPage) -> bool:
        """No more by the flag, or no rows where that ends it, but for a total."""
        if page.flag(self.has_more_path, "has_more_path") is False:
            return True
        rows = None if self.ignore_total else page.rows_read
        return self.is_empty_end(page) and page.signs.above(rows) is None

    def is_empty_end(self, page: AnsweredPage) -> bool:
        """Whether this page ends it because it has no rows."""
        return self.stop_after_empty_page and page.rows == 0

    def ends_here(self, page: AnsweredPage) -> bool:
        """Whether nothing is looked for any more."""
        return (
            page.flag(self.has_more_path, "has_more_path") is False
            or self.is_empty_end(page)
        )  # fmt: skip


class LinkPaginator(LeadingPaginator):
    """The position is the next page's URL, whole: parameters included."""

    def request(self, base: HttpRequest, position: JsonValue) -> HttpRequest:
        """The link as the API wrote it; our own parameters are in it already."""
        if position is None:
            return base
        return replace(base, url=text(position), params={})
