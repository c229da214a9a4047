"""Which JSON records Snowflake refuses, and DuckDB takes.

`refusal` is asked of every record before DuckDB sees it. Where Snowflake's behaviour
is not documented, the embedded one is the stricter: what is refused here for nothing
costs a look into the quarantine, what is taken here for nothing would never be tested.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

LARGEST_VARIANT_BYTES = 128 * 1024 * 1024
_HIGH, _LOW = range(0xD800, 0xDC00), range(0xDC00, 0xE000)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRule:
    """One kind of record. `check` says why one is refused, `sample` is one."""

    name: str
    real: str
    stand_in: str
    source: str
    sample: str
    check: Callable[[str], str | None]


class _Refused(Exception):
    """Thrown out of the parser; the text is Snowflake's."""


def _refused(text: str, **hooks: Callable[..., object]) -> str | None:
    """What one of the parser's hooks refuses; what is broken is another rule's."""
    try:
        json.loads(text, **hooks)  # type: ignore[arg-type]  # its hooks, by name
    except _Refused as refused:
        return str(refused)
    except (ValueError, RecursionError):
        pass
    return None


def _grammar(text: str) -> str | None:
    try:
        _walked(text)
    except json.JSONDecodeError as error:
        return f"Error parsing JSON: {error.msg.lower()}, pos {error.pos}"
    except _Refused:
        return None  # another rule's
    except RecursionError:
        return "Error parsing JSON: too deeply nested"
    return None


def _walked(text: str) -> object:
    def constant(name: str) -> object:
        raise json.JSONDecodeError(f"unknown keyword {name}", text, text.find(name))

    return json.loads(text, parse_constant=constant, parse_int=float)


def _names_twice(text: str) -> str | None:
    def pairs(found: list[tuple[str, object]]) -> dict[str, object]:
        made = dict(found)
        if len(made) == len(found):
            return made
        names = [name for name, _ in found]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Refused(
            f'Error parsing JSON: duplicate object attribute "{twice}", pos '
            f"{text.rfind(json.dumps(twice))}"
        )

    return _refused(text, object_pairs_hook=pairs, parse_int=float)


def _numbers(text: str) -> str | None:
    def number(written: str) -> float:
        value = float(written)
        if math.isinf(value):
            raise _Refused(
                f"Error parsing JSON: number out of range, pos {text.find(written)}"
            )
        return value

    return _refused(text, parse_float=number, parse_int=number)


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for name, one in value.items():
                yield name
                yield from _texts(one)
        case list():
            for one in value:
                yield from _texts(one)


def _characters(refuses: Callable[[str], bool], said: str, text: str) -> str | None:
    if "\\u" not in text:
        return None
    try:
        found = _walked(text)
    except (ValueError, RecursionError):
        return None
    return said if any(refuses(one) for one in _texts(found)) else None


def _surrogate(text: str) -> str | None:
    # the decoder joins pairs: what is left of them stands alone
    return _characters(
        lambda one: any(ord(letter) in _HIGH or ord(letter) in _LOW for letter in one),
        "Error parsing JSON: missing half of a surrogate pair",
        text,
    )


def _nul(text: str) -> str | None:
    return _characters(
        lambda one: "\0" in one, "Error parsing JSON: invalid character \\u0000", text
    )


def _size(text: str) -> str | None:
    size = len(text.encode("utf-8", "surrogatepass"))
    if size <= LARGEST_VARIANT_BYTES:
        return None
    return (
        f"Max LOB size ({LARGEST_VARIANT_BYTES}) exceeded, actual size of parsed "
        f"column is {size}"
    )


RULES: tuple[RowRule, ...] = (
    RowRule(
        name="a record that is too large",
        real="Max LOB size exceeded, above 128 MB",
        stand_in="loads",
        source='Snowflake: "Size limits for database objects", BCR-1779',
        sample="",
        check=_size,
    ),
    RowRule(
        name="JSON to the letter",
        real="a trailing comma, NaN or Infinity is not JSON",
        stand_in='loads `{"a":1,}` and `{"a":NaN}`',
        source="RFC 8259; what Snowflake says of either is not documented",
        sample='{"a":1,}',
        check=_grammar,
    ),
    RowRule(
        name="a name twice in an object",
        real="duplicate object attribute, unless ALLOW_DUPLICATE = TRUE",
        stand_in="loads, with both",
        source="Snowflake: CREATE FILE FORMAT, ALLOW_DUPLICATE; PARSE_JSON",
        sample='{"a":1,"b":{"c":1,"c":2}}',
        check=_names_twice,
    ),
    RowRule(
        name="half a surrogate pair",
        real="no Unicode text has one, so that no VARIANT holds it",
        stand_in="refuses it too, in other words",
        source="RFC 8259, 8.2; Snowflake's own behaviour is not documented",
        sample='{"a":"\\ud83d"}',
        check=_surrogate,
    ),
    RowRule(
        name="NUL in a text",
        real="a VARIANT with `\\u0000` cannot be read back",
        stand_in="loads",
        source="snowflake-ingest-java issue 870; not documented for COPY",
        sample='{"a":"x\\u0000y"}',
        check=_nul,
    ),
    RowRule(
        name="a number beyond a double",
        real="what fits no NUMBER(38) becomes a DOUBLE, which ends at 1.8e308",
        stand_in="loads the text",
        source="Snowflake: PARSE_JSON, usage notes; what it says is not documented",
        sample='{"a":1e400}',
        check=_numbers,
    ),
)
"""In the order in which they are asked; the first that refuses is the reason."""


def refusal(text: str) -> str | None:
    """Why Snowflake refuses a record, or None."""
    for rule in RULES:
        why = rule.check(text)
        if why is not None:
            return why
    return None


def refusal_of_bytes(line: bytes) -> str | None:
    """The same for what may be no UTF-8 (Snowflake: BCR-1013 and -1014)."""
    try:
        return refusal(line.decode())
    except UnicodeDecodeError as error:
        return f"Invalid UTF8 detected in string, byte {error.start}"
