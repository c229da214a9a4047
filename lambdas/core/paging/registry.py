"""All paginators there are: each module of `paginators` holds one."""

from __future__ import annotations

from lambdas.core.paging import paginators
from lambdas.core.paging.base import BasePaginator
from lambdas.core.registry import classes_of

_FOUND = classes_of(paginators, BasePaginator)  # type: ignore[type-abstract] # it is only looked for

PAGINATORS = tuple(sorted(_FOUND, key=lambda one: (one.rank, one.__name__)))
"""In the order in which `auto` tries them."""
