"""Mentions: `@handle` and ids become what Slack reads as one.

`@data-oncall` in a text mentions nobody; a user group is mentioned by its id
("Formatting text for app surfaces", mentioning). Ids are looked up after a deploy and
once a day, so that a page needs no answer but its own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from lambdas.core.dataset import Dataset

_ALL = {"@here": "<!here>", "@channel": "<!channel>", "@everyone": "<!everyone>"}


_PERSON = re.compile(r"[UW][A-Z0-9]{3,20}")


def is_person(address: str) -> bool:
    """Whether it is a person's id, such as of who reported something."""
    return _PERSON.fullmatch(address) is not None


def handles_in(mention: str) -> tuple[str, ...]:
    """The user groups' handles, without the sign, that have to be looked up."""
    words = re.split(r"[ ,]+", mention)
    return tuple(one[1:] for one in words if one.startswith("@") and one not in _ALL)


def handles_of(datasets: Iterable[Dataset]) -> frozenset[str]:
    """All that owners name."""
    named = {one.owner.mention for one in datasets if one.owner.mention}
    return frozenset(handle for one in named for handle in handles_in(one))


@dataclass(frozen=True, slots=True, kw_only=True)
class UserGroups:
    """What Slack said of the handles that owners name: ids by handle, and those of
    which there is no group. `fault` is why it last said nothing; what it said before
    stands then.
    """

    asked_at: datetime
    ids: Mapping[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    fault: str = ""

    @property
    def handles(self) -> frozenset[str]:
        """Those that were looked up."""
        return frozenset((*self.ids, *self.unknown))


class UserGroupMemory(Protocol):
    """Where it is remembered."""

    def read(self) -> UserGroups | None:
        """What is remembered; None: nobody has asked yet."""

    def keep(self, groups: UserGroups) -> None:
        """In place of what was."""


def mentioned(mention: str, groups: Mapping[str, str], none: Collection[str]) -> str:
    """In Slack's syntax; `groups` are ids by handle. A handle that is not among them
    is named, and said to be none if it is among `none`.
    """
    return " ".join(_one(word, groups, none) for word in re.split(r"[ ,]+", mention))


def _one(word: str, groups: Mapping[str, str], none: Collection[str]) -> str:
    if word in _ALL:
        return _ALL[word]
    if not word.startswith("@"):
        return f"<!subteam^{word}>" if word.startswith("S") else f"<@{word}>"
    if word[1:] in groups:
        return f"<!subteam^{groups[word[1:]]}>"
    if word[1:] in none:
        return f"{word} (no user group of this workspace; see `owner.mention`)"
    return f"{word} (not mentioned: Slack could not be asked for user groups)"
