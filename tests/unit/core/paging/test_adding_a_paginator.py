from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.house_copy import ROOT, answer, copied

TURNSTILE = '''
"""`turnstile`: the next page's ticket stands in a header."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, JsonValue

from lambdas.core.http.message import HttpRequest
from lambdas.core.paging.base import Promises, put, text
from lambdas.core.paging.links import LeadingPaginator
from lambdas.core.paging.page import AnsweredPage


class TurnstilePaginator(LeadingPaginator):
    """Each answer holds a ticket for the next one."""

    type: Literal["turnstile"] = "turnstile"
    ticket_header: str = Field(default="X-Ticket", description="where the ticket is")
    ticket_param: str = Field(default="ticket", description="what takes the ticket")

    rank: ClassVar[int] = 5
    reads_body: ClassVar[bool] = True
    known_by: ClassVar[str] = "a header `X-Ticket`"
    promises: ClassVar[Promises] = Promises(
        appended="wait in the queue", inserted="wait", deleted="are let go"
    )

    @classmethod
    def detected(cls, page: AnsweredPage) -> Self | None:
        """By its header."""
        return cls() if "x-ticket" in page.headers else None

    def request(self, base: HttpRequest, position: JsonValue) -> HttpRequest:
        """With the ticket."""
        if position is None:
            return base
        return put(base, self.ticket_param, None, text(position))

    def following(self, page: AnsweredPage, position: JsonValue) -> JsonValue:
        """The ticket."""
        del position
        return page.headers.get(self.ticket_header.lower())
'''

QUESTIONS = """
import json, sys
from pathlib import Path
from cli.generate import documents
from lambdas.core.http.message import HttpRequest
from lambdas.core.paging.auto import AutoPaginator
from lambdas.core.paging.page import AnsweredPage
from lambdas.core.records.documents import Document
from project.yaml_files import read_files

root = Path(sys.argv[1])
base = HttpRequest(method="GET", url="https://a/", params={}, headers={})
page = AnsweredPage(
    url="https://a/", origin="https://a:443", headers={"x-ticket": "7"}, rows=1,
    document=Document(b'{"rows": [{"id": 1}]}'), request=base, selector="rows",
)
auto = AutoPaginator()
position = auto.after(page, None)
print(json.dumps({
    "faults": [str(one) for one in read_files(root / "datasets", root / "apis").faults],
    "position": position,
    "asked": dict(auto.request(base, position).params),
    **{path.name: text for path, text in documents().items()},
}))
"""

DATASET = """
description: cats
owner: {team: t}
schedule: {rate: 1 hour}
source:
  client: {base_url: "https://api.example.com/"}
  endpoint: {path: cats, PAGING}
"""


@pytest.mark.long
def test_a_paginator_is_added_by_one_class_in_one_file(tmp_path: Path) -> None:
    copied(tmp_path, ("lambdas", "project", "cli"))
    (tmp_path / "docs").mkdir()
    for page in ("paging.md", "quality.md"):
        shutil.copy(ROOT / "docs" / page, tmp_path / "docs")
    added = tmp_path / "lambdas/core/paging/paginators/turnstile.py"
    added.write_text(TURNSTILE.lstrip())
    for folder in ("apis", "datasets"):
        (tmp_path / folder).mkdir()
    for name, paging in {
        "good": "paginator: {type: turnstile, ticket_param: t}",
        "typo": "paginator: {type: turnstile, ticket_parm: t}",
        "lines": "format: jsonl, paginator: {type: turnstile}",
    }.items():
        text = DATASET.replace("PAGING", paging)
        (tmp_path / f"datasets/{name}.yaml").write_text(text)
    found = answer(tmp_path, QUESTIONS)
    assert found["position"] == {"paginator": {"type": "turnstile"}, "at": "7"}
    assert found["asked"] == {"ticket": "7"}
    lines, typo = sorted(found["faults"])
    assert (
        "lines.yaml:7: source.endpoint.paginator: finds the next page in JSON" in lines
    )
    assert 'nearest known one is "ticket_param"' in typo
    assert "of type `turnstile`" in found["datasets.md"]
    assert "what takes the ticket" in found["datasets.md"]
    assert (
        "| `turnstile` | a header `X-Ticket` | wait in the queue | wait | are let go |"
        in found["paging.md"]
    )
    schema = json.loads(found["dataset.schema.json"])
    assert "TurnstilePaginator" in schema["$defs"]
