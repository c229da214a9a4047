"""A report as notices: one for each channel of the engineers."""

from __future__ import annotations

from datetime import datetime

from lambdas.core.incidents.channels import Routes, is_told
from lambdas.core.incidents.incident import NoticeKind, Recipient
from lambdas.core.incidents.message import Message
from lambdas.core.incidents.notice import Notice


def report_notices(
    stem: str,
    message: Message,
    *,
    routes: Routes,
    now: datetime,
    team: str = "",
    address: str | None = None,
) -> tuple[Notice, ...]:
    """`stem` names the report and what it is of: the same one again is not told twice.
    Without an `address` it goes where all of the environment is told.
    """
    return tuple(
        Notice(
            notice_id=f"{stem}.{channel}",
            incident_id=stem,
            dataset="",
            kind=NoticeKind.DIGEST,
            audience=Recipient.ENGINEERS,
            channel=channel,
            page=False,
            cause=None,
            created_at=now,
            message=message,
            address=address,
            team=team,
        )
        for channel in routes.get(Recipient.ENGINEERS, ())
        if is_told(channel, NoticeKind.DIGEST, page=False)
    )
