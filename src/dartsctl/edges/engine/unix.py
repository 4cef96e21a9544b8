"""The Docker engine's HTTP API on its unix socket: the list of containers in 2 ms, where one `docker ps` takes 50.

Engines behind TCP, TLS or ssh are asked through edges/engine/compose.py.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from dartsctl.diagnosis import log_stream
from dartsctl.diagnosis.log_stream import LogLine
from dartsctl.edges.engine import unix_http
from dartsctl.edges.engine.installation import no_engine
from dartsctl.errors import DartsctlError, DockerUnavailable
from dartsctl.stack import containers
from dartsctl.stack.containers import Container
from dartsctl.stack.engine_rules import EngineRules, Kind
from dartsctl.stack.model import Network, bridge_options
from dartsctl.system import bounded_file
from dartsctl.text.strict_json import Cursor, Source, read_json

if TYPE_CHECKING:
    from dartsctl.diagnosis.inspection import Inspection

ANSWER_LIMIT = 16 << 20
"""Bytes of an answer."""
OUTPUT_LIMIT = 4 << 20
"""Bytes of a log or of a command's output that are looked at."""
_STOP_TIMEOUT = 10
"""Seconds, where neither image nor container says anything else."""
_NEVER_RAN = -1
"""In the place of an exit code: the engine has none for a command that it could not start."""


def _from_file(path: Path) -> Cursor:
    return read_json(bounded_file.read_bytes(path), Source(str(path)))


