"""Paginators: configuration and behaviour together, one class each.

The names, parameters and defaults are those of dlt's `rest_api`. A paginator decides
two things, both purely:

`request(base, position)`  the request for a page, from the dataset's own request
`after(page, position)`    the position of the next page, or None after the last one

A position is a JSON value (a URL, a cursor, a number), so that a long pull can stop and
go on later; None is the first page.

Past dlt: an absent total is no error when an empty or short page ends the run; an
empty next link or cursor ends it; no link is followed to another origin; a page or
position that comes again is an error (`lambdas.core.paging.loops`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, Self

import msgspec
from pydantic import JsonValue, model_validator

from lambdas.core.http.message import HttpRequest
from lambdas.core.paging.base import BasePaginator, at_most_one, must_be_all, put, text
from lambdas.core.paging.link_header import links
from lambdas.core.paging.page import AnsweredPage
from lambdas.core.records.documents import bad_response
from lambdas.core.records.json_path import JsonPath, kind_of


class SinglePagePaginator(BasePaginator):
    """One answer holds everything."""

    type: Literal["single_page"] = "single_page"

    def request(self, base: HttpRequest, position: JsonValue) -> HttpRequest:
        """The dataset's own request."""
        del position
        return base

    def after(self, page: AnsweredPage, position: JsonValue) -> JsonValue:
        """Nothing comes after."""
        del page, position
        return None


class _LinkPaginator(BasePaginator):
    """The position is the next page's URL, whole: parameters included."""

    def request(self, base: HttpRequest, position: JsonValue) -> HttpRequest:
        """The link as the API wrote it; our own parameters are in it already."""
        if position is None:
            return base
        return replace(base, url=text(position), params={})


class JsonLinkPaginator(_LinkPaginator):
    """The next page's URL stands in the body."""

    type: Literal["json_link"] = "json_link"
    next_url_path: JsonPath = "next"

    def after(self, page: AnsweredPage, position: JsonValue) -> JsonValue:
        """The link, or None if it is absent, null, false or empty."""
        del position
        page.must_be_json(self.type)
        raw = page.find(self.next_url_path)
        if raw is None:
            must_be_all(page, f"next_url_path `{self.next_url_path}`")
        value = None if raw is None else msgspec.json.decode(raw)
        if value is None or value is False or value == "":
            return None
        if not isinstance(value, str):
            raise bad_response(
                f"next_url_path `{self.next_url_path}` should hold a URL, got "
                f"{kind_of(raw) if raw is not None else 'nothing'}"
            )
        if not value.strip():
            return None
        return page.link(value, f"the next link in `{self.next_url_path}`")


class HeaderLinkPaginator(_LinkPaginator):
    """The next page's URL stands in the Link header (RFC 8288)."""

    type: Literal["header_link"] = "header_link"
    links_next_key: str = "next"

    def after(self, page: AnsweredPage, position: JsonValue) -> JsonValue:
        """The link with our relation, or None."""
        del position
        target = links(page.headers.get("link", "")).get(self.links_next_key.lower())
        if target is None:
            must_be_all(page, f'a Link header with rel="{self.links_next_key}"')
            return None
        return page.link(target, "the Link header")


class HeaderCursorPaginator(BasePaginator):
    """The next page's cursor stands in a header."""

    type: Literal["header_cursor"] = "header_cursor"
    cursor_key: str = "next"
    cursor_param: str = "cursor"

    def request(self, base: HttpRequest, position: JsonValue) -> HttpRequest:
        """The cursor as a query parameter."""
        if position is None:
            return base
        return put(base, self.cursor_param, None, text(position))

    def after(self, page: AnsweredPage, position: JsonValue) -> JsonValue:
        """The header's value, or None if it is absent or empty."""
        del position
        found = page.headers.get(self.cursor_key.lower())
        if found is None:
            must_be_all(page, f"the header `{self.cursor_key}`")
        return (found or "").strip() or None


class CursorPaginator(BasePaginator):
    """The next page's cursor stands in the body."""

    type: Literal["cursor"] = "cursor"
    cursor_path: JsonPath = "cursors.next"
    cursor_param: str | None = None
    cursor_body_path: JsonPath | None = None
    stop_after_empty_page: bool = False
    has_more_path: JsonPath | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        at_most_one("cursor", self.cursor_param, self.cursor_body_path)
        return self

    def request(self, base: HttpRequest, position: JsonValue) -> HttpRequest:
        """The cursor in the query or in the body."""
        if position is None:
            return base
        return put(base, self.cursor_param or "cursor", self.cursor_body_path, position)

    def after(self, page: AnsweredPage, position: JsonValue) -> JsonValue:
        """The cursor, or None if it is absent, null, false or empty, or no more is
        promised.
        """
        del position
        page.must_be_json(self.type)
        if self.stop_after_empty_page and page.rows == 0:
            return None
        more = page.has_more(self.has_more_path)
        if more is False:
            return None
        if more is None and page.find(self.cursor_path) is None:
            must_be_all(page, f"cursor_path `{self.cursor_path}`")
        is_in_body = self.cursor_body_path is not None
        cursor = page.cursor(self.cursor_path, may_be_nested=is_in_body)
        if cursor is None and more:
            raise bad_response(
                f"`{self.has_more_path}` says that there is more, but no cursor stands "
                f"in cursor_path `{self.cursor_path}`"
            )
        return cursor
