"""How conflicts are answered in one run, from the options and the settings."""

from __future__ import annotations

from dartsctl.cli.options import one_of
from dartsctl.errors import DartsctlError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.cli.deps import Common
    from dartsctl.cli.options import ConflictOptions
    from dartsctl.config.settings import Settings
    from dartsctl.ports.choices import Policy
    from dartsctl.workflows.up.answers import Answers


def answers_of(
    common: Common,
    settings: Settings,
    name: str,
    options: ConflictOptions,
) -> Answers:
    """Return the answers for the environment `name`: an option goes before the settings.

    Without either, the answer depends on whether there is a terminal to ask at.
    """
    from dartsctl.stack.waits import SHORTEST_DEADLINE
    from dartsctl.workflows.up.answers import Answers

    configured = settings.environments[name]
    production = {port for ports in settings.ports.production.values() for port in ports}
    return Answers(
        policy=policy_named(options.on_conflict) or configured.on_conflict,
        yes=common.yes,
        wait_timeout=options.wait_timeout or configured.wait_timeout or SHORTEST_DEADLINE,
        health_timeout=options.wait_timeout or configured.wait_timeout,
        avoid=frozenset(production.union(settings.ports.dev_range.numbers)),
        production_project=settings.production_project,
        removable=frozenset(options.remove_container or ()),
    )


def answers_without_settings(
    common: Common,
    options: ConflictOptions,
) -> Answers:
    """Return the answers for any Compose files. No binding is remapped.

    Production's containers are spared if settings name its project.
    """
    from dartsctl.stack.waits import SHORTEST_DEADLINE
    from dartsctl.workflows.up.answers import Answers

    return Answers(
        policy=policy_named(options.on_conflict),
        yes=common.yes,
        wait_timeout=options.wait_timeout or SHORTEST_DEADLINE,
        health_timeout=options.wait_timeout,
        production_project=_production_project(common),
        removable=frozenset(options.remove_container or ()),
        remappable=False,
    )


def policy_named(text: str | None) -> Policy | None:
    """Return `--on-conflict` as a policy. Raises UsageError for another word."""
    from dartsctl.config.settings import ON_CONFLICT

    return one_of("--on-conflict", text, ON_CONFLICT)


def _production_project(common: Common) -> str:
    """Return production's Compose project, empty if no settings name it."""
    try:
        settings = common.settings()
    except DartsctlError:  # files that are named on the command line need no settings
        return ""
    return settings.production_project if settings.source else ""
