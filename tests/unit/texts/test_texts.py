"""What a text tells people to type or to open is there."""

from __future__ import annotations

import importlib.util
import re
import shlex

import pytest
import typer
from typer.exceptions import TyperException

from cli.main import Modules, Session, app
from tests.unit.texts.mentions import NOT_KNOWN, ROOT, Mention, spans, texts

# imported here: some modules set variables, and a test may leave none behind
COMMANDS = dict(Modules())
GROUP = typer.main.get_command(app)
MENTIONS = sorted(set(spans()), key=lambda one: (one.place, one.text))
# What a person fills in, and a value of the kind that an option takes.
PLACEHOLDERS = {"N": "1", "NAME...": "cats", "START": "a", "END": "b", NOT_KNOWN: "1"}
_CATFLAP = re.compile(r"(?:\.venv/bin/)?catflap(?: (.*))?")
_ENDS = {"|", ">", "#", "&&", "&", ";", ">>", "2>"}
OURS = (
    "docs/", "lambdas/", "cli/", "project/", "stacks/", "local/", "tests/", "schemas/",
    "benchmarks/",
)  # fmt: skip


def arguments_of(text: str) -> list[str] | None:
    """The arguments of a command line of catflap; None if it is none."""
    match = _CATFLAP.fullmatch(text.split("; ", maxsplit=1)[0])
    if match is None or match[1] is None or match[1].startswith(NOT_KNOWN):
        return None
    words = shlex.split(match[1], comments=True)
    end = next((at for at, word in enumerate(words) if word in _ENDS), len(words))
    return [PLACEHOLDERS.get(word, word) for word in words[:end]]


def fault_of(arguments: list[str]) -> str | None:
    """What catflap would say against a command line; None if it would run."""
    context = typer.Context(GROUP, info_name="catflap", obj=Session())
    if arguments[0].startswith("-"):
        known = {name for one in GROUP.params for name in one.opts} | {"-h", "--help"}
        return None if arguments[0] in known else f"no option {arguments[0]}"
    command = COMMANDS.get(arguments[0])
    if command is None:
        return f"no command {arguments[0]}"
    if len(arguments) == 1 or arguments[1:] == ["--help"]:
        return None  # the command is named, not typed
    try:
        command.make_context(arguments[0], arguments[1:], parent=context)
    except TyperException as error:
        return error.format_message()
    return None


def test_every_command_that_a_text_names_exists_and_parses() -> None:
    asked = [(one, arguments_of(one.text)) for one in MENTIONS]
    known = [(one, words) for one, words in asked if words]
    wrong = [
        f"{one.place}: {one.text}: {fault}"
        for one, words in known
        if (fault := fault_of(words)) is not None
    ]
    assert len(known) > 50
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("catflap fetch", "no command fetch"),
        ("catflap pull cats --into x", "No such option: --into"),
        ("catflap incident", None),
        ("catflap preview cats --limit N > rows.ndjson", None),
        ("catflap preview cats --limit few", "Invalid value"),
        ("catflap --colour", "no option --colour"),
    ],
)
def test_a_command_that_does_not_exist_is_found(text: str, said: str | None) -> None:
    words = arguments_of(text)
    assert words is not None
    fault = fault_of(words)
    assert (fault is None) if said is None else said in str(fault)


def test_every_make_target_that_a_text_names_exists() -> None:
    known = set(
        re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    )
    wrong = [
        f"{one.place}: {one.text}"
        for one in MENTIONS
        if (match := re.match(r"(?:\w+=\S+ )*make ([a-z]\S*)", one.text))
        and match[1] not in known
    ]
    assert wrong == []


def test_every_module_that_a_text_runs_exists() -> None:
    named = [
        (place, name)
        for place, text in texts()
        for name in re.findall(r"python3? -m ([a-z_][\w.]*\w)", text)
    ]
    wrong = [
        f"{place}: python -m {name}"
        for place, name in named
        if importlib.util.find_spec(name) is None
    ]
    assert named
    assert wrong == []


def test_every_file_of_ours_that_a_text_names_exists() -> None:
    wrong = [f"{one.place}: {one.text}" for one in MENTIONS if is_missing(one)]
    assert wrong == []


def is_missing(one: Mention) -> bool:
    """Whether it is a path below a folder of ours, and nothing is there."""
    match = re.fullmatch(r"[a-z_]+/[\w./-]+", one.text)
    if match is None or not one.text.startswith(OURS) or one.text.endswith("/foo.py"):
        return False
    return not (ROOT / one.text).exists()


def test_every_link_of_a_page_leads_to_a_file() -> None:
    wrong = [
        f"{place}: {link}"
        for place, text in texts()
        if place.endswith(".md")
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
        if "://" not in link and not (ROOT / place).parent.joinpath(link).exists()
    ]
    assert wrong == []


def test_every_page_that_a_string_names_exists() -> None:
    wrong = [
        f"{place}: {name}"
        for place, text in texts()
        for name in re.findall(r"\bdocs/[\w./-]+\.md", text)
        if not (ROOT / name).is_file()
    ]
    assert wrong == []
