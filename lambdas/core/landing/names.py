"""Names in the landing zone, and what can be read back from them.

``raw/<dataset>/g<generation>/dt=<date>/<run_id>-<part>.ndjson.gz`` holds records,
``runs/<dataset>/<run_id>.json`` says that a run is complete, and
``manifests/<dataset>/<run_id>.json`` holds the parts of uploads not yet completed;
``edges/<dataset>/<run_id>.edge`` holds the rows that a cursor remembers, if many.
Nothing under ``raw/`` is visible before its run is committed, and no name is ever
written twice.

An object that lands again keeps its name but for a mark before the suffix,
``<run_id>-<part>r1.ndjson.gz``: its run, its day and its place among the parts of its
run stay, so that its rows win over none they did not win over before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

RAW = "raw/"
RUNS = "runs/"
MANIFESTS = "manifests/"
EDGES = "edges/"
"""What cursors remember; it never expires, since a dataset may rest for a year."""
QUARANTINE = "quarantine/"
CATALOGUE = "catalogue/"
"""The datasets as a deploy published them; only the warehouse function writes it."""
PAGES = "pages/"
"""What people look at; nothing is loaded from there."""
ARCHIVE = "archive/"
"""What is left of objects of which rows were erased; nobody loads it."""

ROLL_OVER_BYTES = 128 * 1024 * 1024
"""Compressed size at which an object is closed and the next one begun; Snowpipe is
cheapest between 100 and 250 MB (Snowflake: "Preparing your data files")."""

RANDOM_BYTES = 6
TURN_BYTES = 3
"""Of those, a pull's own: drawn, or the turn of a slice among those of one moment."""
OF_PULL = len("20130101T050000.000Z-") + 2 * TURN_BYTES
"""Characters of a run id that all segments of a pull share."""
_TRY_BITS = 12
"""Of the last three bytes, after the number of the segment: they tell tries apart."""

_RUN_ID = re.compile(r"(?P<start>\d{8}T\d{6}\.\d{3}Z)-[0-9a-f]{12}")
_RAW_KEY = re.compile(
    r"raw/(?P<dataset>[a-z][a-z0-9_]*)/g(?P<generation>\d+)/dt=(?P<dt>\d{4}-\d\d-\d\d)/"
    r"(?P<run_id>\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{12})-(?P<part>\d{5})(?P<marks>(?:[a-z]\d+)*)\.ndjson\.gz"
)
_SUFFIX = ".ndjson.gz"
_AGAIN = re.compile(r"r(?P<attempt>\d+)$")


def new_run_id(started_at: datetime, random: bytes) -> str:
    """`20130101T050000.000Z-0123456789ab`: sorts by start, unique by six random bytes.

    Raises ValueError unless `random` is six bytes and `started_at` is aware.
    """
    if len(random) != RANDOM_BYTES or started_at.tzinfo is None:
        message = (
            f"six bytes and an aware time are needed, not {random!r}, {started_at!r}"
        )
        raise ValueError(message)
    start = started_at.astimezone(UTC)
    return f"{start:%Y%m%dT%H%M%S}.{start.microsecond // 1000:03d}Z-{random.hex()}"


def new_pull_id(started_at: datetime, turn: bytes | None, random: bytes) -> str:
    """The id of a pull's first run. `turn` is a slice's; others draw theirs."""
    own = random[:TURN_BYTES] if turn is None else turn
    return new_run_id(started_at, own + _segment(1, random))


def segment_run_id(pull_id: str, number: int, random: bytes) -> str:
    """The id of a further segment of a pull: it sorts among the pull's, by `number`, so
    that the rows of a pull are of one moment however many runs it took.
    """
    return f"{pull_id[:OF_PULL]}{_segment(number, random).hex()}"


def _segment(number: int, random: bytes) -> bytes:
    last = (1 << _TRY_BITS) - 1
    drawn = int.from_bytes(random[-2:]) & last
    return (min(number, last) << _TRY_BITS | drawn).to_bytes(RANDOM_BYTES - TURN_BYTES)


def whole_milliseconds(moment: datetime) -> datetime:
    """`moment` as precisely as a run id carries it."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def run_started_at(run_id: str) -> datetime:
    """The UTC start a run id carries, to the millisecond."""
    match = _RUN_ID.fullmatch(run_id)
    if match is None:
        message = f"not a run id: {run_id!r}"
        raise ValueError(message)
    return datetime.strptime(match["start"], "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)


def raw_prefix(dataset: str, generation: int) -> str:
    """The prefix of one dataset and generation: what its stage path and pipe cover."""
    return f"{RAW}{dataset}/g{generation}/"


def raw_key(dataset: str, generation: int, run_id: str, part: int) -> str:
    """The key of the `part`-th object (from 1) of a run."""
    day = run_started_at(run_id).date().isoformat()
    return f"{raw_prefix(dataset, generation)}dt={day}/{run_id}-{part:05d}.ndjson.gz"


def run_key(dataset: str, run_id: str) -> str:
    """Where a landed run says that it is complete."""
    return f"{RUNS}{dataset}/{run_id}.json"


def manifest_key(dataset: str, run_id: str) -> str:
    """Where the parts of a run's uploads stand until it has landed."""
    return f"{MANIFESTS}{dataset}/{run_id}.json"


def edge_key(dataset: str, run_id: str) -> str:
    """Where the hashes at the cursor's edge stand when they are many."""
    return f"{EDGES}{dataset}/{run_id}.edge"


def run_id_of(key: str) -> str | None:
    """The run id in a raw key, or None if the key is not one of ours."""
    match = _RAW_KEY.fullmatch(key)
    return match["run_id"] if match else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RawName:
    """What the key of a raw object says. `part` has its marks: `00001`, `00001r2`."""

    dataset: str
    generation: int
    run_id: str
    part: str

    @property
    def first(self) -> str:
        """The part as it landed first: without the mark of landing again."""
        return _AGAIN.sub("", self.part)

    @property
    def attempt(self) -> int:
        """How often it has landed again: 0 as it landed first."""
        again = _AGAIN.search(self.part)
        return int(again["attempt"]) if again else 0


def raw_name(key: str) -> RawName | None:
    """What a raw key says, or None if it is none of ours."""
    match = _RAW_KEY.fullmatch(key)
    if match is None:
        return None
    return RawName(
        dataset=match["dataset"],
        generation=int(match["generation"]),
        run_id=match["run_id"],
        part=match["part"] + match["marks"],
    )


def marked_key(key: str, mark: str) -> str:
    """The key beside `key` with a mark, such as `r1` or `q2`.

    Marks sort after the name without one and before the next part.
    """
    return f"{key.removesuffix(_SUFFIX)}{mark}{_SUFFIX}"


def unmarked_key(key: str) -> str:
    """The key of an object as it landed first: without the mark of landing again."""
    return _AGAIN.sub("", key.removesuffix(_SUFFIX)) + _SUFFIX


def run_prefix(key: str) -> str:
    """Below which all objects of a raw key's run stand, whatever their marks."""
    name = raw_name(key)
    if name is None:
        message = f"not the key of a raw object: {key!r}"
        raise ValueError(message)
    return f"{key.rpartition('/')[0]}/{name.run_id}-"


def file_name(key: str) -> str:
    """The last part of a key, which no other object of the bucket shares."""
    return key.rpartition("/")[2]


def amendment_key(dataset: str, run_id: str, number: int) -> str:
    """Where a run says that it has other rows than it landed with."""
    return f"{RUNS}{dataset}/{run_id}-a{number:05d}.json"
