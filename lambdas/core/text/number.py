"""Whole numbers in texts that anybody may have written."""

from __future__ import annotations

import re

_WHOLE = re.compile(r"-?[0-9]{1,100}")


def whole_number(text: str) -> int | None:
    """-12 of `-12`, 7 of `007`; None for what is none, or has more than 100 digits.

    str.isdecimal and int() do not agree: `--5` without its dashes, or 5,000 digits,
    pass the one and raise ValueError in the other; so does `²` with str.isdigit.
    """
    return int(text) if _WHOLE.fullmatch(text) else None
