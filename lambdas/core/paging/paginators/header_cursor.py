"""`header_cursor`: the next page's cursor stands in a header."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, JsonValue

from lambdas.core.http.message import HttpRequest
from lambdas.core.paging.base import put, text
from lambdas.core.paging.links import LeadingPaginator
from lambdas.core.paging.page import AnsweredPage, something
from lambdas.core.paging.tokens import param_of


class HeaderCursorPaginator(LeadingPaginator):
    """The next page's cursor stands in a header."""

    type: Literal["header_cursor"] = "header_cursor"
    cursor_key: str = Field(
        default="next", description="the header that holds the next cursor"
    )
    cursor_param: str = Field(
        default="cursor", description="the parameter that takes the cursor"
    )

    known_by: ClassVar[str] = (
        "a header with `next` in its name that says what takes it, such as "
        "`X-Next-Page: 2`"
    )
    rank: ClassVar[int] = 40

    @classmethod
    def detected(cls, page: AnsweredPage) -> Self | None:
        """A header like GitLab's `X-Next-Page: 2`, whose name says what takes it."""
        token = page.signs.header_token
        param = None if token is None else param_of(token)
        if token is None or param is None or page.signs.end is not None:
            return None
        return cls(cursor_key=token.where, cursor_param=param)

    def request(self, base: HttpRequest, position: JsonValue) -> HttpRequest:
        """The cursor as a query parameter."""
        if position is None:
            return base
        return put(base, self.cursor_param, None, text(position))

    def following(self, page: AnsweredPage, position: JsonValue) -> JsonValue:
        """The header's value, or None if it is absent or empty."""
        del position
        if self.ends_here(page):
            return None
        return something((page.headers.get(self.cursor_key.lower()) or "").strip())

    def looked_at(self, page: AnsweredPage) -> str | None:
        """The header, if it is not there."""
        is_there = self.cursor_key.lower() in page.headers
        return None if is_there else f"the header `{self.cursor_key}`"
