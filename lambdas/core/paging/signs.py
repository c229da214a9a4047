"""Moved out of detecting.py."""

from __future__ import annotations

import re

import msgspec

from lambdas.core.paging.link_header import links
from lambdas.core.paging.page import AnsweredPage
from lambdas.core.records.json_path import kind_of

_ENVELOPES = ("", "meta.", "pagination.", "paging.", "page.", "page_info.", "info.")


LINKS = (
    "next", "next_url", "nextUrl", "next_page_url", "nextPageUrl", "next_page",
    "nextPage", "nextLink", "next_link", "$['@odata.nextLink']", "$['odata.nextLink']",
    "d.__next", "links.next", "links.next.href", "links.next.url", "_links.next",
    "_links.next.href", "paging.next", "paging.next.link", "pagination.next",
    "pagination.next_url", "pagination.next_link", "pagination.links.next",
    "pagination.next.href", "meta.next", "meta.next_url", "meta.links.next",
    "meta.pagination.next", "meta.pagination.links.next", "meta.next_page_url",
    "info.next", "next.href", "next.url", "response.next", "data.next",
)  # fmt: skip
"""Where APIs put the URL of the next page: Django REST framework (`next`), Datasette
(`next_url`), OData 4 (`@odata.nextLink`) and 2 (`d.__next`), JSON:API (`links.next`),
HAL (`_links.next.href`), Laravel (`next_page_url`)."""


_MORE = ("has_more", "hasMore", "has_next", "hasNext", "has_next_page", "hasNextPage",
         "more", "is_truncated", "IsTruncated")  # fmt: skip


_URL_STARTS = ("http://", "https://", "/", "?", "./")


_IS_LINK = re.compile(r"url|link|href|__next", re.IGNORECASE)
"""Names that promise a URL: what stands there may be relative (RFC 3986, 4.2), as
`cats?$skiptoken=20` in OData."""


def sign_elsewhere(page: AnsweredPage) -> str | None:
    """What in the answer says, without doubt, that there is another page: a link to
    it, or a `has_more` that is true; None if nothing does.
    """
    if "next" in links(page.headers.get("link", "")):
        return 'the Link header has a rel="next"'
    if page.document is None or page.document.kind != "object" or page.is_one_record:
        return None
    for path in LINKS:
        value = _value(page, path)
        if isinstance(value, str) and _is_link(path, value.strip()):
            return f"`{path}` holds a link"
    return _has_more(page)


def _has_more(page: AnsweredPage) -> str | None:
    for envelope in _ENVELOPES:
        for name in _MORE:
            if _value(page, f"{envelope}{name}") is True:
                return f"`{envelope}{name}` is true"
    return None


def _value(page: AnsweredPage, path: str) -> object:
    raw = page.find(path)
    if raw is None or kind_of(raw) in {"object", "array"}:
        return None
    return msgspec.json.decode(raw)


def _is_link(path: str, value: str) -> bool:
    if value.startswith(_URL_STARTS):
        return True
    return _IS_LINK.search(path) is not None and re.search(r"[/?]", value) is not None
