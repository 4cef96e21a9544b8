"""The entry point that a command line starts, changed so that it takes the leased port."""

from __future__ import annotations

import posixpath
import re

from dartsctl.discovery.app.command_words import (
    Program,
    numbered_programs,
    program_of,
    without_address,
)
from dartsctl.discovery.app.entry import PYTHON, CommandLine, EntryPoint
from dartsctl.discovery.app.imported_app import (
    FLASK_ADDRESS,
    of_asgi_server,
    of_fastapi,
    of_flask,
    of_target,
    of_wsgi_server,
)
from dartsctl.discovery.app.server_calls import ServerCall, server_call
from dartsctl.discovery.app.sources import Sources
from dartsctl.records import replace
from dartsctl.server.request import PORT_VARIABLES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def entry_of(sources: Sources, command: CommandLine) -> EntryPoint | None:
    """Return the entry point that a command line starts; None for what is no Python server."""
    program = program_of(command.words)
    if program is None:
        return _of_shell_script(sources, command)
    return in_folders(sources, program, command)


def _of_shell_script(sources: Sources, command: CommandLine) -> EntryPoint | None:
    """Return what a shell script of the app starts in its end, such as an entrypoint.sh."""
    for word in command.words:
        name = posixpath.basename(word)
        for path in (word.lstrip("./"), name):
            text = sources.texts.get(path)
            if text is None or not name.endswith(".sh"):
                continue
            for line, program in reversed(list(numbered_programs(text))):
                inner = replace(command, where=f"{path}:{line}")
                if entry := in_folders(sources, program, inner):
                    return entry
    return None


def in_folders(sources: Sources, program: Program, command: CommandLine) -> EntryPoint | None:
    """Return the entry point of a program in the app's folder, or in one that is copied."""
    folders = [folder for folder in command.folders if folder != "."]
    if folders:
        entry = _of_program(Sources(sources.texts, roots=("",)), program, command)
        if entry is not None:
            return entry
    for folder in folders:
        entry = _of_program(sources.below(folder), program, command)
        if entry is not None:
            return replace(entry, directory=folder)
    return _of_program(sources, program, command)


def _of_program(sources: Sources, program: Program, command: CommandLine) -> EntryPoint | None:
    entry: EntryPoint | None = None
    if program.is_file:
        path = _existing(sources, program.name)
        entry = of_script(sources, path, program.words, command.where)
    elif program.is_module:
        entry = of_module(sources, program, command.where)
    elif program.name == "flask":
        named = command.variables.get("FLASK_APP", "")
        entry = of_flask(sources, program.words, named, command.where)
    elif program.name == "fastapi":
        entry = of_fastapi(sources, program.words, command.where)
    elif program.name in ("uvicorn", "hypercorn", "daphne"):
        entry = of_asgi_server(sources, program, command.where)
    else:
        entry = of_wsgi_server(sources, program, command.where)
    return entry


def _existing(sources: Sources, name: str) -> str:
    """Return the app's file for a path in the image: `/app/run.py` is `run.py`."""
    parts = posixpath.normpath(name).lstrip("/").split("/")
    if not name.startswith("/"):
        parts = ["/".join(parts)]
    for first in range(len(parts)):
        path = "/".join(parts[first:])
        if path in sources.texts:
            return path
    return ""


# --- Python files ------------------------------------------------------------------------------


def of_script(
    sources: Sources, path: str, words: Sequence[str], where: str, *, start: Sequence[str] = ()
) -> EntryPoint | None:
    """Return the entry point of a script; `start` are the words that start it, if not its path."""
    if posixpath.basename(path) == "manage.py":
        return _of_manage(sources, path, words, where)
    if sources.tree(path) is None:
        return None
    call = server_call(sources, path)
    command = (PYTHON, *(start or (path,)), *words)
    entry = EntryPoint(command, where, file=path)
    if call is None:
        return replace(entry, sees_port=False)
    entry = replace(entry, framework=call.program, own_port=call.port.number)
    return on_leased_port(sources, entry, call)


def on_leased_port(sources: Sources, entry: EntryPoint, call: ServerCall) -> EntryPoint:
    """Return the entry point, changed so that the app listens on the leased port."""
    port = call.port
    if port.kind == "variable":
        if set(port.names).isdisjoint(PORT_VARIABLES):
            return replace(entry, port_variables=port.names)
        return entry
    if port.kind == "argument" and port.names:
        words = without_address(entry.command[2:], port.names)
        return replace(entry, command=(*entry.command[:2], *words, port.names[0], "{port}"))
    takes_a_socket = call.program in ("Flask", "werkzeug") or (
        call.program == "Flask-SocketIO" and not _is_async(sources, entry.file)
    )
    if takes_a_socket:
        return replace(entry, handover="werkzeug")
    return _by_target(sources, entry, call) or _with_problem(entry, call)


def _by_target(sources: Sources, entry: EntryPoint, call: ServerCall) -> EntryPoint | None:
    """Return how the app of a script with a fixed port is started without the script."""
    if not call.target:
        return None
    if call.program == "uvicorn":
        reload = ["--reload"] * call.reloads
        command = (PYTHON, "-m", "uvicorn", call.target, *reload, "--port", "{port}")
        return replace(entry, command=command)
    if call.program in ("waitress", "gevent", "cheroot", "wsgiref", "hypercorn"):
        return of_target(sources, call.target, entry.where)
    return None


def _with_problem(entry: EntryPoint, call: ServerCall) -> EntryPoint:
    if call.port.kind == "unknown":
        return replace(entry, sees_port=False)
    number = call.port.number or "5000"
    what = "its own default port"
    if call.port.kind == "literal":
        what = f"the port {number}"
    return replace(
        entry,
        problem=f"{call.where} listens on {what} and reads no variable",
        paste=(f'port=int(os.environ.get("PORT", "{number}"))',),
    )


def _is_async(sources: Sources, path: str) -> bool:
    """Return whether Flask-SocketIO uses eventlet or gevent, which take no socket.

    It takes them by itself where they are installed.
    """
    for file in sources.reachable(path):
        if re.search(r"async_mode\s*=\s*[\"']threading", sources.texts[file]):
            return False
    for file, text in sources.texts.items():
        is_list = file.startswith("requirements") or file in ("pyproject.toml", "Pipfile")
        if is_list and re.search(r"(?im)^\W*(eventlet|gevent)\b", text):
            return True
    for file in sources.reachable(path):
        if {"eventlet", "gevent"} & sources.imports(file).keys():
            return True
    return False


def _of_manage(sources: Sources, path: str, words: Sequence[str], where: str) -> EntryPoint | None:
    call = server_call(sources, path)
    if call is None:
        return None
    if call.program == "Django":
        words = ("runserver", "{host}:{port}")
    elif call.program == "Flask-Script":
        words = ("runserver", "-h", "{host}", "-p", "{port}")
    elif call.program == "FlaskGroup":
        kept = without_address([word for word in words if word != "run"], FLASK_ADDRESS)
        words = ("run", *kept)
    else:
        entry = EntryPoint((PYTHON, path, *words), where, call.program, path)
        return on_leased_port(sources, entry, call)
    return EntryPoint((PYTHON, path, *words), where, call.program, path)


def of_module(sources: Sources, program: Program, where: str) -> EntryPoint | None:
    for module in (f"{program.name}.__main__", program.name):
        path = sources.module_file(module)
        if path:
            start = ("-m", program.name)
            return of_script(sources, path, program.words, where, start=start)
    return None
