"""Calls that a policy allows which was made a moment ago."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.core.ports import Clock

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 120.0
"""In all, for the policy to count."""


def once_allowed(
    call: Callable[[], object],
    *,
    clock: Clock,
    refusals: tuple[HTTPStatus, ...] = (HTTPStatus.FORBIDDEN,),
) -> None:
    """Make the call, and again while it is refused and the policy may not count yet.

    Raises BotoCoreError, ClientError.
    """
    wait_s, until_s = FIRST_WAIT_S, clock.monotonic() + LONGEST_WAIT_S
    while True:
        try:
            call()
        except (BotoCoreError, ClientError) as error:
            if status(error) not in refusals or clock.monotonic() + wait_s > until_s:
                raise
            clock.sleep(wait_s)
            wait_s *= 2
        else:
            return


def status(error: BotoCoreError | ClientError) -> int | None:
    """The HTTP status of a refusal; None if nobody answered."""
    if not isinstance(error, ClientError):
        return None
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
