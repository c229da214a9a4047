"""A folder keeps the promises of a bucket."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli.one_machine.folder_landing import ABANDONED_S, FolderLanding
from lambdas.core.errors import LandingError, UploadGone
from lambdas.core.pull.run import PendingObject

RUN = "20130101T050000.123Z-0123456789ab"
KEY = f"raw/cats/g1/dt=2013-01-01/{RUN}-00001.ndjson.gz"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "landing"


@pytest.fixture
def landing(root: Path) -> FolderLanding:
    return FolderLanding(root=root)


def visible(root: Path) -> list[str]:
    files = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    return sorted(str(path) for path in files if path.parts[0] != ".uploads")


def uploaded(landing: FolderLanding, body: bytes = b"abc") -> PendingObject:
    writer = landing.open(KEY, run_id=RUN)
    for at in range(len(body)):
        writer.write(body[at : at + 1])
    return writer.finish(rows=2)


def test_an_object_is_invisible_until_completed(
    landing: FolderLanding, root: Path
) -> None:
    pending = uploaded(landing)
    assert visible(root) == []
    assert not landing.is_visible(pending, run_id=RUN)
    landing.complete(pending, run_id=RUN)
    assert visible(root) == [KEY]
    assert (root / KEY).read_bytes() == b"abc"
    assert (pending.size, pending.rows) == (3, 2)
    assert list((root / ".uploads").iterdir()) == []


def test_completing_again_changes_nothing(landing: FolderLanding, root: Path) -> None:
    pending = uploaded(landing)
    landing.complete(pending, run_id=RUN)
    landing.complete(pending, run_id=RUN)
    FolderLanding(root=root).complete(pending, run_id=RUN)
    assert (root / KEY).read_bytes() == b"abc"


def test_a_death_between_name_and_clean_up_is_rolled_forward(
    landing: FolderLanding, root: Path
) -> None:
    pending = uploaded(landing)
    (root / KEY).parent.mkdir(parents=True)
    os.link(root / ".uploads" / pending.upload_id, root / KEY)
    landing.complete(pending, run_id=RUN)
    assert list((root / ".uploads").iterdir()) == []


def test_an_upload_that_is_gone_is_told(landing: FolderLanding, root: Path) -> None:
    pending = uploaded(landing)
    (root / ".uploads" / pending.upload_id).unlink()
    with pytest.raises(UploadGone):
        landing.complete(pending, run_id=RUN)
    assert visible(root) == []


@pytest.mark.parametrize("other", [b"other bytes", b"xyz"])
def test_a_name_that_somebody_else_wrote_is_never_overwritten(
    landing: FolderLanding, root: Path, other: bytes
) -> None:
    pending = uploaded(landing)
    (root / KEY).parent.mkdir(parents=True)
    (root / KEY).write_bytes(other)
    with pytest.raises(LandingError, match="somebody else"):
        landing.complete(pending, run_id=RUN)
    assert (root / KEY).read_bytes() == other


def test_an_aborted_upload_leaves_nothing(landing: FolderLanding, root: Path) -> None:
    writer = landing.open(KEY, run_id=RUN)
    writer.write(b"abc")
    writer.abort()
    writer.abort()
    assert [path for path in root.rglob("*") if path.is_file()] == []


def test_a_small_object_is_written_once(landing: FolderLanding, root: Path) -> None:
    assert landing.get("manifests/cats/x.json") is None
    landing.put("manifests/cats/x.json", b"one")
    landing.put("manifests/cats/x.json", b"two")
    assert landing.get("manifests/cats/x.json") == b"one"
    landing.delete("manifests/cats/x.json")
    landing.delete("manifests/cats/x.json")
    assert visible(root) == []
    assert list((root / ".uploads").iterdir()) == []


def test_an_upload_that_nobody_came_back_for_expires(
    landing: FolderLanding, root: Path
) -> None:
    old, new = uploaded(landing), uploaded(landing)
    path = root / ".uploads" / old.upload_id
    long_ago = path.stat().st_mtime - ABANDONED_S - 60
    os.utime(path, (long_ago, long_ago))
    FolderLanding(root=root)
    assert [one.name for one in (root / ".uploads").iterdir()] == [new.upload_id]


@pytest.mark.parametrize("key", ["/etc/x", "../x", "raw/../../x", "", ".uploads/x"])
def test_a_key_never_leaves_the_folder(landing: FolderLanding, key: str) -> None:
    with pytest.raises(LandingError):
        landing.put(key, b"x")


def test_a_place_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(LandingError, match="refused to make"):
        FolderLanding(root=tmp_path / "file")
