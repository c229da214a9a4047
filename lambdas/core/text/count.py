"""A number and what it counts, for people."""

from __future__ import annotations


def counted(number: float, noun: str) -> str:
    """`1 file`, `3 files`, `1,234,567 rows`, `1 try`, `2 tries`."""
    shown = f"{number:,}" if isinstance(number, int) else f"{number:,g}"
    if number == 1:
        return f"{shown} {noun}"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{shown} {noun[:-1]}ies"
    return f"{shown} {noun}s"
