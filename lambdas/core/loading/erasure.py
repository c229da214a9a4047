"""Erasing one person's rows: what is asked for, which rows are theirs, what is kept.

A name below ``raw/`` is loaded once and then never written again, with other content
least of all: an event that comes late, or a REFRESH, might load it a second time. So
what is left of an object moves below ``archive/``, which no pipe covers, and the object
goes with all its versions. In quarantine a row is emptied in its place, because others
are known by their line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from lambdas.core.dataset import Dataset
from lambdas.core.errors import BadInput
from lambdas.core.landing.names import ARCHIVE, RAW, marked_key
from lambdas.core.landing.quarantine import (
    Quarantined,
    quarantined_from_line,
    quarantined_to_line,
)
from lambdas.core.loading.replay import ERASED, Receipt
from lambdas.core.records.json_path import find_value

_to_json = msgspec.json.Encoder()
_receipt = msgspec.json.Decoder(Receipt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """The record of one erasure. `keys` are salted hashes; the keys stand nowhere."""

    dataset: str
    started_at: datetime
    who: str
    salt: str
    keys: tuple[str, ...]
    finished_at: datetime | None = None
    landed_rows: int = 0
    quarantined_rows: int = 0
    table_rows: int = 0
    objects: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The primary keys to erase, each as the texts of its parts."""

    paths: tuple[str, ...]
    values: frozenset[tuple[str, ...]]

    def are_of(self, record: bytes | msgspec.Raw) -> bool:
        """Whether a record has one of the keys. Raises ValueError if it is no JSON."""
        try:
            found = [find_value(record, path) for path in self.paths]
        except msgspec.DecodeError:
            readable = _readable(bytes(record))
            found = [find_value(readable, path) for path in self.paths]
        return None not in found and tuple(map(_text, found)) in self.values

    def are_in(self, erasure: Erasure) -> bool:
        """Whether an erasure was of any of these keys."""
        return not frozenset(erasure.keys).isdisjoint(self.hashes(erasure.salt))

    def hashes(self, salt: str) -> tuple[str, ...]:
        """One hash a key, sorted."""
        return tuple(
            sorted(
                hashlib.sha256((salt + json.dumps(value)).encode()).hexdigest()
                for value in self.values
            )
        )


def keys_of(dataset: Dataset, written: Sequence[str]) -> Keys:
    """The keys that a person wrote as JSON: values, lists or objects. BadInput."""
    if not dataset.primary_key:
        raise BadInput(
            f"{dataset.name} declares no primary_key, so rows cannot be told from "
            "another; accepted: datasets with a primary_key"
        )
    paths = tuple(dataset.primary_key)
    return Keys(
        paths=paths, values=frozenset(_key(text, paths, dataset) for text in written)
    )


def _key(text: str, paths: tuple[str, ...], dataset: Dataset) -> tuple[str, ...]:
    shape = json.dumps(dict.fromkeys(paths, "…"), ensure_ascii=False)
    try:
        value = json.loads(text)
    except ValueError:
        raise BadInput(
            f"--key is not JSON; accepted for {dataset.name}: {shape}"
        ) from None
    if isinstance(value, dict) and value.keys() == set(paths):
        parts = [value[path] for path in paths]
    elif isinstance(value, list) and len(value) == len(paths):
        parts = value
    elif len(paths) == 1 and not isinstance(value, dict | list):
        parts = [value]
    else:
        raise BadInput(
            f"--key does not match the primary key of {dataset.name}; accepted: {shape}"
        )
    if any(part is None or isinstance(part, dict | list | bool) for part in parts):
        raise BadInput("--key has a part that is neither text nor a number")
    return tuple(_text(part) for part in parts)


def _readable(record: bytes) -> bytes:
    """A record that Snowflake and our reader refuse, as JSON that can be searched."""
    value = json.loads(record.decode("utf-8", "replace"))
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _text(value: object) -> str:
    """A part of a key as text. `4711` and `4711.0` are one number, as for Snowflake."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value)


def archived_key(key: str) -> str:
    """Where what is left of an object stands: below `archive/`, one step on."""
    if key.startswith(RAW):
        return marked_key(ARCHIVE + key.removeprefix(RAW), "e1")
    head, _, tail = key.removesuffix(".ndjson.gz").rpartition("e")
    return f"{head}e{int(tail) + 1}.ndjson.gz"


def emptied_line(line: bytes) -> bytes:
    """A line of the quarantine without its record; where it was from stays."""
    item = quarantined_from_line(line)
    return quarantined_to_line(
        Quarantined(
            refusal=item.refusal,
            reason=ERASED,
            run_id=item.run_id,
            column=item.column,
            file=item.file,
            row=item.row,
        )
    )


def emptied_receipt(line: bytes) -> bytes:
    """A line of a receipt without its record: the row counts as replayed."""
    return _to_json.encode(
        Receipt(of=_receipt.decode(line).of, record=msgspec.Raw(b"null"))
    )


def record_of(line: bytes) -> bytes:
    """The record in a line of the quarantine or of a receipt, as far as it is one."""
    found = msgspec.json.decode(line, type=_Held)
    return bytes(found.record) or (found.text or "").encode()


class _Held(msgspec.Struct):
    record: msgspec.Raw = msgspec.Raw()
    text: str | None = None
