"""Valid YAML for tests, and folders that hold it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

API = """\
base_url: http://127.0.0.1:1/v1/
headers: {Accept: application/json}
auth: {type: bearer, token: secret:cats#token}
paginator: {type: json_link, next_url_path: next}
rate_limit: {requests: 10, period: second}
retry: {max_attempts: 5, backoff_factor: 1, max_delay: 300}
timeout: 60
"""

DATASET = """\
description: Every cat
owner: {team: data-eng, slack: "#data-eng"}
source:
  client: cats
  endpoint:
    path: cats.json
    params: {since: "{incremental.start_value}"}
    data_selector: rows
    response_actions:
      - {status_code: 404, action: ignore}
    incremental:
      cursor_path: at
      initial_value: "2013-01-01T00:00:00Z"
primary_key: [id]
write_disposition: merge
schedule: {cron: "5 * * * ? *", timezone: America/New_York}
columns:
  id: integer
  fur: {type: string, personal: false}
freshness:
  loaded_at_field: at
  warn_after: {count: 3, period: hour}
  error_after: {count: 6, period: hour}
"""


def folders(
    root: Path,
    *,
    datasets: Mapping[str, str] | None = None,
    apis: Mapping[str, str] | None = None,
) -> tuple[Path, Path]:
    """Write files by name; `cats.yaml` in each folder if nothing else is asked for."""
    written = {
        "datasets": {"cats.yaml": DATASET} if datasets is None else datasets,
        "apis": {"cats.yaml": API} if apis is None else apis,
    }
    for folder, files in written.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (root / folder / name).write_text(text)
    return root / "datasets", root / "apis"


def changed(text: str, old: str, new: str) -> str:
    """`text` with its one `old` replaced."""
    assert text.count(old) == 1, f"{old!r} stands there {text.count(old)} times"
    return text.replace(old, new)
