"""Is every row that upstream released in the landing zone and in the table, once?

Rows are compared by primary key *and* content: counting would not see a row that was
lost where another was doubled.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from lambdas.core.landing.names import RAW
from lambdas.core.text.count import counted
from local.upstream import GrowingTable

Rows = Mapping[object, bytes]
"""Canonical content by primary key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One dataset at three places. Examples are primary keys, three at most."""

    dataset: str
    upstream: int
    landed: int
    table: int
    faults: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Whether the three hold the same rows with the same content, each once."""
        return not self.faults


def canonical(record: Mapping[str, Any]) -> bytes:
    """A record as bytes that are equal exactly if the records are."""
    return orjson.dumps(record, option=orjson.OPT_SORT_KEYS)


def released(table: GrowingTable) -> dict[object, bytes]:
    """What upstream shows, by id."""
    names = table.column_names()
    return {
        row[0]: canonical(dict(zip(names, row, strict=True)))
        for row in table.released()
    }


def landed(
    s3: Any,  # noqa: ANN401 - an S3 client
    bucket: str,
    dataset: str,
    *,
    of_run: str = "",
) -> list[bytes]:
    """Every record under the dataset's prefix, canonical, in no order; of one run, if
    its id is given.
    """
    found: list[bytes] = []
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=f"{RAW}{dataset}/"
    )
    for page in pages:
        for item in page.get("Contents", []):
            if of_run not in item["Key"]:
                continue
            body = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
            lines = gzip.decompress(body).splitlines()
            found.extend(canonical(orjson.loads(line)) for line in lines)
    return found


def compare(
    dataset: str,
    *,
    upstream: Rows,
    landed_records: Sequence[bytes],
    table_records: Sequence[bytes],
    primary_key: str,
) -> Comparison:
    """Hold the three against each other."""
    faults = [
        *_faults("landed", upstream, landed_records, primary_key),
        *_faults("in the table", upstream, table_records, primary_key),
    ]
    return Comparison(
        dataset=dataset,
        upstream=len(upstream),
        landed=len(landed_records),
        table=len(table_records),
        faults=tuple(faults),
    )


def _faults(
    where: str, upstream: Rows, records: Sequence[bytes], primary_key: str
) -> Iterable[str]:
    keys = [orjson.loads(record)[primary_key] for record in records]
    content = dict(zip(keys, records, strict=True))
    doubled = [key for key, count in Counter(keys).items() if count > 1]
    missing = [key for key in upstream if key not in content]
    unknown = [key for key in content if key not in upstream]
    changed = [
        key for key, record in content.items() if upstream.get(key, record) != record
    ]
    for what, found in (
        ("missing", missing),
        ("more than once", doubled),
        ("never released upstream", unknown),
        ("with other content", changed),
    ):
        if found:
            examples = ", ".join(map(str, found[:3]))
            rows = counted(len(found), "row")
            yield f"{rows} {what} {where}, such as {primary_key} {examples}"
