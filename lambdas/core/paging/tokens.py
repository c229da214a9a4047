"""Which parameter takes a token back: its name says so, as a rule.

`next_X` goes back as `X` (`next_cursor`, `next_page_token`, `next_offset`), and what
has no `next` as itself (`cursor`, `after`, `marker`). `EXCEPTIONS` are the APIs that
call it otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lambdas.core.paging.signs import Sign

EXCEPTIONS: Mapping[str, str] = {
    "cursors.next": "cursor",
    "cursor.next": "cursor",
    "meta.cursor.next": "cursor",
    "pagination.cursors.next": "cursor",
    "pagination.cursor": "after",
    "paging.next.after": "after",
    "meta.page.after": "page[after]",
    "meta.next_token": "pagination_token",
    "data.pagination.next": "pagination.cursor",
    "result.next": "next",
    "hasMore.next": "next",
}
"""By path: HubSpot's `paging.next.after`, X's `meta.next_token`, Twitch's
`pagination.cursor`, Segment's `data.pagination.next`."""

_NEXT = re.compile(r"^(?:x[-_])?next[-_]?(?=.)|^(?:x[-_])?next$", re.IGNORECASE)
_OF_PAGE = re.compile(r"^page[-_]?(?=start|offset|cursor|marker|key|id)", re.IGNORECASE)


BY_NEIGHBOUR: Mapping[tuple[str, str, object], str] = {
    ("next_cursor", "object", "list"): "start_cursor",
    ("nextPageToken", "isLast", False): "nextPageToken",
}
"""By the path and by what stands beside it: Notion, Jira."""


def param_of(token: Sign, beside: Mapping[str, object] | None = None) -> str | None:
    """The parameter that takes this token, by its name or the values beside it."""
    for (path, name, value), param in BY_NEIGHBOUR.items():
        if token.where == path and (beside or {}).get(name, ...) == value:
            return param
    if token.where in EXCEPTIONS:
        return EXCEPTIONS[token.where]
    if token.is_header:
        return _param_of_header(token.where)
    above = token.node.way[:-1] if token.node else ()
    # one of a list, or one of several that MediaWiki wants back together
    if above[-1:] == ("continue",) or any(not isinstance(step, str) for step in above):
        return None
    return _param_of_name(token.node.name if token.node else token.where)


def _param_of_header(name: str) -> str | None:
    """`page` of `x-next-page`; `cursor` of a bare `next`, as dlt has it."""
    rest = _NEXT.sub("", name)
    if rest == name:
        return None
    return rest.lower() or "cursor"


def _param_of_name(name: str) -> str | None:
    if re.fullmatch(r"next[-_]?token", name, re.IGNORECASE):
        return name  # as AWS has it
    rest = _NEXT.sub("", name)
    if rest in {"", name}:
        return rest or None
    rest = _OF_PAGE.sub("", rest)
    return rest[0].lower() + rest[1:] if name[0].islower() else rest
