"""Which channels there are. A new one is a line here, and a file of its name in
`lambdas/adapters/channels/`, whose `make` opens it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lambdas.core.incidents.incident import Recipient
from lambdas.core.incidents.notice import Routes

PEOPLE = frozenset({Recipient.ENGINEERS, Recipient.STAKEHOLDERS})


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelKind:
    """Whom a channel reaches. With `needs_secret` its name is a key of an environment,
    which names the secret; without that key there is no such channel.
    """

    audiences: frozenset[Recipient]
    needs_secret: bool = False


CHANNELS: Mapping[str, ChannelKind] = {
    "sns": ChannelKind(audiences=PEOPLE),
    "slack": ChannelKind(audiences=PEOPLE, needs_secret=True),
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
