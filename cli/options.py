"""The options that several commands share. A command's own stand beside its code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DATASETS, APIS, ENVIRONMENTS = Path("datasets"), Path("apis"), Path("environments")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A dataset's name.")]
Datasets = Annotated[
    Path, typer.Option("--datasets", metavar="DIR", help="The folder of datasets.")
]
Apis = Annotated[
    Path, typer.Option("--apis", metavar="DIR", help="The folder of APIs.")
]
Models = Annotated[
    Path | None,
    typer.Option(
        "--models",
        metavar="DIR",
        help="The folder of models; default: models next to the folder of datasets.",
    ),
]
Env = Annotated[
    str, typer.Option("--env", metavar="NAME", help="The environment to ask.")
]
Environments = Annotated[
    Path,
    typer.Option("--environments", metavar="DIR", help="The folder of environments."),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document and nothing else.")
]
Limit = Annotated[int, typer.Option(metavar="N", min=1, help="Show at most this many.")]


def models_of(datasets: Path, models: Path | None) -> Path:
    """The folder of models: the one that was named, or the one beside the datasets."""
    return datasets.parent / "models" if models is None else models
