"""Text of unknown origin, made fit for a page: what it is, and where it may lead."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import urlsplit

_LONGEST_URL = 500
_WHITE = re.compile(r"\s+")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
"""Control, format (such as right-to-left overrides), surrogates, nobody's."""
_JOINERS = frozenset("\u200c\u200d")
"""Scripts and emoji are written with them, and they turn nothing around."""


def plain_text(text: str, limit: int) -> str:
    """On one line, without characters that nobody sees, cut at `limit`."""
    # Cut first: what is read of 100 KB is its beginning.
    head = _WHITE.sub(" ", text[: 4 * limit]).strip()
    if len(head) <= limit and head.isprintable():
        return head
    seen = "".join(
        "\ufffd" if _is_unseen(character) else character for character in head
    )
    return seen if len(seen) <= limit else f"{seen[: limit - 1]}…"


def web_address(text: str | None) -> str | None:
    """A link that a browser may follow; None: it is none."""
    if text is None or len(text) > _LONGEST_URL or any(map(_is_unseen, text)):
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return text if parts.scheme in {"http", "https"} and parts.netloc else None


def _is_unseen(character: str) -> bool:
    return character not in _JOINERS and unicodedata.category(character) in _UNSEEN
