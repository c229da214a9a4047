"""Answers whose shape used to burn CPU: the time to read them, against their size.

Each is read as a pull reads it (unpacked, selected, checked for its key, held to a
contract), in one process, beside a plain list of the same size. CPU time, the best of
some runs.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from lambdas.core.columns.contract import Inspector
from lambdas.core.columns.observed import Observed
from lambdas.core.dataset import Dataset
from lambdas.core.errors import UpstreamError
from lambdas.core.records.compression import decoded
from lambdas.core.records.documents import Document
from lambdas.core.records.select import parted, select_records

SIZES = (10_000, 20_000, 40_000)
RUNS = 5
LIMIT = 256 * 1024 * 1024
WHY = """\
All are linear. A name costs 0.4 µs while a record's names fit into the processor's
cache and 1 µs where they do not (that is the step that is more than twice the one
before; with the garbage collector off it is the same). A plain list costs less
because its rows are alike: few are looked at in Python, and the rest in C. Where each
part has a name of its own, each is looked at. By the profile, half of the time of one
record of so many names is the look for names used twice, by Python's json; of the one
with escapes, two thirds are the walk through its bytes, by which what stays keeps its
spelling; of the empty lists, nearly all is the search for the list that holds the
records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """An answer of `count` parts, and where its records stand."""

    body: Callable[[int], bytes]
    selector: str | None = None
    contract: str = "evolve"


def _row(number: int) -> dict[str, object]:
    return {"id": number, "name": f"cat {number}", "at": "2024-01-01T00:00:00Z"}


def _json(document: object, *, indent: int | None = None) -> bytes:
    return json.dumps(document, indent=indent).encode()


SHAPES: Mapping[str, Shape] = {
    "an object keyed by id, pretty-printed": Shape(
        body=lambda n: _json({f"cat-{i}": _row(i) for i in range(n)}, indent=2),
        selector="*",
    ),
    "one record of so many names": Shape(
        body=lambda n: _json([{"id": 1, **{f"name {i}": i for i in range(n)}}])
    ),
    "the same, each name taken out by the contract": Shape(
        body=lambda n: _json([{"id": 1, **{f"name {i}": i for i in range(n)}}]),
        contract="discard_value",
    ),
    "the same, the names written with escapes": Shape(
        body=lambda n: _json([{"id": 1, **{f"n\u00e4me {i}": i for i in range(n)}}]),
        contract="discard_value",
    ),
    "as many empty lists": Shape(body=lambda n: _json({f"l{i}": [] for i in range(n)})),
    "one name, so many times": Shape(
        body=lambda n: b"[{" + b",".join([b'"id":1'] * n) + b"}]"
    ),
    "lists in lists, so deep": Shape(
        body=lambda n: b'[{"id":' + b"[" * n + b"]" * n + b"}]"
    ),
    "numbers of so many digits": Shape(
        body=lambda n: b'[{"id":1,"a":' + b"7" * n + b',"b":0.' + b"7" * n + b"}]"
    ),
    "as many gzip members": Shape(
        body=lambda n: gzip.compress(b"", 1) * n + gzip.compress(b'[{"id":1}]')
    ),
    "gzip within gzip, so often (as one that unzips to itself)": Shape(
        body=lambda n: _zipped(b'[{"id":1}]', n // 1_000)
    ),
}


def _zipped(body: bytes, times: int) -> bytes:
    for _ in range(times):
        body = gzip.compress(body, 1)
    return body


def a_dataset(contract: str) -> Dataset:
    """A dataset of one declared column."""
    return Dataset.model_validate_json(
        json.dumps(
            {
                "name": "cats",
                "description": "Every cat",
                "owner": {"team": "bench"},
                "source": {
                    "client": {"base_url": "http://127.0.0.1:1/"},
                    "endpoint": {"path": "cats"},
                },
                "primary_key": ["id"],
                "columns": {"id": "integer"},
                "contract": {"columns": contract},
                "schedule": {"rate": "1 day"},
            }
        )
    )


def read(body: bytes, selector: str | None, dataset: Dataset) -> None:
    """One answer, as a pull reads it; a refusal is an answer, too."""
    inspector = Inspector(dataset=dataset, before=Observed(), run_id="run")
    with suppress(UpstreamError):
        document = Document(decoded(body, "gzip", LIMIT))
        records, odd = parted(select_records(document, selector))
        keyed = inspector.keyed(records, page=1)
        inspector.refuse_odd(odd)
        inspector.keep(inspector.identified(records, keyed), page=1)
    inspector.take_refused()


def seconds(body: bytes, selector: str | None, dataset: Dataset) -> float:
    """CPU seconds to read an answer: the best of some runs."""
    best = float("inf")
    for _ in range(RUNS):
        before = time.process_time()
        read(body, selector, dataset)
        best = min(best, time.process_time() - before)
    return best


def plain(size: int) -> bytes:
    """A list of records, of about so many bytes."""
    rows = [_row(number) for number in range(max(1, size // 66))]
    return _json({"rows": rows})


def report(sizes: Sequence[int] = SIZES) -> str:
    """A table: a row a shape, its time at each size."""
    lines = [
        (
            f"| an answer of {sizes[0]:,} parts, twice and four times as many | MB "
            "| CPU ms at each size | a plain list of the largest size, ms | that is |"
        ),
        "|---|---|---|---|---|",
    ]
    for name, shape in SHAPES.items():
        dataset = a_dataset(shape.contract)
        bodies = [shape.body(count) for count in sizes]
        times = [seconds(body, shape.selector, dataset) for body in bodies]
        beside = seconds(plain(len(bodies[-1])), "rows", a_dataset("evolve"))
        lines.append(
            f"| {name} | {len(bodies[-1]) / 1e6:.2f} "
            f"| {', '.join(f'{1000 * each:.1f}' for each in times)} "
            f"| {1000 * beside:.1f} | {times[-1] / beside:.1f} × |"
        )
    lines += ["", WHY]
    return "\n".join(lines)
