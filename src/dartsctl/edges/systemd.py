"""systemd, where it runs: which unit keeps a process alive, and stopping that unit (EDGE 20, 21)."""

from __future__ import annotations

import re
from pathlib import Path

from dartsctl import spawn
from dartsctl.errors import DartsctlError
from dartsctl.process import Process

_UNIT = re.compile(r"/([^/\n]+\.service)")
_USER_MANAGER = re.compile(r"user@\d+\.service")
DEADLINE = 60.0


def unit_of(process: Process) -> str:
    """The service whose main process this one is, or descends from: `name.service`, `user:name.service` for a user's; empty for none.

    A process that a unit merely started and let go (cron, sshd) is not its main process: stopping the unit would not be what is meant.
    """
    if not Path("/run/systemd/system").exists():
        return ""
    try:
        found = _UNIT.findall(Path(f"/proc/{process.pid}/cgroup").read_text(encoding="utf-8"))
    except OSError:
        return ""
    names = [name for name in found if not _USER_MANAGER.fullmatch(name)]
    if not names:
        return ""
    unit = f"user:{names[-1]}" if len(names) < len(found) else names[-1]
    main = _show(unit, "MainPID")
    family = {process.pid, *(pid for pid, _ in process.parents)}
    return unit if main.isdigit() and int(main) in family - {0, 1} else ""


def stop(unit: str) -> tuple[str, ...]:
    """Stop the unit, and first the sockets that would start it again; returns what was stopped. Raises DartsctlError with systemctl's words."""
    names = [name for name in _show(unit, "TriggeredBy").split() if name.endswith(".socket")]
    names.append(unit.removeprefix("user:"))
    done = spawn.run([*_systemctl(unit), "stop", *names], deadline=DEADLINE)
    if done.code:
        command = " ".join([*_systemctl(unit), "stop", *names])
        raise DartsctlError(f"systemctl could not stop {unit.removeprefix('user:')}: {done.stderr.strip()}", hint=f"sudo {command}")
    return tuple(names)


def _systemctl(unit: str) -> list[str]:
    return ["systemctl", "--user"] if unit.startswith("user:") else ["systemctl"]


def _show(unit: str, name: str) -> str:
    try:
        done = spawn.run([*_systemctl(unit), "show", "--property", name, "--value", unit.removeprefix("user:")], deadline=5)
    except DartsctlError:
        return ""
    return done.stdout.strip() if done.code == 0 else ""
