"""Landing an object again, under a new name, without the rows that are refused.

What is refused is decided once: the quarantined rows are written first, under a name
that follows from the object and the attempt, and what is there already stays. The new
object is then made of the old one and of what stands in quarantine. So a death between
any two effects, or a second one who does the same, changes nothing.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import msgspec

from lambdas.core.errors import LandingError
from lambdas.core.landing.names import (
    RUNS,
    RawName,
    amendment_key,
    marked_key,
    raw_name,
    run_key,
    run_prefix,
)
from lambdas.core.landing.quarantine import (
    Quarantined,
    Refusal,
    quarantine_key,
    quarantined_from_line,
    quarantined_to_line,
)
from lambdas.core.loading.refusal import why_refused, without_values
from lambdas.core.loading.repair import Refused
from lambdas.core.loading.status import Failed, StoredObject
from lambdas.core.pull.manifest import (
    amended_run_file,
    amendment_of,
    rows_erased,
    rows_of_run,
)
from lambdas.core.pull.ports import LandingZone

GZIP = 31
LEVEL = 1
_REPLAYED = "q"
TRIES_AS_IT_IS = 2
"""How often a check lands a file again in which nothing is known to be wrong."""
MOST_SET_ASIDE = 100_000
"""Rows of one file; what refuses more is no fault of single rows."""


class LandingReader(Protocol):
    """The landing zone, for reading."""

    def below(self, prefix: str) -> list[StoredObject]:
        """All objects below a prefix, by key."""

    def lines(self, key: str) -> Iterator[bytes]:
        """The lines of a gzipped object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded:
    """What became of one object that landed again. `key` is None if no row is left."""

    key: str | None
    rows: int
    refused: int


class Reloader:
    """Lands objects again, and keeps the run's word true."""

    def __init__(
        self, *, landing: LandingZone, stored: LandingReader, tries_as_it_is: int
    ) -> None:
        """`tries_as_it_is` is how often a file lands again in which nothing is known to
        be wrong.
        """
        self._tries_as_it_is = tries_as_it_is
        self._landing = landing
        self._stored = stored

    def land_again(self, failed: Failed) -> Reloaded:
        """Set aside the rows that are refused, and land the rest. Raises LandingError.

        A file that failed and of which no row is known to be refused lands as it was:
        what was wrong may have been the reading. Rows that a partial load brought into
        the table land no second time.
        """
        key, attempt = failed.source.key, failed.attempt + 1
        name = _known(key)
        found = self._refused_rows(failed)
        if not found and attempt > self._tries_as_it_is:
            raise LandingError(
                f"{key} failed to load {attempt} times, and no row of it is known to "
                f"be refused; Snowflake says: "
                f"{without_values(failed.record.first_error or 'nothing')}"
            )
        if found:
            own = quarantine_key(name.dataset, name.run_id, f"{name.part}r{attempt}")
            self._landing.put(own, _gzipped(map(quarantined_to_line, found)))
        # what counts is what stands there now, whoever wrote it
        aside = self._set_aside(key, attempt + 1)
        kept = (line for number, _, line in self._left(failed) if number not in aside)
        landed = self._land(marked_key(key, f"r{attempt}"), kept, name.run_id)
        return Reloaded(
            key=marked_key(key, f"r{attempt}") if landed else None,
            rows=landed,
            refused=len(aside),
        )

    def refused_of(self, key: str) -> tuple[Refused, ...]:
        """How many rows of an object are in quarantine, by reason."""
        reasons = Counter(reason for _, reason in self._set_aside(key, None).values())
        return tuple(
            Refused(reason=reason, rows=rows) for reason, rows in reasons.most_common()
        )

    def rows_of(self, key: str) -> int:
        """How many rows an object holds."""
        return sum(1 for _ in self._stored.lines(key))

    def amend(self, key: str, *, rows_in_table: int | None = None) -> str | None:
        """Let the run of `key` say how many rows it has now; the file that says so.

        None if it says so already, or has no file. With `rows_in_table` that many are
        what it has: what is short was erased, and stays so in later amendments.
        """
        name = _known(key)
        document = self._landing.get(run_key(name.dataset, name.run_id))
        while document is not None:
            number, newest = self._newest_amendment(name, document)
            erased = rows_erased(newest)
            amended = self._amended(key, document, number + 1, erased)
            if rows_in_table is not None:
                short = rows_of_run(amended) - rows_in_table
                amended = self._amended(key, document, number + 1, erased + short)
            if rows_of_run(amended) == rows_of_run(newest):
                return None
            own = amendment_key(name.dataset, name.run_id, number + 1)
            self._landing.put(own, amended)
            if self._landing.get(own) == amended:
                return own
            # somebody else was first under this number: theirs counts, then ours
        return None

    def _newest_amendment(self, name: RawName, document: bytes) -> tuple[int, bytes]:
        """The greatest number and what stands there; 0 and the run's own file."""
        keys = [
            item.key
            for item in self._stored.below(f"{RUNS}{name.dataset}/{name.run_id}-a")
        ]
        newest = self._landing.get(keys[-1]) if keys else None
        if newest is None:
            return 0, document
        return amendment_of(newest), newest

    def _amended(self, key: str, document: bytes, number: int, erased: int) -> bytes:
        name = _known(key)
        refused = sum(
            quarantined_from_line(line).refusal is Refusal.LOAD
            for item in self._stored.below(_aside_prefix(name.dataset, name.run_id))
            for line in self._stored.lines(item.key)
        )
        replayed = {
            item.key: self.rows_of(item.key)
            for item in self._stored.below(run_prefix(key))
            if (one := raw_name(item.key)) and _REPLAYED in one.part and not one.attempt
        }
        return amended_run_file(
            document,
            amendment=number,
            refused=refused,
            replayed=replayed,
            erased=erased,
        )

    def _refused_rows(self, failed: Failed) -> list[Quarantined]:
        """The rows that are to be set aside now, beside those that are."""
        key = failed.source.key
        name = _known(key)
        found: list[Quarantined] = []
        for number, place, line in self._left(failed):
            reason = why_refused(line)
            if reason is None and place == failed.refused_line:
                said = failed.record.first_error or "Snowflake names no reason"
                reason = f"Snowflake: {without_values(said)}"
            if reason is None:
                continue
            if len(found) == MOST_SET_ASIDE:
                raise LandingError(
                    f"more than {MOST_SET_ASIDE:,} rows of {key} would be refused, the "
                    f"first because: {found[0].reason}; that is no row's fault, and "
                    "nothing was set aside"
                )
            found.append(
                _quarantined(line, reason, run_id=name.run_id, file=key, row=number)
            )
        return found

    def _left(self, failed: Failed) -> Iterator[tuple[int, int, bytes]]:
        """The lines that are neither set aside nor in the table: each one's number in
        the object as it landed first, its place in the newest name, and itself.

        A name holds, in their order, the lines that were not set aside until then and
        that no name before it had brought into the table.
        """
        loaded = dict(failed.loaded)
        before = self._set_aside(failed.source.key, failed.attempt + 1)
        places = [0] * (failed.attempt + 1)
        for number, line in enumerate(self._stored.lines(failed.source.key), 1):
            aside_at = before[number][0] if number in before else failed.attempt + 1
            for attempt in range(failed.attempt + 1):
                if aside_at <= attempt:
                    break
                places[attempt] += 1
                if places[attempt] <= loaded.get(attempt, 0):
                    break
            else:
                yield number, places[-1], line

    def _set_aside(self, key: str, attempt: int | None) -> dict[int, tuple[int, str]]:
        """Rows of an object in quarantine before `attempt`: since when, and why."""
        name = _known(key)
        found: dict[int, tuple[int, str]] = {}
        for item in self._stored.below(
            quarantine_key(name.dataset, name.run_id, f"{name.first}r").removesuffix(
                ".ndjson.gz"
            )
        ):
            number = int(item.key.rpartition("r")[2].partition(".")[0])
            if attempt is not None and number >= attempt:
                continue
            for line in self._stored.lines(item.key):
                one = quarantined_from_line(line)
                if one.row is not None:
                    known = found.get(one.row, (number, one.reason))
                    found[one.row] = min(known, (number, one.reason))
        return found

    def _land(self, key: str, lines: Iterator[bytes], run_id: str) -> int:
        """Land lines under a name; no object if there is none. Their number."""
        if any(item.key == key for item in self._stored.below(key)):
            return self.rows_of(key)
        first = next(lines, None)
        if first is None:
            return 0
        return land_lines(self._landing, key, _chained(first, lines), run_id=run_id)


