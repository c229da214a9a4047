"""Blanks secrets out of texts that are not ours, however they are written there."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Collection, Sequence
from functools import lru_cache

from lambdas.core.errors import CUT

_SECRET_NAME = re.compile(
    r"token|secret|passw|api[-_]?key|apikey|access[-_]?key|auth|signature|\bsig\b|^key$",
    re.IGNORECASE,
)
_SHORTEST_SECRET = 3
"""A shorter value would blank half of every message, and is no secret."""
_LONGEST_ESCAPE = 12
"""Characters that stand for one: half a surrogate pair is written as six."""

BLANK = "***"


def sounds_secret(name: str) -> bool:
    """Whether a parameter or header of this name most likely holds a secret."""
    return _SECRET_NAME.search(name) is not None


def redact(text: str, secrets: Collection[str]) -> str:
    """`text` with every known secret blanked out: as it is, as URLs, JSON or HTML write
    it, or its beginning alone where the text was cut.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = _however_written(secret).sub(BLANK, text)
            text = _without_beginnings(text, secret)
    return text


def _without_beginnings(text: str, secret: str) -> str:
    """Without what may be the beginning of `secret`, before each ellipsis."""
    *pieces, rest = text.split(CUT)
    letters = _letters(secret)
    blanked = [piece[: _begins(piece, letters)] for piece in pieces]
    return (
        "".join(
            f"{kept}{BLANK if kept != piece else ''}{CUT}"
            for kept, piece in zip(blanked, pieces, strict=True)
        )
        + rest
    )


def _begins(piece: str, letters: Sequence[re.Pattern[str]]) -> int:
    """Where the beginning of a secret starts at whose end `piece` was cut."""
    first = max(0, len(piece) - _LONGEST_ESCAPE * len(letters))
    for start in letters[0].finditer(piece, first):
        at, count = start.end(), 1
        for letter in letters[1:]:
            match = letter.match(piece, at)
            if match is None:
                break
            at, count = match.end(), count + 1
        if count >= _SHORTEST_SECRET and at >= len(piece) - len(_cut_escape(piece)):
            return start.start()
    return len(piece)


def _cut_escape(piece: str) -> str:
    r"""The beginning of an escape at the end: `%2`, `\u00`, `&quo`."""
    tail = piece[-_LONGEST_ESCAPE:]
    begun = max(map(tail.rfind, "%\\&"))
    return tail[begun:] if begun >= 0 else ""


@lru_cache(maxsize=256)
def _however_written(secret: str) -> re.Pattern[str]:
    return re.compile("".join(letter.pattern for letter in _letters(secret)))


@lru_cache(maxsize=256)
def _letters(secret: str) -> tuple[re.Pattern[str], ...]:
    """Each character of `secret`, as it is or escaped in any of the known ways."""
    return tuple(map(_letter, secret))


@lru_cache(maxsize=256)
def _letter(one: str) -> re.Pattern[str]:
    octets = one.encode("utf-8", "surrogatepass")
    units = one.encode("utf-16-be", "surrogatepass").hex()
    number = ord(one)
    exact = {one, json.dumps(one)[1:-1], html.escape(one)}
    exact |= {"\\/"} if one == "/" else set()
    exact |= {"+"} if one == " " else set()
    in_any_case = {
        "".join(f"%{octet:02X}" for octet in octets),
        "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4)),
        f"&#{number};",
        f"&#x{number:x};",
    }
    written = [*map(re.escape, sorted(exact, key=len, reverse=True))]
    written += [f"(?i:{re.escape(each)})" for each in sorted(in_any_case)]
    return re.compile(f"(?:{'|'.join(written)})")
