"""Which channels there are. A new one is a line here, and a file of its name in
`lambdas/adapters/channels/`, whose `make` opens it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from lambdas.core.incidents.incident import NoticeKind, Recipient

PEOPLE = frozenset({Recipient.ENGINEERS, Recipient.STAKEHOLDERS})

Routes = Mapping[Recipient, Sequence[str]]
"""The channels of each audience, by their names below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelOption:
    """A key beside a channel's secret in an environment."""

    description: str
    pattern: str
    default: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelKind:
    """Whom a channel reaches. With `needs_secret` its name is a key of an environment,
    which names the secret, and `options` are the keys beside it; without that key there
    is no such channel. `shows_incidents`: it shows an incident as it stands, and so is
    told what people add to it, of which others hear nothing. `by_owner`: it has a place
    for each owner, so that no message is of two owners' datasets. `pages_only`: it
    hears of pages, of what people do about them, and of their end.
    """

    audiences: frozenset[Recipient]
    needs_secret: bool = False
    shows_incidents: bool = False
    by_owner: bool = False
    pages_only: bool = False
    options: Mapping[str, ChannelOption] = field(default_factory=dict)


CHANNELS: Mapping[str, ChannelKind] = {
    "sns": ChannelKind(audiences=PEOPLE),
    "slack": ChannelKind(
        audiences=PEOPLE,
        needs_secret=True,
        shows_incidents=True,
        by_owner=True,
        options={
            "default_channel": ChannelOption(
                description="for datasets without their own channel, and for what "
                "concerns all of them",
                pattern=r"^(#[^\s#]{1,80}|[CG][A-Z0-9]{5,20})$",
            ),
            "command": ChannelOption(
                description="the slash command; if two apps in a workspace have the "
                "same one, the later one gets all",
                pattern=r"^/[a-z0-9_-]{1,31}$",
                default="/catflap",
            ),
        },
    ),
    "pagerduty": ChannelKind(
        audiences=frozenset({Recipient.ENGINEERS}),
        needs_secret=True,
        shows_incidents=True,
        pages_only=True,
        options={
            "host": ChannelOption(
                description="where events go; events.eu.pagerduty.com for accounts in "
                "the EU",
                pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$",
                default="events.pagerduty.com",
            )
        },
    ),
    "bus": ChannelKind(audiences=frozenset({Recipient.SYSTEMS})),
}


def configured(secrets: Collection[str]) -> list[str]:
    """The names of channels that there are, given those that have a secret."""
    return [
        name
        for name, kind in CHANNELS.items()
        if name in secrets or not kind.needs_secret
    ]


def routes(secrets: Collection[str]) -> Routes:
    """Which channels reach each audience."""
    return {
        audience: tuple(
            name for name in configured(secrets) if audience in CHANNELS[name].audiences
        )
        for audience in Recipient
    }


def is_by_owner(channel: str) -> bool:
    """Whether a channel has a place for each owner."""
    known = CHANNELS.get(channel)
    return known is not None and known.by_owner


_OF_A_PAGE = frozenset({NoticeKind.EDITED, NoticeKind.RESOLVED})


def is_told(channel: str, kind: NoticeKind, *, page: bool) -> bool:
    """Whether a channel hears of a notice of that kind."""
    known = CHANNELS.get(channel)
    if known is None:
        return kind is not NoticeKind.EDITED
    if known.pages_only and not page and kind not in _OF_A_PAGE:
        return False
    return kind is not NoticeKind.EDITED or known.shows_incidents
