"""`ports`."""

from __future__ import annotations

from dartsctl.cli.parameters import verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.cli.deps import Common
    from dartsctl.config.environment import Environment
    from dartsctl.config.settings import Settings


@verb()
def ports(*, common: Common) -> int:
    """Show who owns each port and who is using it.

    Covers production's ports, the dev range, and ports that were remapped.

    \b
    dartsctl ports
    dartsctl ports --json | jq '.production[] | select(.state == "wrong owner")'
    """
    from dartsctl.cli.deps import deps_of
    from dartsctl.commands.ports import PortsRequest
    from dartsctl.commands.ports import ports as run_ports
    from dartsctl.config.documented_ports import documented_ports
    from dartsctl.config.settings import PRODUCTION

    settings = common.settings()
    others = (name for name in settings.environments if name != PRODUCTION)
    production, problem = _production(settings)
    request = PortsRequest(
        documented_ports(settings),
        settings.ports.dev_range,
        production=production,
        problem=problem,
        projects=tuple(settings.environments[name].project for name in others),
    )
    return run_ports(request, deps=deps_of(common))


def _production(settings: Settings) -> tuple[Environment | None, str]:
    """Return the production environment, or why its Compose files are not known."""
    from dartsctl.cli.deps import files_reader
    from dartsctl.config.environment import resolve
    from dartsctl.config.settings import PRODUCTION
    from dartsctl.errors import DartsctlError

    try:
        return resolve(settings, PRODUCTION, reader=files_reader()), ""
    except DartsctlError as error:
        return None, error.message
