"""systemd, where it runs: which unit keeps a process alive or a port open, and stopping that unit (edge-cases.md#20, edge-cases.md#21)."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path

from dartsctl import spawn
from dartsctl.errors import DartsctlError
from dartsctl.ports.holders.kinds import SystemdUnit
from dartsctl.ports.process import Process
from dartsctl.text.numbers import parse_digits

_UNIT = re.compile(r"/([^/\n]+\.service)")
_USER_MANAGER = re.compile(r"user@\d+\.service")
RUNNING = Path("/run/systemd/system")
"""Exists where systemd is the init system (sd_booted(3))."""
DEADLINE = 60.0


def unit_of(
    process: Process,
    ports: Collection[int] = (),
    *,
    running: Path = RUNNING,
    proc: Path = Path("/proc"),
) -> SystemdUnit | None:
    """The unit to stop so that `process` ends and stays away, None where systemd has nothing to do with it.

    For systemd itself (pid 1): the socket units that listen on `ports`, and the services that they start. For others the service whose main process
    it is or descends from, in the same session: what a service merely starts and lets go (sshd, cron) has a session of its own, and stopping
    that service would not be what is meant.
    """
    if not running.exists():
        return None
    if process.pid == 1:
        return _sockets_on(ports)
    try:
        found = _UNIT.findall((proc / str(process.pid) / "cgroup").read_text(encoding="utf-8"))
    except OSError:
        return None
    names = [name for name in found if not _USER_MANAGER.fullmatch(name)]
    if not names:
        return None
    of_user, name = len(names) < len(found), names[-1]
    main = parse_digits(_show(name, "MainPID", of_user=of_user))
    family = {process.pid, *(pid for pid, _ in process.parents)} - {0, 1}
    if main is None or main not in family or not _same_session(process.pid, main):
        return None
    sockets = [
        one
        for one in _show(name, "TriggeredBy", of_user=of_user).split()
        if one.endswith(".socket")
    ]
    return SystemdUnit((*sockets, name), of_user, main)


def _same_session(pid: int, main: int) -> bool:
    try:
        return os.getsid(pid) == os.getsid(main)
    except OSError:
        return False


def _sockets_on(ports: Collection[int]) -> SystemdUnit | None:
    """From `systemctl list-sockets`: LISTEN UNIT ACTIVATES, one listening address a line (`[::]:80`, `0.0.0.0:80`, `/run/x.sock`)."""
    try:
        done = spawn.run(
            ["systemctl", "list-sockets", "--no-legend", "--no-pager", "--full"], deadline=5
        )
    except DartsctlError:
        return None
    sockets: list[str] = []
    services: list[str] = []
    for line in done.stdout.splitlines() if done.code == 0 else ():
        address, name, *activated = line.split()[:3] if len(line.split()) >= 2 else ("", "")
        if parse_digits(address.rpartition(":")[2]) in ports and name.endswith(".socket"):
            sockets.append(name)
            services += [one for one in activated if one.endswith(".service") and "@" not in one]
    return SystemdUnit(tuple(dict.fromkeys([*sockets, *services])), main=1) if sockets else None


def stop(unit: SystemdUnit) -> None:
    """Stop the unit. Raises DartsctlError with systemctl's words, and the same command for root; nobody is asked for a password."""
    done = spawn.run(
        [*_systemctl(of_user=unit.of_user), "--no-ask-password", "stop", *unit.names],
        deadline=DEADLINE,
    )
    if done.code:
        hint = unit.stop_command if unit.of_user else f"sudo {unit.stop_command}"
        raise DartsctlError(
            f"systemctl could not stop {', '.join(unit.names)}: {done.stderr.strip()}", hint=hint
        )


def _systemctl(*, of_user: bool) -> list[str]:
    return ["systemctl", "--user"] if of_user else ["systemctl"]


def _show(name: str, wanted: str, *, of_user: bool) -> str:
    try:
        done = spawn.run(
            [*_systemctl(of_user=of_user), "show", "--property", wanted, "--value", name],
            deadline=5,
        )
    except DartsctlError:
        return ""
    return done.stdout.strip() if done.code == 0 else ""
