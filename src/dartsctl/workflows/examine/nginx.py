"""Read nginx's configuration and its error log in its container. Reads only."""

from __future__ import annotations

import io
import posixpath
from typing import TYPE_CHECKING

from dartsctl.diagnosis.nginx import config as nginx_config
from dartsctl.diagnosis.nginx.limits import LimitedRequest, parse_limited
from dartsctl.diagnosis.nginx.log import (
    FailureCount,
    LoggedFailure,
    count_failures,
    parse_line,
    seconds_east,
)
from dartsctl.errors import DartsctlError
from dartsctl.records import record
from dartsctl.text.patterns import regex

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Sequence

    from dartsctl.diagnosis.facts import ContainerFacts
    from dartsctl.diagnosis.nginx.config import Config, Listen
    from dartsctl.edges.engine.protocol import EngineControl
    from dartsctl.edges.host.container_root import ContainerRoot

_MAIN_FILE = regex(
    r"(?:^|[\s/'\"])(?:nginx|nginx-debug|openresty|angie)\s(?:daemon o(?:ff|n);|[^|&;\n])*?"
    r"(?<=\s)-c\s*['\"]?(/[^\s'\";]+)"
)
"""The file after `-c` of nginx, within one command of a shell."""
_FOLDERS = (
    "/etc/nginx",
    "/usr/local/openresty/nginx/conf",
    "/opt/bitnami/nginx/conf",
    "/usr/local/nginx/conf",
)
DEFAULT_LOG = "/var/log/nginx/error.log"
_NO_FILES = (
    "stderr",
    "/dev/stderr",
    "/dev/stdout",
    "/proc/self/fd/2",
    "/proc/self/fd/1",
    "/dev/null",
)
_LINES = 4000
"""Lines of the engine's log."""
_LOG_BYTES = 200_000
"""The end of a log file that is read."""
_MOST_LIMITED = 1000
"""Lines about limited requests that are kept, the last ones."""
_CONFIG_BYTES = 1 << 20
"""Larger files are no configuration."""


_MAIN = regex(r"(?m)(?:^|[;}])\s*(?:events\s*\{|include\s)")
"""nginx does not start without it. Other programs have a `-c FILE` too: httpd, gunicorn."""


@record
class ConfigReading:
    """nginx's configuration as far as it could be read, and the probe that read it."""

    config: Config | None
    problem: str = ""
    source: str = ""

    @property
    def listens(self) -> tuple[Listen, ...]:
        return self.config.listens if self.config else ()


@record
class LogReading:
    """The failures in nginx's error log, and where it was read."""

    failures: tuple[FailureCount, ...] = ()
    source: str = ""
    limited: tuple[LimitedRequest, ...] = ()
    """The requests that a limit of the site refused or delayed, the latest last."""


def configuration(
    container: ContainerFacts,
    command: Sequence[str],
    control: EngineControl,
    root: ContainerRoot | None = None,
) -> ConfigReading:
    """Return the configuration: by `nginx -T` in the container, else from its files.

    nginx prints nothing while a name or a certificate is missing (edge-cases.md#71). `root`: the
    container's folder, if it is on this host: what is surely not there is not asked for.
    """
    main = main_file(command)
    reason = f"{container.name} is {container.state}"
    try:
        if container.runs:
            files, reason = _dump(container, main, control, root)
            if files:
                source = f"nginx -T in {container.name}"
                return ConfigReading(nginx_config.read(files), "", source)
        reading = _from_files(container, main, control, root)
        if reading:
            return ConfigReading(reading.config, reason, reading.source)
    except DartsctlError as error:
        reason = error.message
    return ConfigReading(None, f"nginx's configuration could not be read: {reason}")


def main_file(command: Sequence[str]) -> str:
    """Return the file that a command line gives to nginx, empty if none.

    A `-c` before nginx is another program's: `sh -c "exec nginx"`.
    """
    match = _MAIN_FILE.search(" ".join(command))
    return match[1] if match else ""


def _dump(
    container: ContainerFacts, main: str, control: EngineControl, root: ContainerRoot | None
) -> tuple[dict[str, str], str]:
    """Return what `nginx -T` prints, else none and the reason."""
    reason = f"nginx -T cannot be run in {container.name}"
    if root and root.lacks_program("nginx"):
        return {}, reason
    words = ["nginx", "-T"]
    if main:
        words += ["-c", main]
    result = control.execute(container.id, words)
    if result is None:
        return {}, reason
    code, stdout, stderr = result
    if code == 0:
        return nginx_config.dumped(stdout), reason
    for line in stderr.splitlines():
        if "[emerg]" in line:
            return {}, line
    return {}, reason


