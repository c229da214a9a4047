"""What the docs say is so: links lead somewhere, and tests hold what is promised."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
_LINK = re.compile(
    r"(?<!\!)\[[^\]]*\]\((?P<to>[^)\s]+)\)|!\[[^\]]*\]\((?P<image>[^)\s]+)\)"
)
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_TEST = re.compile(r"`(?P<file>tests/[\w/]+\.py)::(?P<name>\w+)`")


def pages() -> list[Path]:
    """Every page of the project that people read."""
    found = set(ROOT.glob("*.md"))
    for folder in ("docs", "local", "benchmarks", "tests"):
        found |= set((ROOT / folder).rglob("*.md"))
    return sorted(
        path.relative_to(ROOT) for path in found if "node_modules" not in path.parts
    )


@cache
def anchors(page: Path) -> frozenset[str]:
    """What GitHub calls the headings of a page."""
    text = _FENCE.sub("", page.read_text())
    counts: dict[str, int] = {}
    names = set()
    for heading in _HEADING.findall(text):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        again = counts.get(slug, 0)
        counts[slug] = again + 1
        names.add(f"{slug}-{again}" if again else slug)
    return frozenset(names)


def links(page: Path) -> Iterator[str]:
    text = _FENCE.sub("", (ROOT / page).read_text())
    for match in _LINK.finditer(text):
        yield match["to"] or match["image"]


@pytest.mark.parametrize("page", pages(), ids=str)
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = []
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        if not target.exists() or (
            anchor and target.suffix == ".md" and anchor not in anchors(target)
        ):
            lost.append(link)
    assert not lost


_WEB = re.compile(r"\b[a-z][a-z+.-]*://[^\s)\]`\"'<>,|}]+")


def is_web_link(link: str) -> bool:
    """Whether it has the form of one that a reader can follow: https with a host, or
    http on this machine. Whether somebody answers there, no test asks.
    """
    parts = urlsplit(link)
    host = parts.hostname or ""
    if parts.scheme == "http":
        return host == "127.0.0.1"
    is_host = re.fullmatch(r"([a-z0-9-]+\.)+[a-z]{2,}", host) is not None
    return parts.scheme == "https" and is_host and link[-1] not in ".;:"


@pytest.mark.parametrize("page", pages(), ids=str)
def test_every_web_link_has_the_form_of_one(page: Path) -> None:
    text = _FENCE.sub("", (ROOT / page).read_text())
    linked = [link for link in links(page) if re.match(r"[a-z]+:", link)]
    bare = [
        one.rstrip(".;:…")
        for one in _WEB.findall(text)
        if one.startswith(("http://", "https://"))
    ]
    assert [one for one in linked + bare if not is_web_link(one)] == []


@pytest.mark.parametrize(
    "link",
    [
        "http://example.com/", "https://localhost/", "https://semver", "htps://a.org",
        "https:/semver.org/", "mailto:ann@example.com", "https://semver.org/.",
    ],
)  # fmt: skip
def test_what_is_no_web_link_is_found(link: str) -> None:
    assert not is_web_link(link)


def test_a_heading_is_called_as_github_calls_it(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A `dataset` is *one* file\n```\n# no heading\n```\n## A\n## A\n")
    assert anchors(page) == {"a-dataset-is-one-file", "a", "a-1"}


@cache
def functions_of(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text())
    return frozenset(
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)
    )


def test_each_sentence_on_security_has_the_test_that_holds_it() -> None:
    rows = [
        line
        for line in (ROOT / "docs/security.md").read_text().splitlines()
        if line.startswith("|") and not line.startswith(("|---", "| what holds"))
    ]
    assert len(rows) >= 20
    for row in rows:
        named = _TEST.search(row)
        assert named, f"no test in: {row}"
        assert (ROOT / named["file"]).is_file(), row
        assert named["name"] in functions_of(named["file"]), row


def test_decisions_are_numbered_and_have_a_status_and_a_date() -> None:
    text = (ROOT / "docs/decisions/README.md").read_text()
    decisions = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    status = re.compile(r"(Accepted|Open|Superseded by \d+), \d{4}-\d{2}-\d{2}\.")
    for number, decision in enumerate(decisions, start=1):
        title, second, *_ = decision.splitlines()
        assert title.startswith(f"{number}. "), title
        assert status.match(second), title


def test_the_newest_release_in_the_changelog_is_the_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    sections = re.findall(
        r"^## \[(.+?)\](?: - (\d{4}-\d{2}-\d{2}))?$", text, re.MULTILINE
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert sections[0] == ("Unreleased", "")
    assert sections[1][0] == project["version"]
    assert all(date for _, date in sections[1:])
    kinds = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    for name, _ in sections:
        assert f"\n[{name}]: https://" in text


def first_cells(section: str, head: str) -> list[str]:
    """The first column of the table below `head`."""
    _, _, after = section.partition(head)
    rows = after.strip().splitlines()[1:]
    cells = []
    for row in rows:
        if not row.startswith("|"):
            break
        cells.append(row.split("|")[1])
    return cells


def named(cells: list[str]) -> list[str]:
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def test_the_map_of_the_house_is_the_house() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    folders = named(first_cells(text, "| folder | holds |\n"))
    missing = [name for name in folders if not (ROOT / name).is_dir()]
    assert not missing
    slices = {f"lambdas/{one}/" for one in folders_of(ROOT / "lambdas")}
    assert slices <= set(folders)
    top = {f"{one}/" for one in folders_of(ROOT)}
    assert top <= {*folders, "lambdas/", "docs/"}


def folders_of(folder: Path) -> set[str]:
    """Its folders with files that are kept."""
    return {
        path.name
        for path in folder.iterdir()
        if path.is_dir()
        and not path.name.startswith((".", "_"))
        and not path.name.endswith((".egg-info", ".out"))
        and path.name not in {"build", "node_modules"}
    }


def test_the_packages_of_the_core_are_told_in_the_order_that_is_held() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    told = [named([cell]) for cell in first_cells(text, "| package | decides |\n")]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
        "importlinter"
    ]["contracts"]
    (layers,) = (
        one["layers"]
        for one in contracts
        if one["name"].startswith("core in the order")
    )
    shared = {"ports", "errors", "events"}
    held = [
        [name for one in layer.split("|") if (name := one.strip()[13:]) not in shared]
        for layer in layers
    ]
    assert [sorted(row) for row in told] == [sorted(row) for row in held if row]
    assert {name for row in told for name in row} - {"dataset"} == {
        name for name in folders_of(ROOT / "lambdas/core") if name != "lambdas"
    }


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "SECURITY.md", "docs/security.md"])
def test_the_files_that_a_page_names_are_there(page: str) -> None:
    paths = re.findall(r"`((?:[\w.]+/)+[\w.]*)`", (ROOT / page).read_text())
    assert not [path for path in paths if not (ROOT / path).exists()]


def test_the_targets_that_contributing_names_can_be_made() -> None:
    asked = set(re.findall(r"make ([a-z]+)", (ROOT / "CONTRIBUTING.md").read_text()))
    made = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert asked <= made


def test_code_owners_watch_what_runs_with_our_rights() -> None:
    rows = (ROOT / ".github/CODEOWNERS").read_text().splitlines()
    owned = {row.split()[0] for row in rows if row and not row.startswith("#")}
    assert {"/apis/", "/sources/"} <= owned
    assert not [one for one in owned if not (ROOT / one.strip("/")).is_dir()]


def test_the_figures_beside_others_are_those_that_were_measured() -> None:
    told = (ROOT / "README.md").read_text().split("## Beside dlt")[1].split("\n## ")[0]
    results = (ROOT / "benchmarks/RESULTS.md").read_text()
    figures = re.findall(r"\d+\.\d+(?= s\b)", told)
    assert len(figures) == 5
    assert [one for one in figures if f"| {one} |" not in results] == []
