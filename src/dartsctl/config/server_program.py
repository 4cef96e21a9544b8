"""The command of the host server, and the interpreter and programs that it may use."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from dartsctl.errors import Advice, Refused, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dartsctl.config.settings import Settings
    from dartsctl.config.trust import Trust

ENTRY_POINTS = ("run.py", "app.py")
"""The programs that are searched for without a command in the settings."""


def python_for(*folders: Path, trust: Trust) -> str:
    """Return the interpreter of the first folder that has a virtual environment (.venv or venv).

    Where none has one, it is the interpreter that runs dartsctl. Pass the server's folder, then
    that of the settings. Links are kept: resolved, the path would be that of the system's Python.
    Raises Refused for a virtual environment that is not trusted.
    """
    for environment in _virtual_environments(folders):
        python = environment / "bin" / "python"
        if python.is_file() and os.access(python, os.X_OK):
            trust.require(environment / "pyvenv.cfg")
            return str(python)
    return sys.executable


def program_for(name: str, folders: Sequence[Path], *, trust: Trust) -> Path | None:
    """Return the program of that name in the virtual environment of the first folder that has it.

    None where none has it, and where PATH leads to that virtual environment anyway. One that is not
    trusted is left alone.
    """
    on_path = shutil.which(name)
    for environment in _virtual_environments(folders):
        program = environment / "bin" / name
        if not (program.is_file() and os.access(program, os.X_OK)):
            continue
        if on_path and os.path.realpath(Path(on_path).parent) == os.path.realpath(program.parent):
            return None
        try:
            trust.require(environment / "pyvenv.cfg")
        except Refused:
            return None
        return program
    return None


def _virtual_environments(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        for name in (".venv", "venv"):
            yield Path(os.path.normpath(folder.absolute())) / name


def server_command(settings: Settings) -> tuple[str, ...]:
    """Return the command of the host server; its placeholders are not replaced yet.

    It is the one in the settings, else run.py or app.py in the server's folder. Raises UsageError
    for a missing folder or command, Refused where the file is not trusted. With settings, `init`
    has looked for the command already.
    """
    server = settings.server
    if not server.directory.is_dir():
        raise UsageError(
            f"{settings.origin('server', 'directory')}: no such folder: {server.directory}",
            hint=Advice("name the folder with the source of the app"),
        )
    if server.command:
        return server.command
    for name in ENTRY_POINTS:
        if (server.directory / name).is_file():
            settings.trust.require(server.directory / name)
            return ("{python}", name)
    advice, command = "or let dartsctl look for it:", "dartsctl init"
    if settings.source and settings.environments["dev"].files != ():
        advice, command = "or start the services without a server:", "dartsctl dev up"
    raise UsageError(
        f"no server command in the settings, and no {' or '.join(ENTRY_POINTS)} "
        f"in {server.directory}",
        details=(
            f"add to {settings.path}:",
            "  [server]",
            '  command = ["{python}", "FILE.py"]',
            "or name the command once: dartsctl run -- COMMAND...",
            advice,
        ),
        hint=command,
    )