class UnixEngine:
    """An engine behind a unix socket. Every call raises DockerUnavailable where it does not answer."""

    def __init__(self, address: str, *, deadline: float = 10.0) -> None:
        self.address = address
        self._path = address.removeprefix("unix://")
        self._deadline = deadline
        self._source = Source(
            f"the engine at {address}", error=DockerUnavailable, hint="docker version"
        )

    def control(self) -> UnixEngine:
        """Return itself: it can do all that an EngineControl can."""
        return self

    def describe(self) -> EngineRules:
        """What decides how this engine binds: version, kind, userland proxy, defaults."""
        version = self._get("/version", "version")
        pid, uid = self._peer()
        userland_proxy, default_address = _daemon_settings(pid)
        return EngineRules(
            version=version.at("Version").text(),
            kind=_kind(version.at("Platform").at("Name").text(""), pid, uid),
            userland_proxy=userland_proxy,
            has_ipv6=True,
            default_address=default_address,
            endpoint=self.address,
        )

    def containers(self) -> tuple[Container, ...]:
        """All containers, stopped ones too."""
        return tuple(
            containers.read(row)
            for row in self._get("/containers/json?all=1", "containers").items()
        )

    def network(self, name: str) -> Network | None:
        """What of an existing network decides about bindings; None where there is no such network."""
        try:
            found = self._get(f"/networks/{quote(name, safe='')}", "network")
        except _NotFound:
            return None
        return Network(
            name=found.at("Name").text(),
            driver=found.at("Driver").text("") or "bridge",
            internal=found.at("Internal").flag(),
            external=True,
            ipv4=found.at("EnableIPv4").flag(default=True),
            ipv6=found.at("EnableIPv6").flag(),
            **bridge_options(found.at("Options")),
        )

    def inspect(self, identity: str) -> Inspection | None:
        """What the engine says of one container; None where it is gone."""
        from dartsctl.diagnosis import inspection

        try:
            return inspection.read(
                self._get(f"/containers/{quote(identity, safe='')}/json", "container")
            )
        except _NotFound:
            return None

    def log(
        self, identity: str, *, tail: int, timestamps: bool = False
    ) -> tuple[LogLine, ...] | None:
        """The last `tail` lines of a container's log; None where its logging driver keeps none that can be read, or it is gone (edge-cases.md#78)."""
        path = f"/containers/{quote(identity, safe='')}/logs?stdout=1&stderr=1&tail={tail}&timestamps={int(timestamps)}"
        try:
            return log_stream.lines(
                self._request("GET", path, limit=OUTPUT_LIMIT, cut=True), timestamps=timestamps
            )
        except _NotFound:
            return None
        except DockerUnavailable as error:
            if "does not support reading" in error.message:
                return None
            raise

    def execute(self, identity: str, argv: Sequence[str]) -> tuple[int, str, str] | None:
        """A command inside a running container: its exit code, stdout and stderr; None where the container does not run or has no such command."""
        wish = json.dumps({"AttachStdout": True, "AttachStderr": True, "Cmd": list(argv)}).encode()
        try:
            answer = self._request("POST", f"/containers/{quote(identity, safe='')}/exec", wish)
            made = quote(read_json(answer, self._source, "exec").at("Id").text(), safe="")
            output = self._request(
                "POST",
                f"/exec/{made}/start",
                b'{"Detach": false, "Tty": false}',
                limit=OUTPUT_LIMIT,
                cut=True,
            )
            said = log_stream.output(output)
            code = (
                self._get(f"/exec/{made}/json", "exec")
                .at("ExitCode")
                .integer(_NEVER_RAN, minimum=-1)
            )
        except (_NotFound, _Refused):
            return None
        return None if code in (_NEVER_RAN, 126, 127) else (code, *said)

    def archive(self, identity: str, path: str) -> bytes:
        """A file or folder of a container, running or not, its mounts included, as a tar file; empty where it is not there."""
        try:
            return self._request(
                "GET", f"/containers/{quote(identity, safe='')}/archive?path={quote(path, safe='')}"
            )
        except (_NotFound, _Refused):
            return b""

    def clock(self) -> str:
        """What time it is for the engine, RFC 3339: a virtual machine's clock may be another one than ours (edge-cases.md#79)."""
        return self._get("/info", "info").at("SystemTime").text("")

    def stop_timeout(self, identity: str) -> int:
        """Return the seconds that a container has between SIGTERM and SIGKILL."""
        try:
            answer = self._get(f"/containers/{quote(identity, safe='')}/json", "container")
        except _NotFound:
            return 0
        return max(0, answer.at("Config").at("StopTimeout").integer(_STOP_TIMEOUT, minimum=-1))

    def stop_container(self, identity: str, *, grace: int = 10) -> None:
        """Stop one container: SIGTERM, `grace` seconds, SIGKILL. One that is stopped or gone already is no error."""
        patient = UnixEngine(self.address, deadline=self._deadline + grace)
        try:
            patient._request("POST", f"/containers/{identity}/stop?t={grace}")
        except _NotFound:
            return

    def remove_container(self, identity: str, *, force: bool = True) -> bool:
        """Remove one container, never a volume. One that is gone already is no error. Without `force` False for one that runs."""
        try:
            self._request("DELETE", f"/containers/{identity}?force={int(force)}&v=0")
        except _NotFound:
            return False
        except _Refused:
            if force:
                raise
            return False
        return True

    def id_of(self, kind: Literal["container", "network"], name: str) -> str:
        """The id of the container or network with this name; empty where there is none."""
        place = (
            f"/networks/{quote(name, safe='')}"
            if kind == "network"
            else f"/containers/{quote(name, safe='')}/json"
        )
        try:
            return self._get(place, kind).at("Id").text()
        except _NotFound:
            return ""

    def is_network_used(self, identity: str) -> bool:
        """Whether any container is on it, one that does not run included: it could not start without."""
        filters = quote(json.dumps({"network": [identity]}))
        return any(self._get(f"/containers/json?all=1&filters={filters}", "containers").items())

    def remove_network(self, name: str) -> bool:
        """Remove a network, by name or id; False where it is gone or still in use."""
        try:
            self._request("DELETE", f"/networks/{quote(name, safe='')}")
        except DartsctlError:
            return False
        return True

    def _get(self, path: str, name: str) -> Cursor:
        """The JSON document at `path`; messages call it `name`."""
        return read_json(self._request("GET", path), self._source, name)

    def _request(
        self,
        method: str,
        path: str,
        document: bytes = b"",
        *,
        limit: int = ANSWER_LIMIT,
        cut: bool = False,
    ) -> bytes:
        """The body of the answer; with `cut` no more of it than `limit`, else a longer one is an error."""
        until = time.monotonic() + self._deadline
        with self._answering(limit), unix_http.connect(self._path, until=until) as connection:
            answer = unix_http.exchange(
                connection, method, path, document, until=until, limit=limit, cut=cut
            )
        head, _, body = answer.partition(b"\r\n\r\n")
        status = head.split(b" ", 2)[1:2]
        if status == [b"404"]:
            raise _NotFound(f"the engine knows no {path}")
        if not status or status[0][:1] not in (b"2", b"3"):
            raise _Refused(
                f"the engine at {self.address} answered {_message(body)}", hint="docker info"
            )
        return body

    @contextmanager
    def _answering(self, limit: int) -> Iterator[None]:
        """Within it everything that goes wrong with a connection is DockerUnavailable."""
        try:
            yield
        except PermissionError as error:
            raise DockerUnavailable(
                f"you may not use the Docker engine at {self.address}",
                hint="sudo usermod -aG docker $USER && newgrp docker",
            ) from error
        except (
            TimeoutError,
            BlockingIOError,
        ):  # the latter: so many wait for it already that the kernel lets no more in
            raise self._silent() from None
        except unix_http.AnswerTooLarge:
            raise DockerUnavailable(
                f"the Docker engine at {self.address} sent more than {limit >> 20} MiB",
                hint="docker info",
            ) from None
        except OSError as error:
            raise self._absent() from error

    def _absent(self) -> DockerUnavailable:
        return no_engine(self.address, os.environ)

    def _silent(self) -> DockerUnavailable:
        return DockerUnavailable(
            f"the Docker engine at {self.address} did not answer within {self._deadline:.0f} s",
            hint="sudo systemctl restart docker",
        )

    def _peer(self) -> tuple[int | None, int | None]:
        """The pid and uid of the process that listens on the engine's socket (Linux); a pid of 0 is outside our pid namespace."""
        if not hasattr(socket, "SO_PEERCRED"):
            return None, None
        until = time.monotonic() + self._deadline
        with (
            self._answering(ANSWER_LIMIT),
            unix_http.connect(self._path, until=until) as connection,
        ):
            pid, uid, _ = struct.unpack(
                "3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            )
        if (
            pid == 1
        ):  # socket activation: systemd made the socket, dockerd left its pid in the default place
            pid = _pid_file()
        return pid, uid


class _NotFound(DartsctlError):
    """HTTP 404."""


class _Refused(DockerUnavailable):
    """Any other answer than the one that was asked for: the engine is there, and does not do it."""


def _message(body: bytes) -> str:
    try:
        return read_json(body, Source("the engine")).at("message").prose()
    except DartsctlError:
        return "something that is no answer of an engine"


def _kind(platform: str, pid: int | None, uid: int | None) -> Kind:
    """Where the engine's sockets are: an engine in another pid or network namespace publishes elsewhere (edge-cases.md#27, edge-cases.md#28, edge-cases.md#44)."""
    if platform.startswith("Docker Desktop"):
        return "desktop"
    if uid:
        return "rootless"
    if pid == 0:
        return "remote"
    if pid is None:
        return "local"
    try:
        same = Path(f"/proc/{pid}/ns/net").readlink() == Path("/proc/self/ns/net").readlink()
    except OSError:
        return "local"  # not ours to see: an engine of root's on its default socket
    return "local" if same else "remote"


def _pid_file() -> int | None:
    try:
        return int(bounded_file.read_text(Path("/var/run/docker.pid"), limit=32))
    except (OSError, ValueError):
        return None


def _daemon_settings(pid: int | None) -> tuple[bool, str]:
    """Whether there is a userland proxy, and the default host address: dockerd's own flags, then daemon.json, as far as they may be read.

    What cannot be read counts as the defaults, which err on the safe side.
    """
    place, flag = _daemon_flags(pid)
    try:
        settings = _from_file(place)
        userland_proxy = settings.at("userland-proxy").flag(default=True)
        bridge = settings.at("default-network-opts").at("bridge")
        address = bridge_options(bridge)["host_binding_ipv4"]
    except (OSError, DartsctlError):
        userland_proxy, address = True, ""
    return userland_proxy if flag is None else flag, address


def _daemon_flags(pid: int | None) -> tuple[Path, bool | None]:
    """Where its configuration is, and what its command line says of the userland proxy; None for nothing."""
    try:
        words = (
            Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
            if pid
            else []
        )
    except OSError:
        words = []
    place, flag = Path("/etc/docker/daemon.json"), None
    for word, after in pairwise([*words, ""]):
        name, _, value = word.partition("=")
        if name == "--config-file":
            place = Path(value or after)
        elif name == "--userland-proxy":
            flag = value.lower() not in ("false", "0", "f")
    return place, flag
