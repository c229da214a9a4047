"""The demo's project with its flights and weather alone, and without their checks: one
in which all is well as long as nothing breaks.

The checks find that some airports are missing, by right and on every day: whoever
looks at outages would have to look past that.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from local.stack import ROOT

NAMES = ("flights", "weather")


def flights_alone(folder: Path) -> Path:
    """Write it to a new folder; that folder."""
    for name in ("apis", "environments"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "datasets").mkdir()
    for name in NAMES:
        file = f"datasets/{name}.yaml"
        said = yaml.safe_load((ROOT / file).read_text())
        del said["quality"]
        (folder / file).write_text(yaml.safe_dump(said, sort_keys=False))
    return folder
