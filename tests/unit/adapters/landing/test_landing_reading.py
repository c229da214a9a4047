"""What landed is listed in order and read piece by piece, wherever it landed."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest

from cli.one_machine.folder_landing import FolderLanding
from lambdas.adapters.landing.bucket import LandingBucket
from lambdas.core.pull.ports import LandingZone
from tests.memory import MemoryLanding


@pytest.fixture(params=["memory", "folder", "bucket", "bucket with a prefix"])
def landing(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> LandingZone:
    match request.param:
        case "memory":
            return MemoryLanding()
        case "folder":
            return FolderLanding(root=tmp_path)
        case kind:
            monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "5")
            request.getfixturevalue("aws")
            s3 = boto3.client("s3")
            s3.create_bucket(Bucket="landing")
            prefix = "team/" if "prefix" in kind else ""
            return LandingBucket(s3=s3, bucket="landing", prefix=prefix)


def test_names_come_in_order_and_after_the_one_given(landing: LandingZone) -> None:
    for name in ("b", "a", "c"):
        landing.put(f"runs/cats/{name}.json", b"{}")
    landing.put("runs/catsanddogs/a.json", b"{}")
    assert list(landing.keys("runs/cats/")) == [
        "runs/cats/a.json", "runs/cats/b.json", "runs/cats/c.json",
    ]  # fmt: skip
    assert list(landing.keys("runs/cats/", after="runs/cats/a.json")) == [
        "runs/cats/b.json", "runs/cats/c.json",
    ]  # fmt: skip
    assert list(landing.keys("runs/cats/", after="runs/cats/aa")) == [
        "runs/cats/b.json", "runs/cats/c.json",
    ]  # fmt: skip
    assert list(landing.keys("runs/dogs/")) == []


def test_more_names_than_one_answer_holds_all_come(landing: LandingZone) -> None:
    names = [f"runs/cats/{n:05d}.json" for n in range(23)]
    for name in names:
        landing.put(name, b"{}")
    assert list(landing.keys("runs/cats/")) == names
    assert list(landing.keys("runs/cats/", after=names[6])) == names[7:]


def test_an_object_is_read_in_pieces_up_to_its_end(landing: LandingZone) -> None:
    landing.put("raw/x", b"0123456789")
    assert landing.read("raw/x", start=0, size=4) == b"0123"
    assert landing.read("raw/x", start=8, size=4) == b"89"
    assert landing.read("raw/x", start=10, size=4) == b""
    assert landing.read("raw/y", start=0, size=4) is None
