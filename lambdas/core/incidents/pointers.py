"""What a message points to, so that whoever reads it can follow it.

Texts name a runbook by its path in the project, and a command without its environment.
Where they leave, the path becomes a link, if the environment says where the pages are,
and the command names the environment.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass

from lambdas.core.incidents.message import Block, Message
from lambdas.core.incidents.notice import Notice

DEPLOYED = frozenset(
    {
        "backfill", "checks", "diagnose", "erase", "history", "incident", "incidents",
        "quarantine", "replay", "reset", "runs", "sql", "status",
    }
)  # fmt: skip
"""Commands that ask a deployed environment."""
_PAGE = re.compile(r"docs/(?:runbooks/(?P<cause>\w+)|[\w/-]+)\.md")
_COMMAND = re.compile(r"\x60catflap (?P<name>[a-z-]+)(?P<rest>[^`]*)`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointers:
    """Where an environment's pages are, and its name; None leaves texts as they are.

    `runbook_url` holds `{cause}`.
    """

    environment: str | None = None
    runbook_url: str | None = None
    repository_url: str | None = None

    def in_notice(self, notice: Notice) -> Notice:
        """The notice, with what it says to its readers."""
        return dataclasses.replace(
            notice,
            message=self._in_message(notice.message),
            news=self.in_text(notice.news),
        )

    def in_text(self, text: str) -> str:
        """`text`, with links and whole commands."""
        if "docs/" in text:
            text = _PAGE.sub(self._link, text)
        if self.environment is not None and "`catflap " in text:
            text = _COMMAND.sub(self._command, text)
        return text

    def _in_message(self, message: Message) -> Message:
        return Message(
            headline=message.headline, blocks=tuple(map(self._in_block, message.blocks))
        )

    def _in_block(self, one: Block) -> Block:
        return dataclasses.replace(one, lines=tuple(map(self.in_text, one.lines)))

    def _link(self, page: re.Match[str]) -> str:
        if page["cause"] is not None and self.runbook_url is not None:
            return self.runbook_url.replace("{cause}", page["cause"])
        if self.repository_url is None:
            return page[0]
        return f"{self.repository_url.rstrip('/')}/blob/HEAD/{page[0]}"

    def _command(self, command: re.Match[str]) -> str:
        if command["name"] not in DEPLOYED or "--env" in command["rest"]:
            return command[0]
        return f"`catflap {command['name']}{command['rest']} --env {self.environment}`"
