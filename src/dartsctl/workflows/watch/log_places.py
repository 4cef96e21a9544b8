"""Where nginx in a container writes its errors."""

from __future__ import annotations

import posixpath
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from dartsctl.records import record
from dartsctl.workflows.examine.nginx import DEFAULT_LOG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.diagnosis.nginx.config import Config
    from dartsctl.edges.engine.protocol import EngineControl
    from dartsctl.stack.model import Mount

_STDERR = ("stderr", "/dev/stderr", "/proc/self/fd/2", "/proc/1/fd/2")
_STDOUT = ("/dev/stdout", "/proc/self/fd/1", "/proc/1/fd/1")
_MOST_LINKS = 5
_UNREADABLE = ("syslog:", "memory:", "/dev/null")


@record
class LogPlaces:
    """Where the errors are. The container's stderr is always one of the places."""

    stdout: bool = False
    """Its stdout too."""
    files: tuple[str, ...] = ()
    """Regular files in the container."""
    missing: tuple[str, ...] = ()
    """Files that are not there (yet), or cannot be asked about."""
    elsewhere: tuple[str, ...] = ()
    """What nobody can follow: `syslog:server=10.0.0.9`."""


def find_places(identity: str, config: Config | None, control: EngineControl) -> LogPlaces:
    """Return where the errors of nginx in a container are. Raises DockerUnavailable.

    In the official image the default file is a link to stderr.
    """
    is_stdout = False
    files: list[str] = []
    missing: list[str] = []
    elsewhere: list[str] = []
    for written in _written(config):
        if written.startswith(_UNREADABLE):
            elsewhere.append(written)
            continue
        path, is_file = _resolved(identity, written, control)
        if path in _STDOUT:
            is_stdout = True
        elif is_file:
            files.append(path)
        elif path not in _STDERR:
            missing.append(path)
    return LogPlaces(is_stdout, tuple(files), tuple(missing), tuple(elsewhere))


def _resolved(identity: str, written: str, control: EngineControl) -> tuple[str, bool]:
    """Return where a path leads to, and whether that is a regular file."""
    path = written
    if written not in (*_STDERR, *_STDOUT):
        path = posixpath.join("/etc/nginx", written)
    for _ in range(_MOST_LINKS):
        if path in (*_STDERR, *_STDOUT):
            break
        file = control.file(identity, path)
        if file is None or not file.link:
            return path, file is not None and file.is_regular
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), file.link))
    return path, False


def _written(config: Config | None) -> Sequence[str]:
    if config is None or not config.error_logs:
        return (DEFAULT_LOG,)
    return config.error_logs


def host_path(path: str, mounts: Sequence[Mount]) -> Path | None:
    """Return where this host has a file of a container, None if it is not in a folder of ours."""
    wanted = PurePosixPath(path)
    best: Mount | None = None
    for mount in mounts:
        is_closer = best is None or len(mount.target) > len(best.target)
        if is_closer and wanted.is_relative_to(mount.target):
            best = mount
    if best is None:
        return None
    return Path(best.source, wanted.relative_to(best.target))
