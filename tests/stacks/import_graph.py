"""What a handler can reach by imports, those for type checking left out."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import grimp

import app

CHANNELS = "lambdas.adapters.channels"


@cache
def _graph() -> grimp.ImportGraph:
    return grimp.build_graph(
        "lambdas", cache_dir=None, exclude_type_checking_imports=True
    )


def modules_below(handler: str) -> set[str]:
    """The handler's module and all it imports, at once or later; channels are opened
    by their names.
    """
    found = {handler, *_graph().find_upstream_modules(handler)}
    if f"{CHANNELS}.registry" in found:
        for channel in _graph().find_children(CHANNELS):
            found |= {channel, *_graph().find_upstream_modules(channel)}
    return found


def file_of(module: str) -> Path:
    """Where a module stands, from the repository's root."""
    path = Path(*module.split("."))
    file = path.with_suffix(".py")
    return file if (app.ROOT / file).is_file() else path / "__init__.py"
