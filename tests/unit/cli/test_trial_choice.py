"""What `catflap check` would say of a trial's datasets is known before it runs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cli.trial.choice import Choice
from local.trial.project import ProjectFolders
from tests.unit.cli.files import DATASET, folders

NOW = datetime(2026, 11, 28, 7, tzinfo=UTC)
HASTY = DATASET.replace("count: 3", "count: 1")


def test_a_promise_that_cannot_be_kept_is_said_of_what_is_tried_alone(
    tmp_path: Path,
) -> None:
    datasets, apis = folders(
        tmp_path, datasets={"cats.yaml": HASTY, "dogs.yaml": HASTY}
    )
    choice = Choice(
        names=["cats"],
        folders=ProjectFolders(
            datasets=datasets,
            apis=apis,
            environments=tmp_path / "environments",
            models=tmp_path / "models",
        ),
        is_real_time=True,
    )

    _, (refused,) = choice.findings(NOW)

    assert (refused.file, refused.key) == (
        str(datasets / "cats.yaml"),
        "freshness.warn_after",
    )
