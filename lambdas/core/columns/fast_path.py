"""Whether all records of a page look as expected, told in one pass.

Nearly all pages do. So they are read into a type made of what is expected, which costs
what reading costs; a page that does not fit it is looked at record by record. "No" may
be wrong (a number written as a text is one, too), "yes" never is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, TypeAlias

import msgspec

from lambdas.core.columns.types import Fits
from lambdas.core.records.json_path import Step, follow

TypedWay: TypeAlias = tuple[str, tuple[Step, ...], str, Fits]
"""A column whose values have to be of a type: top-level name, way below it, the type's
name, and what tells whether a value is of it."""

_QUICK: Mapping[str, Any] = {
    "boolean": bool | None,
    # 64 bits, as far as msgspec compares: a longer one may be too long for its cast
    "integer": Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None,
    "number": float | None,
}
"""Types that msgspec refuses other values of, as their casts would."""


class FastPath:
    """Records of these top-level `names`, and where `only` says so of no others."""

    def __init__(
        self,
        *,
        names: Iterable[str],
        only: bool,
        typed: Sequence[TypedWay],
    ) -> None:
        tops = Counter(top for top, _, _, _ in typed)
        kinds: dict[str, Any] = dict.fromkeys([*(names if only else ()), *tops])
        careful = []
        for top, below, kind, takes in typed:
            if not below and kind in _QUICK and tops[top] == 1:
                kinds[top] = _QUICK[kind]
            else:
                careful.append((top, below, takes))
        kinds = {name: kind or msgspec.Raw for name, kind in kinds.items()}
        fields = {name: f"f{number}" for number, name in enumerate(kinds)}
        self._careful = [(fields[top], below, takes) for top, below, takes in careful]
        self._decoder = _decoder(kinds, fields, only=only)

    def holds(self, records: Sequence[bytes]) -> bool:
        """Whether all of them look so."""
        if self._decoder is None:
            return False
        try:
            rows = list(map(self._decoder.decode, records))
        except (msgspec.DecodeError, RecursionError):
            return False
        for field, below, takes in self._careful:
            for row in rows:
                raw = getattr(row, field)
                if raw is None:
                    continue
                reached = follow([raw], below) if below else (raw,)
                if reached and not takes(bytes(reached[0])):
                    return False
        return True


def _decoder(
    kinds: Mapping[str, Any], fields: Mapping[str, str], *, only: bool
) -> msgspec.json.Decoder[Any] | None:
    """None where a name cannot stand in such a type: quotes, control characters."""
    try:
        row = msgspec.defstruct(
            "Row",
            [(fields[name], kind, None) for name, kind in kinds.items()],
            rename={field: name for name, field in fields.items()},
            forbid_unknown_fields=only,
            gc=False,
        )
        return msgspec.json.Decoder(row)
    except ValueError:
        return None
