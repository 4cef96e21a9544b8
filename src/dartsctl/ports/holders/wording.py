"""How a process or a container is described, in words and in JSON, by every holder that is one."""

from __future__ import annotations

import time

from dartsctl.text.phrases import duration
from dartsctl.text.safe_text import cut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from dartsctl.ports.holders.kinds import ProcessDetails
    from dartsctl.ports.process import Process
    from dartsctl.stack.containers import Container

_COMMAND_LIMIT = 200  # characters
_SUMMARY_LIMIT = 160  # characters


def process_line(process: Process) -> str:
    """`python (pid 1234, user dev, for 2 h): .venv/bin/python run.py, in /home/dev/darts`."""
    user = after(", user ", process.user)
    age = f", for {duration(time.time() - process.started)}" if process.started else ""
    command = cut(process.shown_command, _COMMAND_LIMIT)
    folder = after(", in ", process.cwd)
    return f"{process.name} (pid {process.pid}{user}{age}): {command}{folder}"


def after(words: str, value: str | None) -> str:
    """The words and the value, empty without a value."""
    return f"{words}{value}" if value else ""


def pid_of(process: Process | None) -> int | None:
    """The pid, None for a process that is not visible."""
    return process.pid if process else None


def in_brackets(process: Process | None) -> str:
    """` (pid 1234)`; empty for a process that is not visible."""
    return f" (pid {process.pid})" if process else ""


def process_summary(process: Process) -> str:
    """`python (pid 1234: .venv/bin/python run.py)`."""
    return f"{process.name} (pid {process.pid}: {cut(process.shown_command, _SUMMARY_LIMIT)})"


def process_document(process: Process | None) -> dict[str, Any]:
    """A process for a program; empty for a process that is not visible."""
    if process is None:
        return {}
    return {
        "pid": process.pid,
        "name": process.name,
        "command": list(process.shown_words),
        "user": process.user,
        "cwd": process.cwd,
        "started": process.started,
        "parents": [{"pid": pid, "name": name} for pid, name in process.parents],
        "children": list(process.children),
    }


def process_details(process: Process, host: ProcessDetails) -> list[str]:
    """Everything known about a process, for somebody who is about to stop it."""
    parents = [f"{name} ({pid})" for pid, name in process.parents]
    ports = host.listening_on(process.pid)
    return [
        f"  {process_line(process)}",
        f"    parents: {' < '.join(parents) or '-'}",
        f"    children: {_joined(process.children)}",
        f"    listens on: {_joined(ports)}",
    ]


def container_line(container: Container) -> str:
    """`darts-app of project darts (running), files in /srv/darts`."""
    folder = after(", files in ", container.working_dir)
    return f"{container.name}{of_project(container)} ({container.state}){folder}"


def of_project(container: Container) -> str:
    """` of project darts`; empty for a container without a project."""
    return after(" of project ", container.project)


def container_document(container: Container) -> dict[str, Any]:
    """A container for a program."""
    return {
        "container": container.name,
        "id": container.short_id,
        "image": container.image,
        "state": container.state,
        "project": container.project,
        "service": container.service,
        "working_dir": container.working_dir,
    }


def container_details(container: Container) -> list[str]:
    """Everything known about a container, for somebody who is about to stop it."""
    project, service = container.project or "-", container.service or "-"
    files = ", ".join(container.config_files) or "-"
    status = container.status or container.state
    return [
        f"  {container_line(container)}",
        f"    id {container.short_id}, image {container.image}, {status}",
        f"    project: {project}, service: {service}, files: {files}",
        f"    publishes: {_joined(container.published)}",
    ]


def _joined(values: Iterable[object]) -> str:
    return ", ".join(map(str, values)) or "-"
