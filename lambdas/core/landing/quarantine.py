"""What is kept of records that were refused: countable, readable, replayable.

``quarantine/<dataset>/dt=<date>/<run_id>-<part>.ndjson.gz`` holds one line a refused
record, with why, and where it came from. `run_id` is the run that pulled it, so that a
record which lands after all competes with its versions as of then.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from lambdas.core.landing.names import QUARANTINE, run_started_at


class Refusal(StrEnum):
    """Who refused a record, and for what."""

    COLUMNS = "columns"
    """The contract: it has a column that nobody declared."""
    PRIMARY_KEY = "primary_key"
    """It has no primary key."""
    RECORD = "record"
    """It is no object: a null or a number among the records."""
    DATA_TYPE = "data_type"
    """The contract: a value is of another type than declared."""
    LOAD = "load"
    """Snowflake, when it was loaded."""


class Quarantined(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One refused record, or one whose value was taken out before it landed.

    `record` is the record as the API gave it; where it is no JSON it is empty, and
    `text` stands in its place. `file` and `row` (from 1) are where it had landed, for a
    refused load. `landed`: all of it but the value that was taken out has landed.
    """

    refusal: Refusal
    reason: str
    run_id: str
    column: str | None = None
    file: str | None = None
    row: int | None = None
    record: msgspec.Raw = msgspec.Raw()
    text: str | None = None
    landed: bool = False


_to_json = msgspec.json.Encoder()
_from_json = msgspec.json.Decoder(Quarantined)


def quarantined_to_line(item: Quarantined) -> bytes:
    """One line of JSON, without its end."""
    return _to_json.encode(item)


def quarantined_from_line(line: bytes) -> Quarantined:
    """Read what `quarantined_to_line` wrote; raises msgspec.ValidationError."""
    return _from_json.decode(line)


def quarantine_prefix(dataset: str) -> str:
    """Below which all that was refused of a dataset stands."""
    return f"{QUARANTINE}{dataset}/"


def quarantine_key(dataset: str, run_id: str, part: str) -> str:
    """The key of one object of refused records; `part` tells it from others of a run.

    Which part it is follows from what is refused, so that a repetition writes the same
    name.
    """
    day = run_started_at(run_id).date().isoformat()
    return f"{quarantine_prefix(dataset)}dt={day}/{run_id}-{part}.ndjson.gz"
