"""What moto does slowly for each request, done once or for less: no answer differs.

Imports moto, which reads the environment when it is imported: only for
`local.aws.cloud_server`, once that is set. Each of these was found in a profile of a
replay, whose requests are many and small.
"""

from __future__ import annotations

import copy
import gc
import inspect
from functools import cache
from typing import Any

from moto import backends
from moto.core import responses, utils
from moto.dynamodb.models.table import Table

GARBAGE_THRESHOLDS = (50_000, 20, 100)
"""Nearly all a request makes is freed by its reference count; the many objects that
stay (services' models, state) are walked through by each full collection."""


def install() -> None:
    """In this process, once moto's services are imported."""
    _look_up_services_once()
    _look_up_methods_once()
    _query_one_partition()


def settle() -> None:
    """Leave out of garbage collections what is there by now."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def _look_up_services_once() -> None:
    """It lists its own folders for each request."""
    known = tuple(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: iter(known)


def _look_up_methods_once() -> None:
    """It asks each class for all its members, for each request."""
    responses.method_names_from_class = cache(utils.method_names_from_class)  # type: ignore[attr-defined]  # the name moto imported


def _query_one_partition() -> None:
    """It sorts the whole table for each query, also for those of one hash key."""
    query = Table.query
    place = list(inspect.signature(query).parameters).index("index_name")

    def query_partition(self: Table, *positional: Any, **named: Any) -> Any:  # noqa: ANN401 - as moto's
        given = (self, *positional)
        index = given[place] if len(given) > place else named.get("index_name")
        hash_key = positional[0] if positional else None
        if index is not None or hash_key is None or not self.range_key_attr:
            return query(self, *positional, **named)
        partition: Any = self.items.get(hash_key)
        narrow = copy.copy(self)
        narrow.items = {hash_key: partition} if partition else {}  # type: ignore[assignment]  # moto's type is that of a table without range keys
        return query(narrow, *positional, **named)

    Table.query = query_partition  # type: ignore[method-assign]
