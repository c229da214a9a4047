"""Which parameter takes a token back: its name says so, as a rule.

`next_X` goes back as `X` (`next_cursor`, `next_page_token`, `next_offset`), and what
has no `next` as itself (`cursor`, `after`, `marker`). `EXCEPTIONS` are the APIs that
call it otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lambdas.core.paging.signs import Sign
from lambdas.core.records.json_path import Chosen

EXCEPTIONS: Mapping[str, str] = {
    "cursors.next": "cursor",
    "cursor.next": "cursor",
    "meta.cursor.next": "cursor",
    "pagination.cursors.next": "cursor",
    "pagination.cursor": "after",
    "paging.next.after": "after",
    "meta.page.after": "page[after]",
    "meta.next_token": "pagination_token",
    "next_token": "next_token",
    "nextToken": "nextToken",
    "NextToken": "NextToken",
    "data.pagination.next": "pagination.cursor",
    "result.next": "next",
    "hasMore.next": "next",
}
"""By path: HubSpot's `paging.next.after`, X's `meta.next_token`, Twitch's
`pagination.cursor`, AWS (`NextToken`), Segment's `data.pagination.next`."""

_NEXT = re.compile(r"^(?:x[-_])?next[-_]?(?=.)|^(?:x[-_])?next$", re.IGNORECASE)
_OF_PAGE = re.compile(r"^page[-_]?(?=start|offset|cursor|marker|key|id)", re.IGNORECASE)


def param_of(token: Sign) -> str | None:
    """The parameter that takes this token; None if its name does not say."""
    if token.where in EXCEPTIONS:
        return EXCEPTIONS[token.where]
    name = token.where
    if token.node is not None:
        if any(isinstance(step, int | Chosen) for step in token.node.way):
            return None
        name = token.node.name
    if _is_token_of_next(name):
        return name
    rest = _NEXT.sub("", name)
    if not rest:
        # a bare `next` is called after what holds it, if that says anything
        return "cursor" if token.is_header else None
    if rest != name:
        rest = _OF_PAGE.sub("", rest)
        rest = rest[0].lower() + rest[1:] if name[0].islower() else rest
    return rest.lower() if token.is_header else rest


def _is_token_of_next(name: str) -> bool:
    return re.fullmatch(r"next[-_]?token", name, re.IGNORECASE) is not None
