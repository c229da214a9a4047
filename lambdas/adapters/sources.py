"""Opens a dataset's source for one window of its cursor."""

from __future__ import annotations

import random
from dataclasses import dataclass

from lambdas.adapters.api_pages import ApiPages
from lambdas.adapters.http_api import HttpApi
from lambdas.core.cursor import Window
from lambdas.core.dataset import Api, Dataset
from lambdas.core.errors import BadInput
from lambdas.core.ports import Clock, PageSource, Secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSources:
    """Sources that are endpoints of an API.

    `deadline_s`, a moment of `clock.monotonic()`, bounds every wait and request.
    """

    secrets: Secrets
    clock: Clock
    deadline_s: float
    ahead: bool = True
    """Whether the next page is fetched while one is worked on. Never where that
    request may be for nothing: a pull that may stop early, an API whose requests are
    counted."""

    def __call__(self, dataset: Dataset, window: Window) -> PageSource:
        """The pages of the dataset's endpoint, asked for `window`.

        Raises BadInput if the dataset has no endpoint of a resolved API.
        """
        client, endpoint = dataset.source.client, dataset.source.endpoint
        if not isinstance(client, Api) or endpoint is None:
            raise BadInput(
                f"{dataset.name} has no source.endpoint with a source.client: there is "
                "nothing to ask"
            )
        incremental = endpoint.incremental
        stops_early = incremental is not None and incremental.row_order is not None
        return ApiPages(
            ahead=self.ahead and not stops_early and client.rate_limit is None,
            http=HttpApi(
                api=client,
                secrets=self.secrets,
                clock=self.clock,
                random=random.random,
                deadline_s=self.deadline_s,
            ),
            endpoint=endpoint,
            values={
                "incremental.start_value": window.start_text,
                "incremental.last_value": window.start_text,
                "incremental.end_value": window.end_text,
                "incremental.initial_value": window.initial_text,
            },
            position=window.position,
        )
