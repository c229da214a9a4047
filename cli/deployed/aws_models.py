"""botocore's models of AWS's services, found without looking through all of them."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from botocore.exceptions import DataNotFoundError, UnknownServiceError
from botocore.loaders import Loader, create_loader
from botocore.session import Session, get_session


def quick_session() -> Session:
    """A session as botocore's own, AWS_DATA_PATH included, but quick to find models."""
    session = get_session()
    botocores = create_loader(session.get_config_variable("data_path"))
    models = ModelLoader(botocores.search_paths, include_default_search_paths=False)
    session.register_component("data_loader", models)
    return session


class ModelLoader(Loader):
    """To load one file botocore lists the folders of 400 services, and of each its
    versions, anew for each kind of file: a third of a second for a few clients.
    """

    def list_available_services(self, type_name: str) -> list[str]:
        """The services that have a folder, whatever kinds of file are in it."""
        del type_name
        return self._folders

    def load_service_model(
        self, service_name: str, type_name: str, api_version: str | None = None
    ) -> object:
        """As botocore's, and with its error where a service has no such file."""
        try:
            return super().load_service_model(service_name, type_name, api_version)
        except UnknownServiceError:
            raise
        except DataNotFoundError as error:
            raise UnknownServiceError(
                service_name=service_name,
                known_service_names=", ".join(self._folders),
            ) from error

    @cached_property
    def _folders(self) -> list[str]:
        return sorted(
            entry.name
            for path in map(Path, self.search_paths)
            if path.is_dir()
            for entry in path.iterdir()
            if entry.is_dir()
        )
