"""`python -m cli.runbook_index`: writes docs/runbooks/README.md from the rules.

With `--check` nothing is written; the exit code is 1 if the page is not what the
rules say.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lambdas.core.causes import RULES
from lambdas.core.causes.rule import Audience, Group, Rule

PAGE = Path(__file__).parents[1] / "docs" / "runbooks" / "README.md"

_INTRODUCTION = """\
# What to do about a verdict

`catflap diagnose` names one cause and what else holds. The causes in their order: the
first that holds is *the* cause, the others stand beside it. This page is generated
from the rules by `python -m cli.runbook_index`.
"""
_GROUPS = {
    Group.ALWAYS: "Bites as soon as there is data: the cause in any case",
    Group.OURS: "Known to be stuck on our way, while the table lacks what upstream has",
    Group.OURS_UNCONFIRMED: "The source is unknown, and our own side is seen to be at "
    "fault",
    Group.SOURCE: "The source",
    Group.REST: "Nothing else holds",
    Group.MONITOR: "The alerting itself",
    Group.NOTE: "Notes beside a verdict",
}


def page() -> str:
    """The whole page."""
    parts = [_INTRODUCTION]
    for group, title in _GROUPS.items():
        rows = [_row(rule) for rule in RULES if rule.group is group]
        head = "| code | stage | holds when | pages | tells |\n|---|---|---|---|---|"
        parts.append("\n".join([f"## {title}\n", head, *rows]) + "\n")
    return "\n".join(parts)


def _row(rule: Rule) -> str:
    stage = "" if rule.stage is None else rule.stage.value
    told = {frozenset(Audience): "both", frozenset(): "nobody"}.get(
        rule.tell, ", ".join(sorted(rule.tell))
    )
    return (
        f"| [`{rule.code}`]({rule.code}.md) | {stage} | {rule.condition} "
        f"| {rule.pages.value} | {told} |"
    )


def main(arguments: list[str]) -> int:
    """Write the page, or compare it."""
    if arguments == ["--check"]:
        same = PAGE.exists() and PAGE.read_text(encoding="utf-8") == page()
        if not same:
            print(
                f"{PAGE} is not what the rules say; run python -m cli.runbook_index",
                file=sys.stderr,
            )
        return 0 if same else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
