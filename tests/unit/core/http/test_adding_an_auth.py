from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.house_copy import answer, copied

SIGNED = '''
"""`signed`: a signature."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lambdas.core.http.auth import AccessToken, BaseAuth, Proof, Resolve, with_header
from lambdas.core.http.message import HttpRequest


class SignedAuth(BaseAuth):
    """A signature made of the path."""

    type: Literal["signed"]
    key: Proof
    header: str = Field(default="X-Signature", description="where the signature goes")

    def prove(
        self, request: HttpRequest, resolve: Resolve, token: AccessToken | None
    ) -> HttpRequest:
        """With the signature."""
        return with_header(request, self.header, resolve(self.key)[::-1])
'''

QUESTIONS = """
import json, sys
from pathlib import Path
from cli.generate import documents
from lambdas.core.http.message import HttpRequest
from project.yaml_files import read_files

root = Path(sys.argv[1])
read = read_files(root / "datasets", root / "apis")
asked = HttpRequest(method="GET", url="https://a/", params={}, headers={})
auth = read.apis["signed"].auth
print(json.dumps({
    "faults": [str(fault) for fault in read.faults],
    "sent": dict(auth.prove(asked, lambda _: "abc", None).headers),
    "hidden": sorted(auth.secrets(lambda _: "abc")),
    **{path.name: text for path, text in documents().items()},
}))
"""


@pytest.mark.long
def test_an_auth_is_added_by_one_class_in_one_file(tmp_path: Path) -> None:
    copied(tmp_path, ("lambdas", "project", "cli", "docs"))
    added = tmp_path / "lambdas/core/http/auths/signed.py"
    added.write_text(SIGNED.lstrip())
    (tmp_path / "apis").mkdir()
    (tmp_path / "datasets").mkdir()
    for name, key in (("signed", "secret:cats#key"), ("plain", "CANARY")):
        (tmp_path / f"apis/{name}.yaml").write_text(
            f"base_url: https://api.example.com/\nauth: {{type: signed, key: {key}}}\n"
        )
    told = answer(tmp_path, QUESTIONS)
    assert told["sent"] == {"X-Signature": "cba"}
    assert told["hidden"] == ["abc"]
    (fault,) = told["faults"]
    assert "apis/plain.yaml:2: auth.key: is a secret in plain text" in fault
    assert "`auth` of type `signed`" in told["datasets.md"]
    assert "where the signature goes" in told["datasets.md"]
    schema = json.loads(told["api.schema.json"])
    assert "SignedAuth" in schema["$defs"]
