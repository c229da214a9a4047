"""The house: one word has one meaning, and whoever looks for a word finds a folder."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("lambdas", "cli", "project", "stacks", "local", "benchmarks")
MODULES_A_FOLDER = 15
FILES_OF_CORE = 8
NAMES_OF_THE_FIELD = {"paging", "landing", "loading", "pulling", "wiring"}
"""Words that end as a gerund does, and name a thing."""


def modules(*folders: str) -> list[Path]:
    return sorted(
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if "peers" not in path.parts
    )


def test_no_public_class_name_is_defined_twice() -> None:
    """`local` apart: its models of real things may bear the real things' names."""
    places = defaultdict(list)
    for path in modules("lambdas", "cli", "project", "stacks", "benchmarks"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_module_is_named_by_a_gerund() -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in modules(*PRODUCT)
        for name in (path.stem, path.parent.name)
        for word in [name.split("_")[-1]]
        if word.endswith("ing") and word not in NAMES_OF_THE_FIELD
    ]
    assert found == []


def test_no_folder_holds_more_than_fifteen_modules() -> None:
    held: dict[str, int] = defaultdict(int)
    for path in modules(*PRODUCT):
        if path.name != "__init__.py":
            held[str(path.parent.relative_to(ROOT))] += 1
    del held["cli/commands"]  # one a command
    too_full = {name: n for name, n in held.items() if n > MODULES_A_FOLDER}
    assert too_full == {}
    assert held["lambdas/core"] <= FILES_OF_CORE
