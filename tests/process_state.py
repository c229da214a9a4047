"""What all tests of one process share, and none may leave changed behind."""

from __future__ import annotations

import decimal
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import time_machine

OURS = "catflap"
"""Above every logger of the Lambdas."""

KEPT_BY_A_WARM_FUNCTION = (
    ("lambdas.adapters.clients", "client"),
    ("lambdas.adapters.catalogue", "published"),
    ("lambdas.freshness.wiring", "_secrets"),
    ("lambdas.freshness.wiring", "warehouse"),
    ("lambdas.repair.wiring", "warehouse"),
)
"""Made of the environment once, and wrong in the next test's environment."""

PYTESTS_OWN = ("PYTEST_CURRENT_TEST",)

OF_A_PERSON = ("AWS_", "CATFLAP_", "CDK_", "POWERTOOLS_", "SNOWFLAKE_")
"""How the variables begin that a person sets for what is deployed."""

OF_A_TERMINAL = ("COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR")

OF_A_RUN = ("CATFLAP_USED_GRANTS",)
"""What `make grants` asks the tests to write down."""

NOWHERE = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
}
"""That no profile of a person is read, and no loopback server asked through a proxy."""

THREADS_OF_OTHERS = ("process.stderr_sink", "(process_request_thread)")
"""That read what jsii's Node says, once for all tests, and that serve a connection
which its client keeps, of a server that several tests share.
"""

THREADS_END_WITHIN_S = 60
"""What was asked to end does so at once, but on a busy machine; what has not by then
was not asked, or hangs."""


def found() -> dict[str, Any]:
    """The state, by what to call it."""
    root, decimals = logging.getLogger(), decimal.getcontext()
    return {
        "variables": {
            name: value for name, value in os.environ.items() if name not in PYTESTS_OWN
        },
        "working directory": os.getcwd(),  # noqa: PTH109 - a text is quicker to get
        "sys.path": list(sys.path),
        "disabled logging": root.manager.disable,
        "the root logger's level": root.level,
        "the root logger's handlers": [
            one for one in root.handlers if not _is_pytests(one)
        ],
        "signal handlers": [
            signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)
        ],
        "decimal context": (decimals.prec, decimals.rounding, decimals.traps),
        "a moved clock": time_machine.escape_hatch.is_travelling(),
        "what a warm function keeps": _kept(),
    }


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What is not as it was; of variables the names, since a value may be a secret."""
    told = []
    for name, was in before.items():
        now = after[name]
        if now == was:
            continue
        if isinstance(was, dict):
            differing = {key for key, _ in was.items() ^ now.items()}
            told.append(f"{name}: {', '.join(sorted(differing))}")
        else:
            told.append(f"{name}: {was!r} before, {now!r} after")
    return told


def environment_of_tests(variables: Mapping[str, str]) -> dict[str, str]:
    """`variables` without those that say which AWS, Snowflake or terminal is meant."""
    kept = {
        name: value
        for name, value in variables.items()
        if name in OF_A_RUN or not name.startswith((*OF_A_PERSON, *OF_A_TERMINAL))
    }
    return {**kept, **NOWHERE}


def threads_that_stay(before: set[threading.Thread]) -> list[str]:
    """The names of threads that were started since and do not end, once each other has:
    what it does meanwhile, it does to the next test.
    """
    give_up_s = time.monotonic() + THREADS_END_WITHIN_S
    started = [
        one
        for one in threading.enumerate()
        if one not in before and not one.name.endswith(THREADS_OF_OTHERS)
    ]
    for one in started:
        one.join(max(0.0, give_up_s - time.monotonic()))
    return [one.name for one in started if one.is_alive()]


@contextmanager
def logging_as_outside_lambda() -> Iterator[None]:
    """Our loggers without what a handler's import sets: that they end at its stream.

    What was is put back, for a handler is imported once a process.
    """
    logger = logging.getLogger(OURS)
    handlers = [one for one in logger.handlers if not _is_pytests(one)]
    before = (logger.propagate, logger.level, handlers, logger.filters)
    logger.propagate, logger.handlers, logger.filters = True, [], []
    logger.setLevel(logging.NOTSET)
    try:
        yield
    finally:
        logger.propagate, level, logger.handlers, logger.filters = before
        logger.setLevel(level)


def _is_pytests(handler: logging.Handler) -> bool:
    """It attaches its own anew for each phase of a test, and takes them off again."""
    return type(handler).__module__ == "_pytest.logging"


def _kept() -> dict[str, int]:
    """How many objects each cache holds, of modules that are imported."""
    return {
        f"{module}.{name}": size
        for module, name in KEPT_BY_A_WARM_FUNCTION
        if module in sys.modules
        and (size := getattr(sys.modules[module], name).cache_info().currsize)
    }
