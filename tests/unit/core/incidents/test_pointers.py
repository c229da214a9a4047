from __future__ import annotations

import pytest

from cli.main import run
from lambdas.core.incidents.message import Message, block
from lambdas.core.incidents.pointers import DEPLOYED, Pointers
from tests.watched import a_batch

WIKI = "https://wiki.example.com/catflap/{cause}"
REPOSITORY = "https://github.com/example/catflap"


@pytest.mark.parametrize(
    ("pointers", "said"),
    [
        (Pointers(), "docs/runbooks/pipe_stopped.md, docs/quality.md"),
        (
            Pointers(repository_url=REPOSITORY),
            (
                f"{REPOSITORY}/blob/HEAD/docs/runbooks/pipe_stopped.md, "
                f"{REPOSITORY}/blob/HEAD/docs/quality.md"
            ),
        ),
        (
            Pointers(repository_url=f"{REPOSITORY}/", runbook_url=WIKI),
            (
                "https://wiki.example.com/catflap/pipe_stopped, "
                f"{REPOSITORY}/blob/HEAD/docs/quality.md"
            ),
        ),
        (
            Pointers(runbook_url=WIKI),
            "https://wiki.example.com/catflap/pipe_stopped, docs/quality.md",
        ),
    ],
)
def test_a_page_becomes_a_link_where_the_environment_says_so(
    pointers: Pointers, said: str
) -> None:
    text = "docs/runbooks/pipe_stopped.md, docs/quality.md"
    assert pointers.in_text(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("`catflap replay cats`", "`catflap replay cats --env prod`"),
        ("`catflap replay cats --env prod`", "`catflap replay cats --env prod`"),
        ("`catflap check`", "`catflap check`"),
        ("catflap is well", "catflap is well"),
    ],
)
def test_a_command_names_the_environment(text: str, said: str) -> None:
    assert Pointers(environment="prod").in_text(text) == said


def test_a_notice_keeps_its_id_and_its_headline() -> None:
    steps = block("Next step", ["`catflap quarantine cats`"])
    message = Message(headline="cats: 3 rows", blocks=(steps,))
    (notice,) = a_batch(message).notices
    pointed = Pointers(environment="prod").in_notice(notice)
    assert pointed.notice_id == notice.notice_id
    assert pointed.message.headline == message.headline
    assert pointed.message.blocks[0].lines == ("`catflap quarantine cats --env prod`",)


@pytest.mark.parametrize("command", sorted(DEPLOYED))
def test_each_of_these_commands_takes_an_environment(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command, "--help"]) == 0
    assert "--env" in capsys.readouterr().out
