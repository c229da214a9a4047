"""Mentions: `@handle` and ids become what Slack reads as one.

`@data-oncall` in a text mentions nobody; a user group is mentioned by its id
("Formatting text for app surfaces", mentioning).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_ALL = {"@here": "<!here>", "@channel": "<!channel>", "@everyone": "<!everyone>"}


def handles_in(mention: str) -> tuple[str, ...]:
    """The user groups' handles, without the sign, that have to be looked up."""
    words = re.split(r"[ ,]+", mention)
    return tuple(one[1:] for one in words if one.startswith("@") and one not in _ALL)


def mentioned(mention: str, groups: Mapping[str, str]) -> str:
    """In Slack's syntax; `groups` are ids by handle. A handle that is not among them
    is named, and said to be none.
    """
    return " ".join(_one(word, groups) for word in re.split(r"[ ,]+", mention))


def _one(word: str, groups: Mapping[str, str]) -> str:
    if word in _ALL:
        return _ALL[word]
    if not word.startswith("@"):
        return f"<!subteam^{word}>" if word.startswith("S") else f"<@{word}>"
    if word[1:] in groups:
        return f"<!subteam^{groups[word[1:]]}>"
    return f"{word} (no user group of this workspace; see `owner.mention`)"
