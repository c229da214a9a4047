"""Datasets made up for tests, in any number."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from lambdas.core.dataset import Catalogue, catalogue_from_json


def catalogue_of(
    names: Iterable[str], *, beside: Mapping[str, object] | None = None
) -> Catalogue:
    """A catalogue of small datasets, each with the keys in `beside` as well."""
    return catalogue_from_json(
        json.dumps(
            {
                "datasets": {
                    name: {
                        "name": name,
                        "description": "made up",
                        "owner": {"team": "data-eng"},
                        "source": {
                            "client": {"base_url": "https://api.example.com/"},
                            "endpoint": {"path": name},
                        },
                        "schedule": {"rate": "1 hour"},
                        **(beside or {}),
                    }
                    for name in names
                }
            }
        )
    )