def land_lines(
    landing: LandingZone, key: str, lines: Iterable[bytes], *, run_id: str
) -> int:
    """Make one object of lines visible, as a run's is; their number.

    Done again with the same lines it changes nothing. Raises LandingError.
    """
    writer = landing.open(key, run_id=run_id)
    rows = 0
    try:
        compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)
        for line in lines:
            rows += 1
            if data := compressor.compress(line + b"\n"):
                writer.write(data)
        writer.write(compressor.flush())
        pending = writer.finish(rows)
    except BaseException:
        writer.abort()
        raise
    landing.complete(pending, run_id=run_id)
    return rows


def _chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _known(key: str) -> RawName:
    name = raw_name(key)
    if name is None:
        message = f"not the key of a raw object: {key!r}"
        raise ValueError(message)
    return name


def _aside_prefix(dataset: str, run_id: str) -> str:
    return quarantine_key(dataset, run_id, "").removesuffix(".ndjson.gz")


def _quarantined(
    line: bytes, reason: str, *, run_id: str, file: str, row: int
) -> Quarantined:
    item = Quarantined(
        refusal=Refusal.LOAD,
        reason=reason,
        run_id=run_id,
        file=file,
        row=row,
        record=msgspec.Raw(line),
    )
    try:
        return quarantined_from_line(quarantined_to_line(item))
    except msgspec.DecodeError:
        # it is no JSON, or none that our reader takes
        return Quarantined(
            refusal=Refusal.LOAD,
            reason=reason,
            run_id=run_id,
            file=file,
            row=row,
            text=line.decode("utf-8", "backslashreplace"),
        )


def _gzipped(lines: Iterable[bytes]) -> bytes:
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)
    body = b"".join(compressor.compress(line + b"\n") for line in lines)
    return body + compressor.flush()
