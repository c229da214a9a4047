"""A pull that goes in circles is stopped: dlt's does not stop."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from lambdas.core.errors import RunErrorKind
from lambdas.core.http.message import HttpRequest
from lambdas.core.http.urls import public_url
from lambdas.core.paging.base import CapReached
from lambdas.core.records.documents import bad_response


class LoopGuard:
    """Notices a pull that goes in circles, within one process.

    A request that comes again, or a page whose rows have all come before, is a loop;
    rows are compared by a sample of 64. Rows without an id may be equal where the
    answer shows that it is another page. Pages without rows are looked at by their
    requests only, and at most `EMPTY_PAGES` of them may follow each other. Both are a
    cap: a long pull that ends so cannot go on from its place, and begins anew.
    """

    EMPTY_PAGES = 1000
    _SAMPLE = 64

    def __init__(self) -> None:
        self._requests: set[int] = set()
        self._pages: set[int] = set()
        self._last = 0
        self._empty = 0

    def before(self, request: HttpRequest) -> None:
        """Raise Terminal if this request has been made already."""
        body = msgspec.json.encode(request.json, order="sorted")
        identity = (request.method, request.url, *sorted(request.params.items()), body)
        if hash(identity) in self._requests:
            raise CapReached(
                "the pages go in circles: the next page is one that was read already, "
                f"{public_url(request.url)}; the API repeats its link or cursor, or "
                "does not know the parameter that the paginator sends",
                kind=RunErrorKind.RESPONSE,
            )
        self._requests.add(hash(identity))

    def seen(
        self, records: list[bytes], *, is_another: Callable[[], bool] | None = None
    ) -> None:
        """Raise Terminal if this page's rows have all come before. `is_another` says
        whether a total or an offset in the answer shows that it is a page of its own.
        """
        self._empty = 0 if records else self._empty + 1
        if self._empty > self.EMPTY_PAGES:
            raise CapReached(
                f"{self._empty} pages without a row follow each other, and the API "
                "goes on; set stop_after_empty_page: true, or ask for a smaller range",
                kind=RunErrorKind.RESPONSE,
            )
        if not records:
            return
        step = max(1, len(records) // self._SAMPLE)
        sample = (len(records), *records[::step], records[-1])
        page = hash(sample)
        # equal rows on pages apart may be chance if a page holds one kind of row only
        apart = page in self._pages and len(set(sample)) > 2  # noqa: PLR2004
        is_again = page == self._last or apart
        if is_again and is_another is not None and not _has_id(records[0]):
            is_again = not is_another()
        if is_again:
            raise bad_response(
                f"the pages go in circles: these {len(records)} rows came before, "
                "though another page was asked for; the API ignores the parameter "
                "that the paginator sends, or repeats its last page"
            )
        self._pages.add(page)
        self._last = page


_ID = re.compile(r"_?id|uuid|guid|key|oid|\w+(?:_id|Id|ID|_uuid|_key)")


def _has_id(record: bytes) -> bool:
    """Whether something in a record tells it from all others."""
    found: dict[str, msgspec.Raw] = msgspec.json.decode(
        record, type=dict[str, msgspec.Raw]
    )
    return any(_ID.fullmatch(name) for name in found)
