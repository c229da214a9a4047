"""What of a person's project is tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lambdas.core.dataset import Catalogue
from local.stack import Project
from local.trial.project import ProjectFolders, chosen, lay_out
from project.yaml_files import load_catalogue, load_datasets


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What of the user's files is tried; without names, all."""

    names: Sequence[str]
    folders: ProjectFolders
    is_real_time: bool

    def catalogue(self) -> Catalogue:
        """The datasets by name, of which not all need be tried. Raises BadFiles."""
        where = {
            "datasets": self.folders.datasets,
            "apis": self.folders.apis,
            "models": self.folders.models,
        }
        if self.names:
            return load_datasets(self.names, **where)
        return load_catalogue(**where)

    def lay_out(self, root: Path) -> Project:
        """Write what is tried to `root`, as a project. Raises BadInput, BadFiles."""
        catalogue = self.catalogue()
        return lay_out(
            root,
            self.folders,
            catalogue,
            chosen(catalogue, self.names),
            is_real_time=self.is_real_time,
        )
