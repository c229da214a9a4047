"""`cursor`: the next page's cursor stands in the body."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from lambdas.core.http.message import HttpRequest
from lambdas.core.paging.base import at_most_one, put
from lambdas.core.paging.links import LeadingPaginator
from lambdas.core.paging.page import AnsweredPage
from lambdas.core.paging.tokens import param_of
from lambdas.core.records.json_path import AnswerPath, JsonPath

_FROM_START = (None, 0, "0")


class CursorPaginator(LeadingPaginator):
    """The next page's cursor stands in the body."""

    type: Literal["cursor"] = "cursor"
    cursor_path: AnswerPath = Field(
        default="cursors.next",
        description="where in an answer the next cursor is",
    )
    cursor_param: str | None = Field(
        default=None,
        description="the parameter that takes the cursor; `cursor` if absent",
    )
    cursor_body_path: JsonPath | None = Field(
        default=None, description="where in the body the cursor goes, instead"
    )

    known_by: ClassVar[str] = (
        "a token whose name says which parameter takes it, such as `next_cursor` "
        "or `paging.next.after`"
    )
    rank: ClassVar[int] = 50
    reads_body: ClassVar[bool] = True

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        at_most_one("cursor", self.cursor_param, self.cursor_body_path)
        return self

    @classmethod
    def detected(cls, page: AnsweredPage) -> Self | None:
        """A token whose name says which parameter takes it back."""
        outer = {
            node.name: node.value for node in page.envelope.nodes if len(node.way) == 1
        }
        for token in page.signs.tokens:
            param = param_of(token, outer)
            if param is None or (page.rows == 0 and "next" not in token.words):
                continue
            if page.request.method == "POST":
                return cls(cursor_path=token.where, cursor_body_path=f"$['{param}']")
            return cls(cursor_path=token.where, cursor_param=param)
        return None

    def request(self, base: HttpRequest, position: JsonValue) -> HttpRequest:
        """The cursor in the query or in the body."""
        if position is None:
            return base
        return put(base, self.cursor_param or "cursor", self.cursor_body_path, position)

    def following(self, page: AnsweredPage, position: JsonValue) -> JsonValue:
        """The cursor, or None if it is absent, null, false or empty, or no more is
        promised. One that falls back to 0, as that of X's first version, or to -1 has
        ended.
        """
        page.must_be_json(self.type)
        if self.ends_here(page):
            return None
        is_in_body = self.cursor_body_path is not None
        cursor = page.cursor(self.cursor_path, may_be_nested=is_in_body)
        if cursor in (-1, "-1"):
            return None
        if cursor in (0, "0"):
            return cursor if position in _FROM_START else None
        return cursor

    def looked_at(self, page: AnsweredPage) -> str | None:
        """The path, if it is nowhere."""
        is_there = page.find(self.cursor_path) is not None
        return None if is_there else f"cursor_path `{self.cursor_path}`"
