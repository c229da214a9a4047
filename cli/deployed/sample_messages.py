"""A message to each place where people would be told, sent on request.

Sent with the rights of whoever asks, so that what fails may also be a right that only
the functions have; the sentence names what was refused.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import urllib3

from cli.deployed.preconditions import Precondition
from lambdas.adapters.channels.registry import Tools, channels
from lambdas.adapters.environment import SystemClock
from lambdas.adapters.event_bus import EventBus
from lambdas.adapters.secrets import SecretsManagerSecrets
from lambdas.adapters.slack.secret import SlackSecret
from lambdas.core.dataset import Catalogue, Owner
from lambdas.core.errors import CatflapError
from lambdas.core.incidents.channels import CHANNELS
from lambdas.core.incidents.groups import NoticeBatch
from lambdas.core.incidents.incident import NoticeKind, Recipient
from lambdas.core.incidents.message import Message
from lambdas.core.incidents.notice import Notice

if TYPE_CHECKING:
    from cli.deployed.environment import Deployed


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a message goes: a channel, an audience, and an owner's address in it."""

    channel: str
    audience: Recipient
    address: str | None = None

    def __str__(self) -> str:
        return f"{self.channel}, {self.address or self.audience.value}"


def sent(reached: Deployed, catalogue: Catalogue) -> Iterator[Precondition]:
    """Send one to each place; whether it was taken. A pager is paged and resolved."""
    clock = SystemClock()
    tools = _tools(reached)
    opened = channels(tools)
    owners = [one.owner for _, one in sorted(catalogue.datasets.items())]
    for place in places(list(opened), owners if _posts_to_owners(tools) else []):
        try:
            for notice in notices(place, reached.environment.name, now=clock.now()):
                batch = NoticeBatch(
                    batch_id=notice.notice_id,
                    notices=(notice,),
                    message=notice.message,
                )
                opened[place.channel].deliver(batch)
        except CatflapError as error:
            yield Precondition(
                what=f"message: {place}", state="bad", sentence=str(error)
            )
        else:
            yield Precondition(
                what=f"message: {place}",
                state="ok",
                sentence="taken; look for it there",
            )


def places(opened: Sequence[str], owners: Sequence[Owner]) -> Iterator[Destination]:
    """Each channel and audience, and each owner's address where there are such."""
    addresses = {
        Recipient.ENGINEERS: [one.slack for one in owners],
        Recipient.STAKEHOLDERS: [one.stakeholders for one in owners],
    }
    for name in opened:
        kind = CHANNELS[name]
        for audience, of_owners in addresses.items():
            if audience not in kind.audiences:
                continue
            yield Destination(channel=name, audience=audience)
            if kind.by_owner:
                for address in dict.fromkeys(filter(None, of_owners)):
                    yield Destination(channel=name, audience=audience, address=address)


def notices(place: Destination, environment: str, *, now: datetime) -> Iterator[Notice]:
    """What a place is sent: one, or where only pages are heard a page and its end."""
    pages = CHANNELS[place.channel].pages_only
    number = uuid.uuid4().hex[:12]
    text = (
        f"A test of catflap {environment}: {place.audience.value} are told here. "
        "Nothing is late."
    )
    first = Notice(
        notice_id=f"test-{number}.{place.channel}",
        incident_id=f"test-{number}",
        dataset="",
        kind=NoticeKind.OPENED if pages else NoticeKind.DIGEST,
        audience=place.audience,
        channel=place.channel,
        page=pages,
        cause=None,
        created_at=now,
        message=Message(headline=text),
        address=place.address,
    )
    yield first
    if pages:
        yield replace(first, kind=NoticeKind.RESOLVED, page=False)


def _posts_to_owners(tools: Tools) -> bool:
    """A webhook has one place for all."""
    name = tools.settings.secrets_of_channels.get("slack")
    if name is None:
        return False
    try:
        return SlackSecret(secrets=tools.secrets, name=name).is_app()
    except CatflapError:
        return False  # which each message says by itself


def _tools(reached: Deployed) -> Tools:
    found = dict.fromkeys(("Engineers", "Stakeholders"), "")
    stack = f"catflap-{reached.environment.name}-notifications"
    for page in reached.aws("sns").get_paginator("list_topics").paginate():
        for topic in page["Topics"]:
            name = topic["TopicArn"].rpartition(":")[2]
            for audience in found:
                if name.startswith(f"{stack}-{audience}"):
                    found[audience] = topic["TopicArn"]
    settings = reached.settings.model_copy(
        update={
            "engineers_topic_arn": found["Engineers"],
            "stakeholders_topic_arn": found["Stakeholders"],
        }
    )
    return Tools(
        settings=settings,
        sns=reached.aws("sns"),
        dynamodb=reached.aws("dynamodb"),
        events=EventBus(events=reached.aws("events"), bus=settings.event_bus),
        http=urllib3.PoolManager(),
        secrets=SecretsManagerSecrets(client=lambda: reached.aws("secretsmanager")),
        clock=SystemClock(),
    )
