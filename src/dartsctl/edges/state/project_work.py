"""What a dartsctl does to a Compose project, or did last: the record in the project's lock file.

Who holds the lock writes it when the work begins and when it ends. A process that was killed leaves
a record without an end; then the kernel says that it does not hold the lock any more.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from urllib.parse import quote

from dartsctl.edges.state.folder import open_shared, owners_in, parse_json
from dartsctl.edges.state.lock_owner import birth_of, holds_lock
from dartsctl.records import as_dict, record, replace
from dartsctl.system.files import Folder, UnsafeFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

FOLDER = "projects"

_LARGEST = 1 << 16  # bytes
_MOST_SERVICES = 500
_LATEST = 1 << 40  # Unix time, seconds


@record
class ProjectWork:
    """Times are Unix time, in seconds."""

    pid: int = 0
    birth: int | None = None
    """As lock_owner.birth_of; None where the system does not say."""
    verb: str = ""
    """`up`, `down`, `restart`, `doctor --fix`; empty in a record of an earlier version."""
    services: tuple[str, ...] = ()
    """Empty: all."""
    began: float = 0.0
    ended: float | None = None
    succeeded: bool = False
    goes_on: bool = False
    """Whether the process is there and holds the lock. Not a part of the record."""


def lock_name(project: str) -> str:
    """Return the name of the project's lock file."""
    return f"{quote(project, safe='')}.lock"


def begin(descriptor: int, verb: str, services: tuple[str, ...], now: float) -> ProjectWork:
    """Write the record of this process, which holds the lock. Raises OSError."""
    pid = os.getpid()
    if len(services) > _MOST_SERVICES:
        services = ()
    work = ProjectWork(pid, birth_of(pid), verb, services, began=now)
    _write(descriptor, work)
    return work


def end(descriptor: int, work: ProjectWork, now: float, *, succeeded: bool) -> None:
    """Write how the work ended, while the lock is still held. Raises OSError."""
    _write(descriptor, replace(work, ended=now, succeeded=succeeded))


def recorded(descriptor: int) -> ProjectWork | None:
    """Return the record in an opened lock file; None without one."""
    try:
        document = parse_json(os.pread(descriptor, _LARGEST, 0))
    except (OSError, ValueError):
        return None
    pid = _number(document, 1 << 31)
    if pid is not None:  # the record of an earlier version
        return ProjectWork(pid)
    if not isinstance(document, Mapping):
        return None
    return _work(document)


def project_work(state: Path, project: str) -> ProjectWork | None:
    """Return what goes on, or what was done last; None without a record. Never takes the lock."""
    try:
        with open_shared(state, FOLDER) as folder:
            return _read(folder, lock_name(project))
    except (OSError, UnsafeFile):
        return None


def stamp(state: Path, project: str) -> tuple[int, ...]:
    """Return what changes with every record; empty without a lock file."""
    try:
        status = (state / FOLDER / lock_name(project)).lstat()
    except OSError:
        return ()
    return (status.st_mtime_ns, status.st_ino, status.st_size)


def _read(folder: Folder, name: str) -> ProjectWork | None:
    descriptor = folder.open(name, owners=owners_in(folder))
    try:
        work = recorded(descriptor)
        if work is None or work.ended is not None:
            return work
        return replace(work, goes_on=_goes_on(work, folder.path / name, os.fstat(descriptor)))
    finally:
        os.close(descriptor)


def _goes_on(work: ProjectWork, path: Path, status: os.stat_result) -> bool:
    """Whether the process of the record still works. Its descriptors may be invisible to us."""
    if work.birth is not None and birth_of(work.pid) != work.birth:
        return False
    holds = holds_lock(work.pid, path, status)
    if holds is None:
        return work.birth is not None
    return holds


def _write(descriptor: int, work: ProjectWork) -> None:
    record: dict[str, Any] = as_dict(work)
    del record["goes_on"]
    # a reader in between sees no JSON, or the whole record
    os.truncate(descriptor, os.pwrite(descriptor, json.dumps(record).encode(), 0))


def _work(document: Mapping[str, Any]) -> ProjectWork | None:
    pid, began = _number(document.get("pid"), 1 << 31), _time(document.get("began"))
    verb, services = document.get("verb"), document.get("services")
    if pid is None or began is None or not isinstance(verb, str):
        return None
    if not isinstance(services, list) or not all(isinstance(name, str) for name in services):
        return None
    return ProjectWork(
        pid=pid,
        birth=_number(document.get("birth"), 1 << 63),
        verb=verb[:40],
        services=tuple(services[:_MOST_SERVICES]),
        began=began,
        ended=_time(document.get("ended")),
        succeeded=document.get("succeeded") is True,
    )


def _number(value: object, limit: int) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < limit:
        return None
    return value


def _time(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LATEST:
        return None
    return float(value)
