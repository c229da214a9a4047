"""Datasets for tests, as short as they can be."""

from __future__ import annotations

import json
from typing import Any

from lambdas.core.dataset import Dataset


def a_dataset(**changes: object) -> Dataset:
    """A valid dataset called `cats`; `changes` replace top-level keys."""
    document: dict[str, Any] = {
        "name": "cats",
        "description": "Every cat",
        "owner": {"team": "data-eng"},
        "source": {
            "client": {"base_url": "http://127.0.0.1:1/"},
            "endpoint": {"path": "cats", "incremental": {"cursor_path": "at"}},
        },
        "primary_key": ["id"],
        "write_disposition": "merge",
        "schedule": {"cron": "5 * * * ? *"},
    }
    return Dataset.model_validate_json(json.dumps(document | changes))


def incremental(**keys: object) -> dict[str, Any]:
    """A `source` whose cursor is `at`, with these further keys."""
    return {
        "client": {"base_url": "http://127.0.0.1:1/"},
        "endpoint": {"path": "cats", "incremental": {"cursor_path": "at", **keys}},
    }
