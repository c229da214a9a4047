from __future__ import annotations

from pathlib import Path

import pytest

from tests.house_copy import ROOT, answer, copied

PIGEON = '''
"""A pigeon, which knows its way by a secret."""

from __future__ import annotations

from lambdas.adapters.channels.registry import Tools
from lambdas.core.incidents.groups import NoticeBatch


class PigeonChannel:
    """It flies home."""

    def __init__(self, *, home: str) -> None:
        self.home = home

    def deliver(self, batch: NoticeBatch) -> None:
        """Let it fly."""


def make(tools: Tools) -> PigeonChannel:
    """With its home."""
    return PigeonChannel(home=tools.secrets.value(tools.reference("pigeon", "home")))
'''

LINE = """
    "pigeon": ChannelKind(
        audiences=frozenset({Recipient.ENGINEERS}), needs_secret=True
    ),
}
"""

QUESTIONS = """
import json, sys
from pathlib import Path
from cli.deployed.environment import reached_in
from lambdas.adapters.channels.registry import Tools, channels
from lambdas.core.incidents.channels import routes
from project.environment_file import environment_faults
from lambdas.core.dataset import Catalogue

class Secrets:
    def value(self, reference): return f"home of {reference}"

folder = Path(sys.argv[1])
settings = reached_in(folder, "prod").settings
tools = Tools(settings=settings, sns=None, dynamodb=None, events=None, http=None,
              secrets=Secrets(), clock=None)
none = Catalogue(datasets={})
print(json.dumps({
    "home": channels(tools)["pigeon"].home,
    "routes": routes(settings.secrets_of_channels),
    "without": routes({}),
    "faults": [str(one) for one in environment_faults(folder, "typo", none, folder)],
}))
"""


@pytest.mark.long
def test_a_channel_is_added_by_one_file_and_one_line(tmp_path: Path) -> None:
    copied(tmp_path, ("lambdas", "project", "cli"))
    added = tmp_path / "lambdas/adapters/channels/pigeon.py"
    added.write_text(PIGEON.lstrip())
    registry = tmp_path / "lambdas/core/incidents/channels.py"
    text = registry.read_text()
    assert text.count("\n}\n") == 1
    registry.write_text(text.replace("\n}\n", LINE))
    written = (ROOT / "environments/prod.yaml").read_text()
    prod = f"{written}\npigeon: {{secret: catflap/pigeon}}\n"
    (tmp_path / "prod.yaml").write_text(prod)
    (tmp_path / "typo.yaml").write_text(prod.replace("pigeon: {", "pigeom: {"))

    found = answer(tmp_path, QUESTIONS)
    assert found["home"] == "home of secret:catflap/pigeon#home"
    assert "pigeon" in found["routes"]["engineers"]
    assert "pigeon" not in found["routes"]["stakeholders"]
    assert "pigeon" not in found["without"]["engineers"]
    assert any("pigeom: unknown key" in one for one in found["faults"])
    assert not any("pigeon: unknown key" in one for one in found["faults"])
