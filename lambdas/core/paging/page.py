"""What a paginator may look at in an answer, and what it can read there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import msgspec
from pydantic import JsonValue

from lambdas.core.http.message import HttpRequest
from lambdas.core.http.urls import follow, without_params
from lambdas.core.paging.signs import NOTHING_BEFORE, PagesBefore, Signs
from lambdas.core.paging.vocabulary import NOTHING
from lambdas.core.records.documents import Document, bad_response
from lambdas.core.records.envelope import Envelope
from lambdas.core.records.json_path import kind_of
from lambdas.core.text.number import whole_number


def something(text: str) -> str | None:
    """A link or a cursor; None where the text says that there is none."""
    return None if text.strip().lower() in NOTHING else text


@dataclass(frozen=True, kw_only=True)
class AnsweredPage:
    """What a paginator may look at. `rows` counts the records, `document` is None for
    a body that is not JSON, `selector` is where the records stand in it,
    `is_one_record` says that the whole document is the record, `origin` is the API's,
    and `secret_params` are the query parameters that prove who we are: no position
    carries them.
    """

    url: str
    origin: str
    headers: Mapping[str, str]
    rows: int
    document: Document | None
    request: HttpRequest
    status: int = 200
    selector: str | None = None
    is_one_record: bool = False
    secret_params: frozenset[str] = frozenset()
    before: PagesBefore = NOTHING_BEFORE

    @cached_property
    def envelope(self) -> Envelope:
        """What stands beside the records, read when it is first asked for."""
        return Envelope(self.document, self.selector)

    @cached_property
    def signs(self) -> Signs:
        """What the answer says of other pages."""
        return Signs(
            envelope=self.envelope,
            headers=self.headers,
            status=self.status,
            rows=self.rows,
            before=self.before,
            request=self.request,
            noun=(self.selector or "").rpartition(".")[2],
            is_one_record=self.is_one_record,
        )

    @property
    def rows_read(self) -> int | None:
        """The rows of the pull so far, these included; None if that is not known."""
        return None if self.before.rows is None else self.before.rows + self.rows

    def remembered(self) -> PagesBefore:
        """What the next page is held to."""
        return replace(
            self.signs.paths(), pages=self.before.pages + 1, rows=self.rows_read
        )

    def without_totals_before(self) -> AnsweredPage:
        """The same page, held to what its own totals say."""
        return replace(self, before=replace(self.before, totals={}))

    def is_another(self) -> bool:
        """Whether a total or an offset in it says that this is a page of its own."""
        read = self.rows_read
        return self.signs.has_moved or (
            read is not None
            and any(
                one.total is not None
                and isinstance(one.total.value, int)
                and one.total.value >= read
                for one in self.signs.counted
            )
        )

    def find(self, path: str) -> msgspec.Raw | None:
        """The first value at `path` in the body, or None if there is none."""
        if self.document is None:
            return None
        found = self.document.find(path)
        return found[0] if found else None

    def link(self, target: str, what: str) -> str:
        """The absolute URL of a link in this answer, without secrets.

        Raises Terminal if it leads to another origin.
        """
        url = follow(target, from_url=self.url, origin=self.origin, what=what)
        return without_params(url, self.secret_params)

    def must_be_json(self, paginator: str) -> None:
        """Without this, a run over CSV would end after one page and look complete."""
        if self.document is None:
            raise bad_response(
                f"the paginator {paginator} reads JSON, and the endpoint's format is "
                "another; page by a header (header_link, header_cursor), offset or "
                "page_number"
            )

    def cursor(self, path: str, *, may_be_nested: bool = False) -> JsonValue:
        """A text or a number with all its digits; None for null, false and empty.

        In a JSON body an array or an object may go back too, as Elasticsearch's
        `sort` does in `search_after`.
        """
        raw = self.find(path)
        match "null" if raw is None else kind_of(raw):
            case "string":
                return something(str(msgspec.json.decode(raw or b'""')))
            case "number":
                # as written: a cursor of twenty digits must come back with all of them
                return _number(bytes(raw or b"0").decode())
            case "null" | "boolean":
                return None
            case "array" | "object" if may_be_nested:
                nested: JsonValue = json.loads(bytes(raw or b"null"))
                return nested or None
            case kind:
                raise bad_response(
                    f"cursor_path `{path}` should hold a cursor, got an {kind}"
                )

    def flag(self, path: str | None, key: str) -> bool | None:
        """What the API says at a declared path, which `key` names; None if nothing."""
        raw = self.find(path) if path else None
        value = None if raw is None else msgspec.json.decode(raw)
        match value:
            case None:
                return None
            case bool():
                return value
            case 0 | 1:
                return bool(value)
            case str() if value.lower() in {"true", "yes", "1", "y", "t", "on"}:
                return True
            case str() if value.lower() in {"false", "no", "0", "n", "f", "off", ""}:
                return False
        raise bad_response(f"{key} `{path}` should hold true or false")

    def total(self, path: str | None) -> int | None:
        """The total, or None if it is absent."""
        raw = self.find(path) if path else None
        value = None if raw is None else msgspec.json.decode(raw)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        if isinstance(value, float) and value.is_integer():
            return int(value)
        number = whole_number(value.strip()) if isinstance(value, str) else None
        if number is not None:
            return number
        raise bad_response(
            f"total_path `{path}` should be a whole number, got a "
            f"{kind_of(raw) if raw is not None else 'null'}; set total_path to where "
            "the total is, or to null"
        )


def _number(text: str) -> int | str:
    number = whole_number(text)
    return text if number is None else number
