"""The project that drills are made on: two datasets with an API each.

`cats` has a cursor of times and says how to ask for its newest record; `dogs` has a
cursor of numbers, and what is new upstream has to be found by its endpoint. What is
broken for one of them must not be said of the other.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

ENVIRONMENT = "drill"
DATASETS = ("cats", "dogs")
PULL_EVERY = timedelta(hours=1)
CHECK_EVERY = timedelta(minutes=10)
WARN_AFTER = timedelta(hours=2)
ERROR_AFTER = timedelta(hours=3)
SECRETS = {name: f"{name}-api" for name in DATASETS}

_ENVIRONMENT = """
account: "000000000000"
region: us-east-1
snowflake:
  account: example-drill
  database: CATFLAP_DRILL
  warehouse: CATFLAP_DRILL
  authenticator: workload_identity
  admin: {user: CATFLAP_DRILL_ADMIN, role: CATFLAP_DRILL_ADMIN}
  reader: {user: CATFLAP_DRILL_READER, role: CATFLAP_DRILL_READER}
slack: {secret: catflap/slack}
teams: {data-eng: {}}
schedule_stacks: 1
max_concurrent_pulls: 2
check_every_minutes: 10
keep_data: false
"""

_API = """
base_url: %(base_url)s
auth: {type: bearer, token: "secret:%(secret)s#token"}
paginator: {type: json_link, next_url_path: next}
retry: {max_attempts: 2, backoff_factor: 0, max_delay: 1}
timeout: 10
"""

_DATASET = """
description: Every one of the %(name)s that passed the flap
owner: {team: data-eng, slack: "#data-eng", stakeholders: "#%(name)s-people"}
source:
  client: %(name)s
  endpoint:
    path: %(name)s
    params: {since: "{incremental.start_value}"}
    data_selector: rows
    incremental: %(incremental)s
primary_key: [id]
write_disposition: merge
schedule: {cron: "5 * * * ? *", timezone: UTC}
columns: {id: integer, name: string, seen_at: timestamp}
freshness:
  loaded_at_field: seen_at
  warn_after: {count: 2, period: hour}
  error_after: {count: 3, period: hour}
  # Each drill is an incident of its own, whatever was broken before it.
  reopen_within: {count: 1, period: minute}
"""

_INCREMENTAL = {
    "cats": '{cursor_path: seen_at, initial_value: "2026-01-01T00:00:00Z"}',
    "dogs": "{cursor_path: id, initial_value: 0}",
}
_PROBES = {
    "cats": "  probe: {path: cats, params: {newest: 1}, newest_at: 'rows[0].seen_at'}\n"
}


def write_project(root: Path, *, base_urls: dict[str, str]) -> None:
    """Write environments/, apis/ and datasets/ below `root`."""
    for folder in ("environments", "apis", "datasets"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "environments" / f"{ENVIRONMENT}.yaml").write_text(_ENVIRONMENT)
    for name in DATASETS:
        api = _API % {"base_url": base_urls[name], "secret": SECRETS[name]}
        dataset = _DATASET % {"name": name, "incremental": _INCREMENTAL[name]}
        (root / "apis" / f"{name}.yaml").write_text(api)
        (root / "datasets" / f"{name}.yaml").write_text(dataset + _PROBES.get(name, ""))
