"""The documents that stand beside a run in the landing zone.

A *manifest* holds what a committing run has to make visible; a *run file* tells SQL
which objects make a complete run. Both are JSON, both are written once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from lambdas.core.pull.run import Manifest, Run

_HASH, _NO_DAY = 16, bytes(4)
_ENTRY = _HASH + len(_NO_DAY)
_to_json = msgspec.json.Encoder()
_manifest = msgspec.json.Decoder(Manifest)


def manifest_to_json(manifest: Manifest) -> bytes:
    """The manifest as a document; hashes are base64."""
    return _to_json.encode(manifest)


def manifest_from_json(document: bytes) -> Manifest:
    """Read what `manifest_to_json` wrote; raises msgspec.ValidationError."""
    return _manifest.decode(document)


def edge_to_bytes(edge: frozenset[bytes]) -> bytes:
    """What a cursor remembers, sorted, 20 bytes each: a day, or none, and a hash."""
    return b"".join(entry.rjust(_ENTRY, b"\0") for entry in sorted(edge))


def edge_from_bytes(document: bytes) -> frozenset[bytes]:
    """Read what `edge_to_bytes` wrote."""
    entries = _split(document, _ENTRY)
    return frozenset(entry.removeprefix(_NO_DAY) for entry in entries)


def old_edge_from_bytes(document: bytes) -> frozenset[bytes]:
    """Read what was written before rows ahead of the cursor were remembered."""
    return frozenset(_split(document, _HASH))


def _split(document: bytes, size: int) -> Iterator[bytes]:
    return (document[at : at + size] for at in range(0, len(document), size))


def run_file(run: Run, manifest: Manifest, *, disposition: str) -> bytes:
    """`runs/<dataset>/<run_id>.json`: one line, as the pipe of RAW._RUNS loads it."""
    return _to_json.encode(
        {
            "dataset": run.dataset,
            "run_id": run.run_id,
            "started_at": run.started_at,
            "finished_at": run.finished_at,
            "write_disposition": disposition,
            "pull_id": manifest.pull_id or run.run_id,
            "segment": manifest.segment,
            "is_last": manifest.resume_after is None,
            "rows": run.rows,
            "bytes": run.size,
            "quarantined": run.quarantined,
            "objects": [
                {"key": item.key, "rows": item.rows, "bytes": item.size}
                for item in manifest.objects
            ],
            "cursor_before": run.cursor_before,
            "cursor_after": run.cursor_after,
        }
    )


def amended_run_file(
    document: bytes,
    *,
    amendment: int,
    refused: int,
    replayed: Mapping[str, int],
    erased: int,
) -> bytes:
    """A run's file with the rows it has now: `refused` and `erased` less, `replayed`
    more.

    It says all that the run's own file says, so that SQL may take the one with the
    greatest `amendment` for the run. `replayed` are objects and their rows.
    """
    said = msgspec.json.decode(document, type=dict[str, msgspec.Raw])
    rows: int = msgspec.json.decode(said["rows"])
    objects: list[object] = msgspec.json.decode(said["objects"])
    return _to_json.encode(
        {
            **said,
            "amendment": amendment,
            "rows": rows - refused - erased + sum(replayed.values()),
            "rows_refused": refused,
            "rows_erased": erased,
            "objects": [
                *objects,
                *({"key": key, "rows": one} for key, one in sorted(replayed.items())),
            ],
        }
    )


class _Said(msgspec.Struct):
    rows: int
    amendment: int = 0
    rows_erased: int = 0


_said = msgspec.json.Decoder(_Said)


def rows_of_run(document: bytes) -> int:
    """How many rows a run has, by its file or an amendment of it."""
    return _said.decode(document).rows


def amendment_of(document: bytes) -> int:
    """The number of an amendment; 0 of a run's own file."""
    return _said.decode(document).amendment


def rows_erased(document: bytes) -> int:
    """How many rows of a run were erased, by an amendment of it."""
    return _said.decode(document).rows_erased
