"""The Docker engine's HTTP API on its unix socket: the list of containers in 2 ms, where one `docker ps` takes 50.

The request is HTTP/1.0, so that the answer ends with the connection: 20 lines here instead of http.client, whose import alone costs more than
the command's whole budget (PERFORMANCE.md, start-up). Engines behind TCP, TLS or ssh are asked through edges/docker.py.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dartsctl import bounded_file, log_stream
from dartsctl.bindings import ANY_IPV4, Endpoint, normal_address, protocol_named
from dartsctl.containers import Container
from dartsctl.engines import Engine, Kind
from dartsctl.errors import DartsctlError, DockerUnavailable
from dartsctl.log_stream import LogLine
from dartsctl.stack import Network, network

DEFAULT_ENDPOINT = "unix:///var/run/docker.sock"


def endpoint(environ: Mapping[str, str]) -> str:
    """The engine that `docker` would talk to: DOCKER_HOST, else the current context's, else the default socket (EDGE 43)."""
    if host := environ.get("DOCKER_HOST"):
        return host
    folder = Path(environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    context = environ.get("DOCKER_CONTEXT") or _current_context(folder)
    if not context or context == "default":
        return DEFAULT_ENDPOINT
    import hashlib

    meta = folder / "contexts" / "meta" / hashlib.sha256(context.encode()).hexdigest() / "meta.json"
    try:
        return str(json.loads(bounded_file.read_bytes(meta))["Endpoints"]["docker"]["Host"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DockerUnavailable(f"the Docker context {context!r} does not exist or is broken", hint="docker context ls") from error


def _current_context(folder: Path) -> str:
    try:
        return str(json.loads(bounded_file.read_bytes(folder / "config.json")).get("currentContext", ""))
    except (OSError, ValueError, AttributeError):
        return ""


class EngineApi:
    """An engine behind a unix socket. Every call raises DockerUnavailable where it does not answer."""

    def __init__(self, address: str, *, deadline: float = 10.0) -> None:
        self.address = address
        self._path = address.removeprefix("unix://")
        self._deadline = deadline

    def describe(self) -> Engine:
        """What decides how this engine binds: version, kind, userland proxy, defaults."""
        version = self._get("/version")
        pid, uid = self._peer()
        platform = str((version.get("Platform") or {}).get("Name", ""))
        settings = _daemon_settings(pid)
        networks = settings.get("default-network-opts")
        bridge = networks.get("bridge", {}) if isinstance(networks, dict) else {}
        return Engine(
            version=str(version.get("Version", "")),
            kind=_kind(platform, pid, uid),
            userland_proxy=settings.get("userland-proxy") is not False,
            has_ipv6=True,
            default_address=str(bridge.get("com.docker.network.bridge.host_binding_ipv4", "")),
            endpoint=self.address,
        )

    def containers(self) -> tuple[Container, ...]:
        """All containers, stopped ones too."""
        return tuple(_container(row) for row in self._get("/containers/json?all=1"))

    def network(self, name: str) -> Network | None:
        """What of an existing network decides about bindings; None where there is no such network."""
        try:
            found = self._get(f"/networks/{quote(name, safe='')}")
        except _NotFound:
            return None
        return network(
            {
                "name": found.get("Name", name),
                "driver": found.get("Driver"),
                "internal": found.get("Internal"),
                "external": True,
                "enable_ipv4": found.get("EnableIPv4"),
                "enable_ipv6": found.get("EnableIPv6"),
                "driver_opts": found.get("Options"),
            }
        )

    def inspect(self, identity: str) -> Mapping[str, Any]:
        """Everything that the engine says of one container, its environment's values included: never shown as a whole. Empty where it is gone."""
        try:
            found = self._get(f"/containers/{quote(identity, safe='')}/json")
        except _NotFound:
            return {}
        return found if isinstance(found, dict) else {}

    def state(self, identity: str) -> Mapping[str, Any]:
        """A container's `State`: Status, ExitCode, Error, OOMKilled, Health. Empty where it is gone."""
        state = self.inspect(identity).get("State")
        return state if isinstance(state, dict) else {}

    def log(self, identity: str, *, tail: int, timestamps: bool = False) -> tuple[LogLine, ...] | None:
        """The last `tail` lines of a container's log; None where its logging driver keeps none that can be read, or it is gone (EDGE 78)."""
        path = f"/containers/{quote(identity, safe='')}/logs?stdout=1&stderr=1&tail={tail}&timestamps={int(timestamps)}"
        try:
            return log_stream.lines(self._request("GET", path), timestamps=timestamps)
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
            made = json.loads(self._request("POST", f"/containers/{quote(identity, safe='')}/exec", wish))["Id"]
            said = log_stream.output(self._request("POST", f"/exec/{made}/start", b'{"Detach": false, "Tty": false}'))
            code = self._get(f"/exec/{made}/json").get("ExitCode")
        except (_NotFound, _Refused):
            return None
        return (int(code), *said) if code not in (None, 126, 127) else None

    def archive(self, identity: str, path: str) -> bytes:
        """A file or folder of a container, running or not, its mounts included, as a tar file; empty where it is not there."""
        try:
            return self._request("GET", f"/containers/{quote(identity, safe='')}/archive?path={quote(path, safe='')}")
        except (_NotFound, _Refused):
            return b""

    def clock(self) -> str:
        """What time it is for the engine, RFC 3339: a virtual machine's clock may be another one than ours (EDGE 79)."""
        return str(self._get("/info").get("SystemTime", ""))

    def wanted_ports(self, identity: str) -> tuple[int, ...]:
        """The fixed host ports that a container asks for, whether it has them now or not."""
        wishes = (self.inspect(identity).get("HostConfig") or {}).get("PortBindings") or {}
        return tuple(int(wish["HostPort"]) for places in wishes.values() for wish in places or () if str(wish.get("HostPort", "")).isdigit())

    def stop_container(self, identity: str, *, grace: int = 10) -> None:
        """Stop one container: SIGTERM, `grace` seconds, SIGKILL. One that is stopped or gone already is no error."""
        patient = EngineApi(self.address, deadline=self._deadline + grace)
        try:
            patient._request("POST", f"/containers/{identity}/stop?t={grace}")
        except _NotFound:
            return

    def remove_container(self, identity: str) -> None:
        """Remove one container, running or not, never a volume. One that is gone already is no error."""
        try:
            self._request("DELETE", f"/containers/{identity}?force=1&v=0")
        except _NotFound:
            return

    def remove_network(self, name: str) -> bool:
        """Remove a network; False where it is gone or still in use."""
        try:
            self._request("DELETE", f"/networks/{quote(name, safe='')}")
        except DartsctlError:
            return False
        return True

    def _get(self, path: str) -> Any:
        body = self._request("GET", path)
        try:
            return json.loads(body)
        except ValueError as error:
            raise DockerUnavailable(f"the engine at {self.address} answered {_message(body)}", hint="docker info") from error

    def _request(self, method: str, path: str, document: bytes = b"") -> bytes:
        about = f"Content-Type: application/json\r\nContent-Length: {len(document)}\r\n" if document else ""
        with self._connect() as connection:
            try:
                connection.sendall(f"{method} {path} HTTP/1.0\r\nHost: docker\r\n{about}\r\n".encode() + document)
                answer = bytearray()
                while chunk := connection.recv(65536):
                    answer += chunk
            except TimeoutError:
                raise self._silent() from None
            except OSError as error:
                raise self._absent() from error
        head, _, body = bytes(answer).partition(b"\r\n\r\n")
        status = head.split(b" ", 2)[1:2]
        if status == [b"404"]:
            raise _NotFound(f"the engine knows no {path}")
        if not status or status[0][:1] not in (b"2", b"3"):
            raise _Refused(f"the engine at {self.address} answered {_message(body)}", hint="docker info")
        return body

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self._deadline)
        try:
            connection.connect(self._path)
        except PermissionError as error:
            connection.close()
            raise DockerUnavailable(
                f"you may not use the Docker engine at {self.address}", hint="sudo usermod -aG docker $USER    (then log in again)"
            ) from error
        except TimeoutError:
            connection.close()
            raise self._silent() from None
        except OSError as error:
            connection.close()
            raise self._absent() from error
        return connection

    def _absent(self) -> DockerUnavailable:
        return DockerUnavailable(f"no Docker engine answers at {self.address}", hint="sudo systemctl start docker    (or start Docker Desktop)")

    def _silent(self) -> DockerUnavailable:
        return DockerUnavailable(
            f"the Docker engine at {self.address} did not answer within {self._deadline:.0f} s", hint="sudo systemctl restart docker"
        )

    def _peer(self) -> tuple[int | None, int | None]:
        """The pid and uid of the process that listens on the engine's socket (Linux); a pid of 0 is outside our pid namespace."""
        if not hasattr(socket, "SO_PEERCRED"):
            return None, None
        with self._connect() as connection:
            pid, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if pid == 1:  # socket activation: systemd made the socket, dockerd left its pid in the default place
            pid = _pid_file()
        return pid, uid


class _NotFound(DartsctlError):
    """HTTP 404."""


class _Refused(DockerUnavailable):
    """Any other answer than the one that was asked for: the engine is there, and does not do it."""


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return "something that is no answer of an engine"


def _container(row: Mapping[str, Any]) -> Container:
    names = row.get("Names") or [""]
    return Container(
        id=row["Id"],
        name=names[0].removeprefix("/"),
        image=row.get("Image", ""),
        state=row.get("State", ""),
        status=row.get("Status", ""),
        targets=tuple(
            (Endpoint(int(port["PublicPort"]), normal_address(port.get("IP") or ANY_IPV4), protocol_named(port["Type"])), int(port["PrivatePort"]))
            for port in row.get("Ports") or ()
            if port.get("PublicPort")
        ),
        labels=row.get("Labels") or {},
        network_mode=(row.get("HostConfig") or {}).get("NetworkMode", ""),
        created=int(row.get("Created", 0)),
    )


def _kind(platform: str, pid: int | None, uid: int | None) -> Kind:
    """Where the engine's sockets are: an engine in another pid or network namespace publishes elsewhere (EDGE 27, 28, 44)."""
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


def _daemon_settings(pid: int | None) -> dict[str, Any]:
    """daemon.json and dockerd's own flags, as far as they may be read; an unreadable file reads as the defaults, which err on the safe side."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0") if pid else []
    except OSError:
        words = []
    place = Path("/etc/docker/daemon.json")
    flags: dict[str, Any] = {}
    for position, word in enumerate(words):
        name, _, value = word.partition("=")
        if name == "--config-file":
            place = Path(value or words[position + 1])
        elif name == "--userland-proxy":
            flags["userland-proxy"] = value.lower() not in ("false", "0", "f")
    try:
        settings = json.loads(bounded_file.read_bytes(place))
    except (OSError, ValueError):
        settings = {}
    return {**(settings if isinstance(settings, dict) else {}), **flags}
