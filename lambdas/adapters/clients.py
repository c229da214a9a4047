"""AWS clients, made on first use and kept as long as the process."""

from __future__ import annotations

import atexit
import gc
from functools import cache
from typing import Any


@cache
def client(service: str) -> Any:  # noqa: ANN401 - each service has a type of its own
    """The client of one service, from the function's own role and region.

    boto3 takes half a second to import: a function that ends before it needs AWS, and
    whoever only looks at a handler, does without.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    import boto3  # noqa: PLC0415

    # Modules are no garbage: no collection looks at them, now or later.
    gc.freeze()
    atexit.register(gc.unfreeze)  # but at the end, or extension modules tell of leaks
    if was_enabled:
        gc.enable()
    return boto3.client(service)  # type: ignore[call-overload]  # the name is a variable
