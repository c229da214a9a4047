"""What of a person's project is tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lambdas.core.dataset import Catalogue
from local.stack import Project
from local.trial.project import ProjectFolders, chosen, lay_out
from project.dataset_faults import broken_promises
from project.fault import Fault
from project.yaml_files import load_catalogue, load_datasets, read_files


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What of the user's files is tried; without names, all."""

    names: Sequence[str]
    folders: ProjectFolders
    is_real_time: bool

    def findings(self, now: datetime) -> tuple[list[Fault], list[Fault]]:
        """What `catflap check` warns of and what it refuses, of what is tried here.

        Raises BadInput.
        """
        folders = self.folders
        written = read_files(folders.datasets, folders.apis)
        sound = written.sound.datasets
        tried = {name: sound[name] for name in chosen(written.sound, self.names)}
        warned = [one for one in written.warnings if Path(one.file).stem in tried]
        return warned, broken_promises(tried, folders.datasets, now=now, usual_runs={})

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
