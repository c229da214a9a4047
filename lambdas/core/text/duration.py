"""How long something took or takes, for people."""

from __future__ import annotations

_UNITS = (("day", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_PLURAL_DAYS = 2
_BRIEF_S = 60


def lasting(seconds: float) -> str:
    """`12.3 s`, `1 min 30 s`, `5 days 2 h`: the two greatest units."""
    left = int(abs(seconds))
    if left < _BRIEF_S:
        return f"{abs(seconds):.1f} s".replace(".0 s", " s")
    parts = []
    for name, size in _UNITS:
        count, left = divmod(left, size)
        if count:
            days = "s" if name == "day" and count >= _PLURAL_DAYS else ""
            parts.append(f"{count} {name}{days}")
    return " ".join(parts[:2])
