"""A report for a team, as notices: each channel of its hears of its own datasets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lambdas.core.dataset import Dataset
from lambdas.core.incidents.channels import CHANNELS, Routes, is_told
from lambdas.core.incidents.context import context_of
from lambdas.core.incidents.incident import NoticeKind, Recipient
from lambdas.core.incidents.message import Message
from lambdas.core.incidents.notice import Notice
from lambdas.core.schedule.zones import zone

ADDRESSES = 30
"""Slack channels of a team with a report of their own; what has another channel is told
in the default one. All of a report is one transaction (DynamoDB: 100 writes, 4 MB).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamReport:
    """What a team hears of its datasets on a day (YYYY-MM-DD); `says` has what each
    audience reads of some of them, None being nothing.
    """

    kind: NoticeKind
    team: str
    day: str
    datasets: Sequence[Dataset]
    says: Mapping[Recipient, Callable[[Sequence[Dataset]], Message | None]]

    def notices(self, *, routes: Routes, now: datetime) -> tuple[Notice, ...]:
        """One for each audience and channel that it has something for."""
        found = (
            self._notice(audience, channel, address, datasets, now)
            for audience in self.says
            for channel in routes.get(audience, ())
            if is_told(channel, self.kind, page=False)
            for address, datasets in self._parts(audience, channel)
        )
        return tuple(one for one in found if one is not None)

    def _parts(
        self, audience: Recipient, channel: str
    ) -> Iterator[tuple[str | None, Sequence[Dataset]]]:
        """What each address of a channel is told of."""
        known = CHANNELS.get(channel)
        by_owner = known is not None and known.by_owner
        groups: defaultdict[str | None, list[Dataset]] = defaultdict(list)
        for dataset in self.datasets:
            address = context_of(dataset).address_of(audience) if by_owner else None
            is_one_more = address not in groups and len(groups) >= ADDRESSES
            groups[None if is_one_more else address].append(dataset)
        yield from groups.items()

    def _notice(
        self,
        audience: Recipient,
        channel: str,
        address: str | None,
        datasets: Sequence[Dataset],
        now: datetime,
    ) -> Notice | None:
        message = self.says[audience](datasets)
        if message is None:
            return None
        stem = f"{self.kind.value}-{self.team}-{self.day}-{audience.value}"
        return Notice(
            notice_id=".".join(filter(None, [stem, channel, address])),
            incident_id=stem,
            dataset="",
            kind=self.kind,
            audience=audience,
            channel=channel,
            page=False,
            cause=None,
            created_at=now,
            message=message,
            address=address,
            team=self.team,
        )


def day_of(due_at: datetime, timezone: str) -> str:
    """The day of a report on its team's calendar (YYYY-MM-DD)."""
    return due_at.astimezone(zone(timezone)).date().isoformat()
