"""What is added by one file of a package: the classes in its modules are found."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import TypeVar

Found = TypeVar("Found")


def classes_of(package: ModuleType, base: type[Found]) -> list[type[Found]]:
    """The public subclasses of `base` in modules of `package`, by module name."""
    names = [f"{package.__name__}.{one.name}" for one in iter_modules(package.__path__)]
    return [
        one
        for name in names
        for one in vars(import_module(name)).values()
        if isinstance(one, type)
        and issubclass(one, base)
        and one.__module__ == name
        and not one.__name__.startswith("_")
    ]
