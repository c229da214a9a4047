"""The function that makes reports, and what wakes it."""

from __future__ import annotations

import json

from aws_cdk import App, Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from constructs import Construct

from lambdas.core.dataset import catalogue_key
from lambdas.core.events import (
    AtRiskEvent,
    ClosedEvent,
    LateEvent,
    RecoveredEvent,
)
from lambdas.core.names import EVENT_SOURCE, role_name
from lambdas.core.settings import ReportSettings
from project.environment import Environment
from project.login import login_secrets, login_settings
from stacks.catflap_stack import CatflapStack
from stacks.constructs.bundle import Bundle
from stacks.constructs.dead_letters import DeadLetters
from stacks.constructs.grants import (
    keep_digests,
    read_catalogue,
    read_secrets,
    read_state,
    write_pages,
)
from stacks.constructs.lambda_function import CatflapFunction
from stacks.constructs.wake_up import wake_at, wake_every
from stacks.landing import LandingStack
from stacks.notifications import NotificationsStack

PAGE_EVERY = Duration.minutes(15)
"""Half of what a page may be old before it says so."""
WEEK_AT = "09:00"
"""On Mondays in UTC, when Snowflake's views know all of the day before (8 hours)."""
CHANGES = (LateEvent, AtRiskEvent, RecoveredEvent, ClosedEvent)


class ReportsStack(CatflapStack):
    """The status page every quarter of an hour, and after each change; digests; what
    caused each month's incidents; what each week cost, and who got access to what.
    """

    def __init__(
        self,
        app: App,
        *,
        environment: Environment,
        bundle: Bundle,
        landing: LandingStack,
        notifications: NotificationsStack,
    ) -> None:
        super().__init__(
            app, "reports", environment=environment, description="what people look at"
        )
        failed = DeadLetters(
            self,
            "FailedReports",
            meaning="Reports that failed. The reports function's log says why; the "
            "next page is made within 15 minutes, a team's next digest a day later, "
            "its next causes report a month later.",
            engineers=notifications.engineers,
            fifo=False,
        ).queue
        login = environment.snowflake.report_login
        reports = CatflapFunction(
            self,
            "Reports",
            environment=environment,
            slice_name="reports",
            description="Writes the status page, digests and other reports",
            code=bundle.code(),
            settings=ReportSettings(
                **login_settings(environment.snowflake, login),
                state_table=landing.state.table_name,
                landing_bucket=landing.bucket.bucket_name,
                catalogue_key=catalogue_key(),
                channels=environment.channels_json,
                digests=environment.digests_json,
                credit_price=environment.credit_price,
                budgets=json.dumps(environment.budgets),
                in_vpc=environment.network.vpc is not None,
                snowflake_users=json.dumps(environment.snowflake_logins),
                environment_name=environment.name,
                check_every_s=environment.check_every_minutes * 60,
                runbook_url=environment.runbook_url,
                repository_url=environment.repository_url,
            ),
            timeout=Duration.minutes(5),
            memory_mib=512,
            failed_events=failed,
            # Snowflake knows the reporter by its role's name.
            role_name=role_name(environment.name, "reports"),
            feeds_itself=False,
        )
        read_state(reports.role, landing.state)
        read_catalogue(reports.role, landing)
        read_secrets(reports.role, login_secrets(login), key=environment.secrets_key)
        write_pages(reports.role, landing)
        keep_digests(reports.role, landing.state)
        role = wake_every(
            self,
            "Page",
            every=PAGE_EVERY,
            function=reports,
            description="Writes the status page",
            dead_letters=failed,
        )
        # A scope of their own: at the top level a team could be called `Page`.
        digests = Construct(self, "Digests")
        causes = Construct(self, "Causes")
        for name, team in sorted(environment.teams.items()):
            if team.digest_at is None:
                continue
            wake_at(
                digests,
                name,
                at=team.digest_at,
                timezone=team.timezone,
                says={"report": "digest", "team": name},
                role=role,
                function=reports,
                description=f"Writes the morning digest of {name}",
                dead_letters=failed,
            )
            wake_at(
                causes,
                name,
                at=team.digest_at,
                timezone=team.timezone,
                day_of_month=1,
                says={"report": "causes", "team": name},
                role=role,
                function=reports,
                description=f"Writes what caused the month's incidents of {name}",
                dead_letters=failed,
            )
        if environment.snowflake.has_reporter:
            wake_at(
                self,
                "Week",
                at=WEEK_AT,
                timezone="UTC",
                day_of_week="MON",
                says={"report": "week"},
                role=role,
                function=reports,
                description="Tells what a week cost, and who got access to what",
                dead_letters=failed,
            )
        self._follow_changes(landing, reports)

    def _follow_changes(self, landing: LandingStack, reports: CatflapFunction) -> None:
        rule = events.CfnRule(
            self,
            "Changes",
            event_bus_name=landing.bus.event_bus_name,
            description="Writes the status page when a dataset is late, or no longer",
            event_pattern={
                "source": [EVENT_SOURCE],
                "detail-type": [one.detail_type for one in CHANGES],
            },
            targets=[
                events.CfnRule.TargetProperty(
                    id="Reports", arn=reports.function.function_arn
                )
            ],
        )
        reports.function.add_permission(
            "Changes",
            principal=iam.ServicePrincipal("events.amazonaws.com"),
            source_arn=rule.attr_arn,
        )
