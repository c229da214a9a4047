"""Rows of sources as dlt's rest_api brings them; runs in the peers' venv.

Reads one JSON document a line, `{"base_url", "endpoint", "pulls", "folder"}`, and
answers each with a line: `{"rows": [text, …]}` or `{"error": type}`. Rows are JSON as
dlt wrote it, so that every digit that is left is compared.
"""

import gzip
import json
import os
import sys
from pathlib import Path

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "CRITICAL"
os.environ["RUNTIME__REQUEST_MAX_ATTEMPTS"] = "1"

import dlt
from dlt.sources.rest_api import rest_api_source


def rows_of(job: dict[str, object]) -> list[str]:
    folder = Path(str(job["folder"]))
    pulls = int(str(job["pulls"]))
    endpoint = job["endpoint"]
    # a cursor's state is a pipeline's: without one of its own, it is the last one's
    if pulls == 1 and isinstance(endpoint, dict) and "incremental" not in endpoint:
        source = _source(job, 0)
        return [dlt.common.json.dumps(row) for row in source.resources["cats"]]
    for number in range(pulls):
        # one pipeline, whose state goes on from pull to pull
        pipeline = dlt.pipeline(
            pipeline_name="cats",
            pipelines_dir=str(folder / "state"),
            destination=dlt.destinations.filesystem(folder.as_uri()),
            dataset_name="out",
        )
        pipeline.run(_source(job, number), loader_file_format="jsonl")
    found = []
    for file in sorted(folder.glob("out/cats/*")):
        body = file.read_bytes()
        body = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        for line in body.decode().splitlines():
            row = json.loads(line)
            found.append(json.dumps({k: v for k, v in row.items() if "_dlt" not in k}))
    return found


def _source(job: dict[str, object], number: int) -> object:
    endpoint = json.loads(json.dumps(job["endpoint"]))
    return rest_api_source(
        {
            "client": {"base_url": job["base_url"], "headers": {"X-Pull": str(number)}},
            "resources": [{"name": "cats", "endpoint": {"path": "cats", **endpoint}}],
        }
    )


def main() -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # dlt prints; only answers go to stdout
    for line in sys.stdin:
        try:
            answer = {"rows": rows_of(json.loads(line))}
        except Exception as error:  # noqa: BLE001 - what it fails by is the answer
            cause = error.__cause__ or error
            answer = {"error": f"{type(cause).__name__}: {cause}"}
        print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    main()
