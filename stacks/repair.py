"""The function that finds what landed and did not load, and what wakes it.

It has a role of its own, here and in Snowflake: it may land objects again and tell
pipes to load, and it may tell nobody. What it did and what it cannot mend stands in the
state, from where the freshness check tells people.
"""

from __future__ import annotations

from aws_cdk import App, Duration

from lambdas.core.dataset import catalogue_key
from lambdas.core.names import role_name
from lambdas.core.settings import RepairSettings
from project.environment import Environment
from project.login import login_secrets, login_settings
from stacks.catflap_stack import CatflapStack
from stacks.constructs.bundle import Bundle
from stacks.constructs.dead_letters import DeadLetters
from stacks.constructs.grants import (
    keep_loads,
    land_again,
    look_at_wiring,
    read_catalogue,
    read_secrets,
)
from stacks.constructs.lambda_function import CatflapFunction
from stacks.constructs.wake_up import wake_every
from stacks.landing import LandingStack
from stacks.notifications import NotificationsStack


class RepairStack(CatflapStack):
    """A check of loads, as often as the freshness check."""

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
            app, "repair", environment=environment, description="what repairs loads"
        )
        failed_checks = DeadLetters(
            self,
            "FailedChecks",
            meaning="Checks of loads that failed. The repair function's log says why; "
            "the next one checks everything again.",
            engineers=notifications.engineers,
            fifo=False,
        ).queue
        login = environment.snowflake.repair_login
        minutes = environment.check_every_minutes
        repair = CatflapFunction(
            self,
            "Repair",
            environment=environment,
            slice_name="repair",
            description="Finds what landed and did not load, and has it loaded",
            code=bundle.code(),
            settings=RepairSettings(
                **login_settings(environment.snowflake, login),
                state_table=landing.state.table_name,
                landing_bucket=landing.bucket.bucket_name,
                catalogue_key=catalogue_key(),
                landed_topic_arn=landing.landed.topic_arn,
                check_every_s=minutes * 60,
            ),
            timeout=Duration.minutes(min(15, max(5, minutes))),
            memory_mib=512,
            failed_events=failed_checks,
            # Snowflake knows the repairer by its role's name.
            role_name=role_name(environment.name, "repair"),
            feeds_itself=False,
        )
        keep_loads(repair.role, landing.state)
        land_again(repair.role, landing)
        read_catalogue(repair.role, landing)
        look_at_wiring(repair.role, landing)
        read_secrets(repair.role, login_secrets(login), key=environment.secrets_key)
        wake_every(
            self,
            "Check",
            every=Duration.minutes(minutes),
            function=repair,
            description="Checks what landed and was not seen loaded",
            dead_letters=failed_checks,
        )
