"""What texts tell people to type or open: commands, make targets, files, modules.

Texts are the pages of `docs/`, the README and every string of the product's code. A
command counts where it stands between backticks, in a console block, or behind
`Example:`; elsewhere "catflap" may begin a sentence.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PRODUCT = ("lambdas", "cli", "project", "stacks", "local")
PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md")
NOT_KNOWN = "…"
"""Stands for what an f-string fills in."""

_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_EXAMPLE = re.compile(r"Example: (catflap [^\n]*(?:\n-[^\n]*)*)")
_BLOCK = re.compile(r"```(?:console|shell|sh|bash)\n(.*?)```", re.DOTALL)
_HEREDOC = re.compile(r"<<'?(\w+)'?\n.*?\n\1", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Mention:
    """A piece of text that a person may type or open, and where it stands."""

    place: str
    text: str


def spans() -> Iterator[Mention]:
    """Whatever stands between backticks, or in a line of a console."""
    for place, text in texts():
        for block in _BLOCK.findall(text):
            joined = _HEREDOC.sub("", block).replace("\\\n", " ")
            for line in joined.splitlines():
                if line.startswith("$ "):
                    yield Mention(place, line[2:].strip())
        prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        yield from (
            Mention(place, " ".join(one.split())) for one in _SPAN.findall(prose)
        )
        for found in _EXAMPLE.findall(prose):
            for one in found.replace("\n", " ").split("; "):
                yield Mention(place, one)


@cache
def texts() -> tuple[tuple[str, str], ...]:
    """(place, text) of all pages and all strings of the product."""
    pages = [*ROOT.glob("docs/**/*.md"), *(ROOT / name for name in PAGES)]
    modules = [path for folder in PRODUCT for path in (ROOT / folder).rglob("*.py")]
    return (
        *(
            (str(path.relative_to(ROOT)), path.read_text())
            for path in sorted(pages)
            if path.is_file()
        ),
        *(
            (f"{path.relative_to(ROOT)}:{line}", text)
            for path in sorted(modules)
            for line, text in strings(path)
        ),
    )


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """Every string of a module, f-strings with … for what they fill in."""
    tree = ast.parse(path.read_text())
    inner = {
        part
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (
                str(part.value) if isinstance(part, ast.Constant) else NOT_KNOWN
                for part in node.values
            )
            yield node.lineno, "".join(parts)
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node not in inner
        ):
            yield node.lineno, node.value
