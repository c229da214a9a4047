"""Landing quarantined rows again, each exactly once.

What is replayed is decided by a *receipt*, an object that holds the rows and which of
the quarantine they are of, put under the next free number and never written twice.
The rows then land from the receipt. So a death in between is made good by whoever
replays next, and two who replay at once do not both land a row.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from lambdas.core.dataset import Dataset
from lambdas.core.errors import LandingError
from lambdas.core.landing.names import (
    marked_key,
    raw_key,
    raw_name,
    run_started_at,
    unmarked_key,
)
from lambdas.core.landing.quarantine import (
    Quarantined,
    quarantine_prefix,
    quarantined_from_line,
)
from lambdas.core.loading.refusal import why_refused
from lambdas.core.loading.reload import GZIP, LEVEL, LandingReader, Reloader, land_lines
from lambdas.core.loading.repair import LoadWatch
from lambdas.core.pull.ports import LandingZone
from lambdas.core.pull.run import LandedRun
from lambdas.core.sql import generation

REPLAYED = "replayed/"
ERASED = "erased on request"
"""The reason of a row that has no record any more."""


class Receipt(msgspec.Struct, frozen=True):
    """One row that is landed again: `of` is where it stands in quarantine."""

    of: str
    record: msgspec.Raw


_to_json = msgspec.json.Encoder()
_receipt = msgspec.json.Decoder(Receipt)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedRow:
    """One line of the quarantine: its `name`, and the object it lands beside."""

    name: str
    base: str
    item: Quarantined
    is_replayed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedObject:
    """An object of quarantined rows that has landed."""

    key: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What a replay did: `refused` names rows that would be refused again, and why."""

    landed: tuple[ReplayedObject, ...]
    refused: Mapping[str, str]


class Replayer:
    """Reads the quarantine of a dataset, and lands rows of it."""

    def __init__(
        self,
        *,
        landing: LandingZone,
        stored: LandingReader,
        relanding: Reloader,
        watch: LoadWatch,
    ) -> None:
        self._landing = landing
        self._stored = stored
        self._relanding = relanding
        self._watch = watch

    def rows(self, dataset: Dataset) -> Iterator[QuarantinedRow]:
        """Everything in quarantine, the oldest first. Raises LandingError."""
        replayed = {
            line.of for key in self._receipts(dataset.name) for line in self._read(key)
        }
        for stored in self._stored.below(f"{quarantine_prefix(dataset.name)}dt="):
            for number, line in enumerate(self._stored.lines(stored.key), 1):
                item = quarantined_from_line(line)
                name = f"{stored.key}#{number}"
                yield QuarantinedRow(
                    name=name,
                    base=_base(dataset, item),
                    item=item,
                    is_replayed=name in replayed,
                )

    def replay(
        self,
        dataset: Dataset,
        fixed: Mapping[str, bytes] | None,
        *,
        now: datetime,
    ) -> Replay:
        """Land what waits in quarantine: all of it, or `fixed` with its records."""
        landed = list(self._finish(dataset.name, now))
        refused: dict[str, str] = {}
        wanted: dict[str, list[Receipt]] = {}
        for row in self.rows(dataset):
            if row.is_replayed or (fixed is not None and row.name not in fixed):
                continue
            if row.item.reason == ERASED:
                continue
            record = _record(row.item) if fixed is None else fixed[row.name]
            why = why_refused(record) if record else "the record is not JSON"
            if why is not None:
                refused[row.name] = why
                continue
            wanted.setdefault(row.base, []).append(
                Receipt(of=row.name, record=msgspec.Raw(record))
            )
        for base, receipts in sorted(wanted.items()):
            self._landing.put(self._next(dataset.name, base), _gzipped(receipts))
        if wanted:
            landed += self._finish(dataset.name, now)
        return Replay(landed=tuple(landed), refused=refused)

    def _finish(self, dataset: str, now: datetime) -> Iterator[ReplayedObject]:
        """Land what receipts say and is not there yet."""
        for receipt in self._receipts(dataset):
            target = self._target(receipt)
            if any(item.key == target for item in self._stored.below(target)):
                continue
            name = raw_name(target)
            if name is None:
                raise LandingError(f"{receipt} is not a replay receipt")
            # what was erased meanwhile is null
            lines = (
                bytes(line.record)
                for line in self._read(receipt)
                if bytes(line.record) != b"null"
            )
            rows = land_lines(self._landing, target, lines, run_id=name.run_id)
            self._relanding.amend(target)
            self._watch.watch(
                LandedRun(
                    dataset=dataset,
                    run_id=name.run_id,
                    newest_key=target,
                    objects=1,
                    landed_at=now,
                    part=name.first,
                )
            )
            yield ReplayedObject(key=target, rows=rows)

    def _receipts(self, dataset: str) -> list[str]:
        prefix = f"{quarantine_prefix(dataset)}{REPLAYED}"
        return [item.key for item in self._stored.below(prefix)]

    def _read(self, receipt: str) -> Iterator[Receipt]:
        return (_receipt.decode(line) for line in self._stored.lines(receipt))

    def _next(self, dataset: str, base: str) -> str:
        """The receipt under the next free number beside `base`."""
        number = 1
        taken = set(self._receipts(dataset))
        while (key := receipt_key(marked_key(base, f"q{number}"))) in taken:
            number += 1
        return key

    def _target(self, receipt: str) -> str:
        head, _, tail = receipt.partition(REPLAYED)
        dataset = head.rstrip("/").rpartition("/")[2]
        return f"raw/{dataset}/{tail}"


def receipt_key(key: str) -> str:
    """Where the receipt of a replayed object stands: its own path, in quarantine."""
    name = raw_name(key)
    if name is None:
        message = f"not the key of a raw object: {key!r}"
        raise ValueError(message)
    _, _, below = key.partition(f"{name.dataset}/")
    return f"{quarantine_prefix(name.dataset)}{REPLAYED}{below}"


def _record(item: Quarantined) -> bytes:
    return bytes(item.record) or (item.text or "").encode()


def _base(dataset: Dataset, item: Quarantined) -> str:
    """The object beside which a row lands: its own, or the first of its run."""
    if item.file is not None and raw_name(item.file) is not None:
        return unmarked_key(item.file)
    run_started_at(item.run_id)
    return raw_key(dataset.name, generation(dataset), item.run_id, 1)


def _gzipped(receipts: Iterable[Receipt]) -> bytes:
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)
    body = b"".join(
        compressor.compress(_to_json.encode(one) + b"\n") for one in receipts
    )
    return body + compressor.flush()
