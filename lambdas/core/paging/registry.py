"""All paginators there are: each module of `paginators` that holds one is found."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from lambdas.core.paging import paginators
from lambdas.core.paging.base import BasePaginator


def _found() -> tuple[type[BasePaginator], ...]:
    found: list[type[BasePaginator]] = []
    for module in iter_modules(paginators.__path__):
        name = f"{paginators.__name__}.{module.name}"
        found += [
            one
            for one in vars(import_module(name)).values()
            if isinstance(one, type)
            and issubclass(one, BasePaginator)
            and one.__module__ == name
            and "type" in one.model_fields
        ]
    return tuple(sorted(found, key=lambda one: (one.rank, one.__name__)))


PAGINATORS = _found()
"""In the order in which `auto` tries them."""