def _from_files(
    container: ContainerFacts, main: str, control: EngineControl, root: ContainerRoot | None
) -> ConfigReading | None:
    """Return the configuration from the first folder that has its main file."""
    folders = (posixpath.dirname(main),) if main else _FOLDERS
    for folder in folders:
        if root and root.lacks(folder):
            continue
        place = main if folder == "/" else f"{folder}/."  # never everything
        files = _texts(control.archive(container.id, place), folder)
        path = main or f"{folder}/nginx.conf"
        if path in files and _MAIN.search(files[path]):
            source = f"engine: {path} in {container.name}"
            return ConfigReading(nginx_config.read(files, path), "", source)
    return None


def _texts(archive: bytes, folder: str) -> dict[str, str]:
    """Return the files of a tar archive by their paths in the container, without private keys."""
    texts: dict[str, str] = {}
    if not archive:
        return texts
    import tarfile

    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for member in tar:
                text = _text(tar, member)
                if text is not None and "PRIVATE KEY" not in text:
                    texts[posixpath.normpath(posixpath.join(folder, member.name))] = text
    except tarfile.TarError:
        return {}
    return texts


def _text(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str | None:
    """Return a file's text; None for a folder, a link, or what is too large."""
    if not member.isfile() or member.size > _CONFIG_BYTES:
        return None
    file = tar.extractfile(member)
    if file is None:
        return None
    return file.read().decode(errors="replace")


def error_log(
    container: ContainerFacts, config: Config | None, control: EngineControl
) -> LogReading:
    """Return the failures and the limited requests in nginx's error log.

    Read from the files that the configuration names, rotated once, and from the engine's log.
    """
    lines = _LogLines()
    sources: list[str] = []
    try:
        if container.runs and config is not None:
            for path in _log_files(config):
                is_read = _read_file(container, path, control, lines)
                sources += [f"nginx error log {path} in {container.name}"] if is_read else []
        logged = control.log(container.id, tail=_LINES, timestamps=True)
    except DartsctlError:
        return lines.reading(sources)
    if logged is not None:
        sources.append(f"nginx error log (engine: logs {container.name})")
        for line in logged:
            lines.add(line.text, stamp=line.when)
    return lines.reading(sources)


class _LogLines:
    """What the lines of several logs say."""

    def __init__(self) -> None:
        self._failures: list[LoggedFailure] = []
        self._limited: list[LimitedRequest] = []

    def add(self, line: str, *, stamp: str = "", offset: float = 0.0) -> None:
        if failure := parse_line(line, stamp=stamp, offset=offset):
            self._failures.append(failure)
        elif limited := parse_limited(line, stamp=stamp, offset=offset):
            self._limited.append(limited)

    def reading(self, sources: Sequence[str]) -> LogReading:
        self._failures.sort(key=lambda failure: failure.when or 0.0)
        failures = count_failures(self._failures)
        return LogReading(failures, ", ".join(sources), tuple(self._limited[-_MOST_LIMITED:]))


def _log_files(config: Config) -> list[str]:
    paths = config.error_logs or (DEFAULT_LOG,)
    return [
        posixpath.join("/etc/nginx", path)
        for path in paths
        if path not in _NO_FILES and not path.startswith("syslog:")
    ]


def _read_file(
    container: ContainerFacts, path: str, control: EngineControl, lines: _LogLines
) -> bool:
    """Add the lines of a log file and of its rotated predecessor.

    Return False if it is no regular file: in the official image it is a link to stderr, and
    reading that would block.
    """
    test = control.execute(container.id, ["test", "-f", path])
    if test is None or test[0] != 0:
        return False
    offset = _seconds_east_of_utc(container, control)
    for name in (f"{path}.1", path):
        tail = control.execute(container.id, ["tail", "-c", str(_LOG_BYTES), name])
        if tail is not None and tail[0] == 0:
            for line in tail[1].splitlines():
                lines.add(line, offset=offset)
    return True


def _seconds_east_of_utc(container: ContainerFacts, control: EngineControl) -> float:
    """Return the container's time zone; 0 if it has no `date`."""
    zone = control.execute(container.id, ["date", "+%z"])
    if zone is None or zone[0] != 0:
        return 0.0
    return seconds_east(zone[1])
