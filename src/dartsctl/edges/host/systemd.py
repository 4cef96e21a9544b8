"""systemd: which unit keeps a process running or a port open, and stopping it.

See edge-cases.md#20 and edge-cases.md#21.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl import spawn
from dartsctl.errors import DartsctlError
from dartsctl.ports.holders.kinds import SystemdUnit
from dartsctl.text.numbers import parse_digits
from dartsctl.text.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Collection

    from dartsctl.ports.process import Process

_UNIT = regex(r"/([^/\n]+\.service)")
_USER_MANAGER = regex(r"user@\d+\.service")
_LIST_SOCKETS = ("systemctl", "list-sockets", "--no-legend", "--no-pager", "--full")
RUNNING = Path("/run/systemd/system")
"""Exists if systemd is the init system (sd_booted(3))."""
DEADLINE = 60.0
"""Seconds for stopping a unit."""
_QUERY_DEADLINE = 5.0


def unit_of(
    process: Process,
    ports: Collection[int] = (),
    *,
    running: Path = RUNNING,
    proc: Path = Path("/proc"),
) -> SystemdUnit | None:
    """Return the unit to stop so that `process` ends and is not started again.

    For systemd itself (pid 1): the socket units that listen on `ports`, and their services.
    For others: the service whose main process is `process` or an ancestor of it in the same
    session. A process that a service starts and detaches (sshd, cron) has a session of its own, and
    the service is not to be stopped for it.
    None if systemd does not run, or does not manage the process.
    """
    if not running.exists():
        return None
    if process.pid == 1:
        return _sockets_on(ports)
    try:
        cgroup = (proc / str(process.pid) / "cgroup").read_text(encoding="utf-8")
    except OSError:
        return None
    services = _UNIT.findall(cgroup)
    names = [name for name in services if not _USER_MANAGER.fullmatch(name)]
    if not names:
        return None
    of_user, name = len(names) < len(services), names[-1]
    main = parse_digits(_show(name, "MainPID", of_user=of_user))
    ancestry = {process.pid, *(pid for pid, _ in process.parents)} - {0, 1}
    if main is None or main not in ancestry or not _same_session(process.pid, main):
        return None
    triggers = _show(name, "TriggeredBy", of_user=of_user).split()
    sockets = [trigger for trigger in triggers if trigger.endswith(".socket")]
    return SystemdUnit((*sockets, name), of_user, main)


def stop(unit: SystemdUnit) -> None:
    """Stop the unit, without asking for a password.

    Raises DartsctlError with systemctl's message, and the command for root as its hint.
    """
    done = spawn.run(
        [*_systemctl(of_user=unit.of_user), "--no-ask-password", "stop", *unit.names],
        deadline=DEADLINE,
    )
    if done.code:
        hint = unit.stop_command if unit.of_user else f"sudo {unit.stop_command}"
        raise DartsctlError(
            f"systemctl could not stop {', '.join(unit.names)}: {done.stderr.strip()}", hint=hint
        )


def _same_session(pid: int, main: int) -> bool:
    try:
        return os.getsid(pid) == os.getsid(main)
    except OSError:
        return False


def _sockets_on(ports: Collection[int]) -> SystemdUnit | None:
    """Return the socket units that listen on `ports`, with the services that they start.

    A line of `systemctl list-sockets` has LISTEN UNIT ACTIVATES. LISTEN is one address: `[::]:80`,
    `0.0.0.0:80`, `/run/x.sock`.
    """
    try:
        done = spawn.run(_LIST_SOCKETS, deadline=_QUERY_DEADLINE)
    except DartsctlError:
        return None
    if done.code != 0:
        return None
    sockets: list[str] = []
    services: list[str] = []
    for line in done.stdout.splitlines():
        address, name, *activated = [*line.split()[:3], "", ""]
        port = parse_digits(address.rpartition(":")[2])
        if port not in ports or not name.endswith(".socket"):
            continue
        sockets.append(name)
        services += [unit for unit in activated if unit.endswith(".service") and "@" not in unit]
    if not sockets:
        return None
    return SystemdUnit(tuple(dict.fromkeys([*sockets, *services])), main=1)


def _systemctl(*, of_user: bool) -> list[str]:
    return ["systemctl", "--user"] if of_user else ["systemctl"]


def _show(name: str, wanted: str, *, of_user: bool) -> str:
    """Return a property of a unit, empty if systemctl does not show it."""
    command = [*_systemctl(of_user=of_user), "show", "--property", wanted, "--value", name]
    try:
        done = spawn.run(command, deadline=_QUERY_DEADLINE)
    except DartsctlError:
        return ""
    return done.stdout.strip() if done.code == 0 else ""
