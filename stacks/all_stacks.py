"""All stacks of one environment, in the order they are deployed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from aws_cdk import App, CfnResource

from lambdas.core.dataset import Catalogue
from lambdas.core.errors import BadInput
from project.environment import Environment
from stacks.constructs import nag
from stacks.constructs.alarms import add_dashboard, watch_function, watch_pulls
from stacks.constructs.bundle import WITH_CONNECTOR
from stacks.constructs.lambda_function import CatflapFunction
from stacks.freshness import FreshnessStack
from stacks.ingestion import IngestionStack
from stacks.landing import LandingStack
from stacks.lineage import LineageStack
from stacks.notifications import NotificationsStack
from stacks.people import PeopleStack
from stacks.repair import RepairStack
from stacks.reports import ReportsStack
from stacks.schedules import SchedulesStack
from stacks.warehouse import WarehouseStack

ROOT = Path(__file__).resolve().parents[1]


def new_app(*, outdir: Path | None, context: Mapping[str, object]) -> App:
    """An empty app with the feature flags of cdk.json, which the CDK's command line
    would read by itself; what that was given outdoes `context`.
    """
    flags: dict[str, object] = json.loads((ROOT / "cdk.json").read_text())["context"]
    return App(
        outdir=None if outdir is None else str(outdir),
        context={**flags, **context},
        analytics_reporting=False,
    )


def add_stacks(app: App, *, environment: Environment, catalogue: Catalogue) -> None:
    """Add every stack to `app`; BadInput if environment and datasets do not fit."""
    if faults := environment.faults_of(catalogue):
        raise BadInput("\n".join(map(str, faults)))
    nag.check(app)
    landing = LandingStack(app, environment=environment, catalogue=catalogue)
    notifications = NotificationsStack(app, environment=environment, key=landing.key)
    warehouse = WarehouseStack(
        app,
        environment=environment,
        catalogue=catalogue,
        bundle=WITH_CONNECTOR,
        landing=landing,
        notifications=notifications,
    )
    ingestion = IngestionStack(
        app,
        environment=environment,
        catalogue=catalogue,
        landing=landing,
        notifications=notifications,
    )
    freshness = FreshnessStack(
        app,
        environment=environment,
        catalogue=catalogue,
        bundle=WITH_CONNECTOR,
        landing=landing,
        notifications=notifications,
    )
    repair = RepairStack(
        app,
        environment=environment,
        bundle=WITH_CONNECTOR,
        landing=landing,
        notifications=notifications,
    )
    reports = ReportsStack(
        app,
        environment=environment,
        bundle=WITH_CONNECTOR,
        landing=landing,
        notifications=notifications,
    )
    if "slack" in environment.channel_secrets and environment.has_function_urls:
        people = PeopleStack(
            app,
            environment=environment,
            landing=landing,
            notifications=notifications,
            pulls=ingestion.pulls,
        )
        people.add_stack_dependency(warehouse)
    if environment.openlineage.url is not None:
        lineage = LineageStack(
            app,
            environment=environment,
            landing=landing,
            notifications=notifications,
        )
        lineage.add_stack_dependency(warehouse)
    for stack in (ingestion, freshness, repair, reports):
        # their functions read what it publishes
        stack.add_stack_dependency(warehouse)
    for one in app.node.find_all():
        if isinstance(one, CatflapFunction):
            watch_function(one, notifications.engineers)
        if isinstance(one, CfnResource):
            nag.explain(one)
    watch_pulls(ingestion, ingestion.pulls, notifications.engineers)
    add_dashboard(notifications, environment.name)
    for number in range(environment.schedule_stacks):
        SchedulesStack(
            app,
            number=number,
            environment=environment,
            datasets=[
                dataset
                for _, dataset in sorted(catalogue.datasets.items())
                if environment.schedule_stack_of(dataset.name) == number
            ],
            pulls=ingestion.pulls,
            lost_ticks=ingestion.lost_ticks,
        )
