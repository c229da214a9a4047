"""`header_link`: the next page's URL stands in a header."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, JsonValue

from lambdas.core.paging.link_header import links
from lambdas.core.paging.links import LinkPaginator
from lambdas.core.paging.page import AnsweredPage, something

_LINK = "Link"


class HeaderLinkPaginator(LinkPaginator):
    """The next page's URL stands in the Link header (RFC 8288), or bare in another."""

    type: Literal["header_link"] = "header_link"
    links_next_key: str = Field(
        default="next", description="the relation of the Link header"
    )
    header: str = Field(
        default=_LINK,
        min_length=1,
        description="the header; any other than Link holds the bare URL, like Kinto's "
        "`Next-Page`",
    )

    known_by: ClassVar[str] = (
        'a Link header with `rel="next"`, or a header with `next` in its name and '
        "a URL in it"
    )
    rank: ClassVar[int] = 10

    @classmethod
    def detected(cls, page: AnsweredPage) -> Self | None:
        """A Link header with `rel="next"`, or a URL in a header of `next`."""
        link = page.signs.header_link
        if link is None or page.signs.end is not None:
            return None
        return cls() if link.where == "link" else cls(header=_named(link.where))

    def following(self, page: AnsweredPage, position: JsonValue) -> JsonValue:
        """The link with our relation, or None."""
        del position
        if self.ends_here(page):
            return None
        target = self._target(page)
        return page.link(target, f"the {self.header} header") if target else None

    def looked_at(self, page: AnsweredPage) -> str | None:
        """The header, or the relation in it."""
        if self._target(page) is not None:
            return None
        if self.header.lower() == "link":
            return f'a Link header with rel="{self.links_next_key}"'
        return f"the header `{self.header}`"

    def _target(self, page: AnsweredPage) -> str | None:
        value = page.headers.get(self.header.lower())
        if value is None:
            return None
        if self.header.lower() == "link":
            return links(value).get(self.links_next_key.lower())
        return something(value.strip())


def _named(header: str) -> str:
    """`Next-Page` for `next-page`: as people write it."""
    return "-".join(word.capitalize() for word in header.split("-"))
