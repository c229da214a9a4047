"""Looks up the user groups that owners name: after a deploy, and once a day."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

from lambdas.core.errors import DeliveryError
from lambdas.core.slack.mentions import UserGroupMemory, UserGroups

LOG = logging.getLogger("catflap.freshness.mentions")

EVERY = timedelta(days=1)
AGAIN = timedelta(hours=1)
"""After Slack gave no answer."""


class MentionWatch:
    """Asks Slack, and remembers what it said; `check --env` tells what is unknown."""

    def __init__(
        self,
        *,
        handles: Collection[str],
        groups: Callable[[], Mapping[str, str] | None],
        memory: UserGroupMemory,
        has_time: Callable[[], bool],
    ) -> None:
        """`groups` are ids by handle, None where nothing mentions anybody; it raises
        DeliveryError.
        """
        self._handles = frozenset(handles)
        self._groups = groups
        self._memory = memory
        self._has_time = has_time

    def look(self, now: datetime) -> tuple[()]:
        """Look up what owners name, if it is time. Raises what the memory raises.

        Nobody is told: a page says it where it would mention, `check --env` before.
        """
        if not self._handles or not self._has_time():
            return ()
        before = self._memory.read()
        if before is not None and not self._is_due(before, now):
            return ()
        found = self._asked(before, now)
        if found is not None:
            self._memory.keep(found)
        return ()

    def _is_due(self, before: UserGroups, now: datetime) -> bool:
        every = AGAIN if before.fault else EVERY
        is_other = not before.fault and before.handles != self._handles
        return is_other or now - before.asked_at >= every

    def _asked(self, before: UserGroups | None, now: datetime) -> UserGroups | None:
        try:
            known = self._groups()
        except DeliveryError as error:
            LOG.warning("owners' user groups could not be looked up: %s", error)
            ids = {} if before is None else before.ids
            unknown = () if before is None else before.unknown
            return UserGroups(asked_at=now, ids=ids, unknown=unknown, fault=str(error))
        if known is None:
            return None
        ids = {name: known[name] for name in sorted(self._handles) if name in known}
        unknown = tuple(sorted(self._handles - set(ids)))
        if unknown:
            LOG.warning("no user groups of the workspace: %s", ", ".join(unknown))
        return UserGroups(asked_at=now, ids=ids, unknown=unknown)
