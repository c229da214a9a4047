"""Opens a dataset's source for one window of its cursor."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from lambdas.adapters.sources.api_pages import ApiPages
from lambdas.adapters.sources.deadline import UntilDeadline
from lambdas.adapters.sources.fan_out import FanOut
from lambdas.adapters.sources.http_api import HttpApi
from lambdas.adapters.sources.parent_rows import NoParents
from lambdas.adapters.sources.python_source import PythonPages
from lambdas.adapters.sources.rate_budget import Budgets
from lambdas.core.columns.declared import known_names
from lambdas.core.dataset import Api, Dataset
from lambdas.core.errors import BadInput
from lambdas.core.http.destinations import ANYWHERE, Destinations
from lambdas.core.ports import Clock, Secrets
from lambdas.core.pull.ports import PageSource
from lambdas.core.pull.window import Window
from lambdas.core.source.fan_out import Parents
from lambdas.core.source.rate_limit import is_brisk

ROOT = Path(__file__).resolve().parents[3]
"""Above the `lambdas` package: the repository, or the bundle's root in AWS."""

_NO_PARENTS = NoParents()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSources:
    """Sources that are endpoints of an API, or Python generators that ask one.

    `deadline_s`, a moment of `clock.monotonic()`, bounds every wait and request.
    """

    secrets: Secrets
    clock: Clock
    deadline_s: float
    ahead: bool = True
    """Whether the next page is fetched while one is worked on. Never where that
    request may be for nothing: a pull that may stop early, an API whose requests are
    counted. Of those that allow one a second or more, pages that are known to follow
    are fetched side by side, within the budget."""

    budgets: Budgets | None = None
    """The rate budgets that others share; without, each source keeps one of its own."""

    parents: Parents = _NO_PARENTS
    """Where the rows of a parent are read."""

    destinations: Destinations = ANYWHERE
    """Where requests and secrets may go."""

    root: Path = ROOT
    """The folder that holds `sources/`."""

    def __call__(self, dataset: Dataset, window: Window) -> PageSource:
        """The pages of the dataset's endpoint or generator, asked for `window`, until
        the deadline.

        Raises BadInput if the dataset has neither, or no resolved API.
        """
        return UntilDeadline(
            self._opened(dataset, window),
            clock=self.clock,
            deadline_s=self.deadline_s,
        )

    def _opened(self, dataset: Dataset, window: Window) -> PageSource:
        client, endpoint = dataset.source.client, dataset.source.endpoint
        if dataset.source.python is not None:
            return PythonPages(
                dataset=dataset,
                window=window,
                root=self.root,
                secrets=self.secrets,
                http=self._http(client) if isinstance(client, Api) else None,
                clock=self.clock,
                deadline_s=self.deadline_s,
            )
        if not isinstance(client, Api) or endpoint is None:
            raise BadInput(
                f"{dataset.name} has no source.endpoint with a source.client: there is "
                "nothing to ask"
            )
        parent = dataset.source.parent
        if parent is not None:
            return FanOut(
                dataset=dataset,
                reading=self.parents.open(
                    parent.dataset,
                    window,
                    whole=dataset.write_disposition == "replace",
                ),
                http=self._http(client),
                position=window.position,
                side_by_side=self.ahead and is_brisk(client.rate_limit),
            )
        incremental = endpoint.incremental
        stops_early = incremental is not None and incremental.row_order is not None
        ahead = self.ahead and not stops_early
        return ApiPages(
            ahead=ahead and client.rate_limit is None,
            side_by_side=ahead and is_brisk(client.rate_limit),
            http=self._http(client),
            endpoint=endpoint,
            values={
                "incremental.start_value": window.start_text,
                "incremental.last_value": window.start_text,
                "incremental.end_value": window.end_text,
                "incremental.initial_value": window.initial_text,
            },
            position=window.position,
            needed=known_names(dataset),
        )

    def _http(self, api: Api) -> HttpApi:
        return HttpApi(
            api=api,
            secrets=self.secrets,
            clock=self.clock,
            random=random.random,
            deadline_s=self.deadline_s,
            budget=self.budgets.of(api) if self.budgets is not None else None,
            destinations=self.destinations,
        )
