"""`json_link`: the next page's URL stands in the body."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import msgspec
from pydantic import Field, JsonValue

from lambdas.core.paging.links import LinkPaginator
from lambdas.core.paging.page import AnsweredPage, something
from lambdas.core.records.documents import bad_response
from lambdas.core.records.json_path import AnswerPath, kind_of


class JsonLinkPaginator(LinkPaginator):
    """The next page's URL stands in the body."""

    type: Literal["json_link"] = "json_link"
    next_url_path: AnswerPath = Field(
        default="next",
        description="where in an answer the next page's URL is; of a list of links "
        "one is chosen by equality, as in `link[?relation=='next'].url`",
    )

    known_by: ClassVar[str] = (
        "a URL under a `next` in the body, such as `links.next.href` or "
        "`link[?relation=='next'].url`"
    )
    rank: ClassVar[int] = 30
    reads_body: ClassVar[bool] = True

    @classmethod
    def detected(cls, page: AnsweredPage) -> Self | None:
        """A URL under a `next`, wherever it stands in the body."""
        link = page.signs.link
        return cls(next_url_path=link.where) if link is not None else None

    def following(self, page: AnsweredPage, position: JsonValue) -> JsonValue:
        """The link, or None if it is absent, null, false or empty."""
        del position
        page.must_be_json(self.type)
        if self.ends_here(page):
            return None
        raw = page.find(self.next_url_path)
        value = None if raw is None else msgspec.json.decode(raw)
        if value is None or value is False:
            return None
        if not isinstance(value, str):
            raise bad_response(
                f"next_url_path `{self.next_url_path}` should hold a URL, got "
                f"{kind_of(raw) if raw is not None else 'nothing'}"
            )
        target = something(value)
        if target is None:
            return None
        return page.link(target, f"the next link in `{self.next_url_path}`")

    def looked_at(self, page: AnsweredPage) -> str | None:
        """The path, if it is nowhere."""
        is_there = page.find(self.next_url_path) is not None
        return None if is_there else f"next_url_path `{self.next_url_path}`"
