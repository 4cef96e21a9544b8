"""The Docker engine's HTTP API on its unix socket.

It lists the containers in 2 ms, where `docker ps` takes 50 ms. Every command lists them, so what
other questions need is imported by them.
"""

from __future__ import annotations

import json
from urllib.parse import quote

from dartsctl.edges.engine.unix_api import NotFound, RequestFailed, UnixApi
from dartsctl.errors import DartsctlError, DockerUnavailable
from dartsctl.stack.containers import PROJECT_LABEL, Container, read_container
from dartsctl.text.strict_json import Cursor, read_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from dartsctl.diagnosis.container_file import ContainerFile
    from dartsctl.diagnosis.inspection import Inspection
    from dartsctl.diagnosis.log_stream import LogLine
    from dartsctl.edges.engine.events import EventStream, RecentEvents
    from dartsctl.edges.engine.unix_http import Stream
    from dartsctl.stack.engine_rules import EngineRules, Product
    from dartsctl.stack.health_check import HealthCheck
    from dartsctl.stack.model import Network
    from dartsctl.stack.subnets import NetworkInUse, NetworkUse

OUTPUT_LIMIT = 4 << 20
"""Bytes that are read of a log or of a command's output."""
_STOP_TIMEOUT = 10
"""Seconds, if neither the image nor the container sets another value."""
_NEVER_RAN = -1
"""Stands for the exit code of a command that the engine could not start: it reports none."""


class UnixEngine:
    """An engine behind a unix socket.

    Every method raises DockerUnavailable if the engine does not answer.
    """

    def __init__(self, address: str, *, deadline: float = 10.0) -> None:
        self.address = address
        self._api = UnixApi(address, deadline=deadline)

    def control(self) -> UnixEngine:
        """Return itself: it can do everything that an EngineControl can."""
        return self

    def describe(self) -> EngineRules:
        """Return what decides how this engine binds: version, kind, userland proxy, defaults."""
        from dartsctl.edges.engine import daemon
        from dartsctl.stack.engine_rules import EngineRules

        version = self._api.get("/version", "version")
        pid, uid = self._api.peer()
        userland_proxy, default_address = daemon.settings_of(pid)
        return EngineRules(
            version=version.at("Version").text(),
            product=_product_of(version),
            kind=daemon.kind_of(version.at("Platform").at("Name").text(""), pid, uid),
            userland_proxy=userland_proxy,
            has_ipv6=True,
            default_address=default_address,
            endpoint=self.address,
        )

    def containers(self) -> tuple[Container, ...]:
        """Return all containers, stopped ones too."""
        rows = self._api.get("/containers/json?all=1", "containers").items()
        return tuple(read_container(row) for row in rows)

    def network(self, name: str) -> Network | None:
        """Return what decides about bindings on an existing network, None if there is none."""
        from dartsctl.stack.compose_model import bridge_options
        from dartsctl.stack.model import Network

        try:
            document = self._api.get(f"/networks/{_quoted(name)}", "network")
        except NotFound:
            return None
        return Network(
            name=document.at("Name").text(),
            driver=document.at("Driver").text("") or "bridge",
            internal=document.at("Internal").flag(),
            external=True,
            ipv4=document.at("EnableIPv4").flag(default=True),
            ipv6=document.at("EnableIPv6").flag(),
            subnets=(),  # those of the Compose file; `network_use` has the engine's
            has_own_ipam=False,
            **bridge_options(document.at("Options")),
        )

    def network_use(self, name: str) -> NetworkUse | None:
        """Return the addresses on an existing network, None if there is none."""
        from dartsctl.stack.subnets import read_use

        try:
            return read_use(self._api.get(f"/networks/{_quoted(name)}", "network"))
        except NotFound:
            return None

    def networks(self) -> tuple[NetworkInUse, ...]:
        """Return the networks whose subnets no other network can have."""
        from dartsctl.stack.subnets import read_networks

        return read_networks(self._api.get("/networks", "networks"))

    def owner(self, kind: Literal["volume", "network", "image"], name: str) -> str | None:
        """Return the Compose project that made it, empty without one; None if it is not there."""
        path = f"/{kind}s/{_quoted(name)}"
        if kind == "image":
            path = f"/images/{quote(name, safe='/:@')}/json"
        try:
            document = self._api.get(path, kind)
        except NotFound:
            return None
        if kind == "image":
            document = document.at("Config")
        return document.at("Labels").at(PROJECT_LABEL).text("")

    def has_volume(self, name: str) -> bool:
        """Return whether a volume of this name exists."""
        try:
            self._api.get(f"/volumes/{_quoted(name)}", "volume")
        except NotFound:
            return False
        return True

    def inspect(self, identity: str) -> Inspection | None:
        """Return the engine's description of one container, None if it is gone."""
        from dartsctl.diagnosis import inspection

        try:
            document = self._api.get(f"/containers/{_quoted(identity)}/json", "container")
        except NotFound:
            return None
        return inspection.read(document)

    def image_check(self, image: str) -> HealthCheck | None:
        """Return the health check of an image, an empty one if it has none; None without image."""
        from dartsctl.stack.health_check import read_image_check

        try:
            document = self._api.get(f"/images/{quote(image, safe='/:@')}/json", "image")
        except NotFound:
            return None
        return read_image_check(document.at("Config").at("Healthcheck"))

    def log(
        self, identity: str, *, tail: int, timestamps: bool = False
    ) -> tuple[LogLine, ...] | None:
        """Return the last `tail` lines of a container's log.

        None if the container is gone, or its logging driver keeps no readable log
        (edge-cases.md#78).
        """
        from dartsctl.diagnosis import log_stream

        path = (
            f"/containers/{_quoted(identity)}/logs"
            f"?stdout=1&stderr=1&tail={tail}&timestamps={int(timestamps)}"
        )
        try:
            stream = self._api.request("GET", path, limit=OUTPUT_LIMIT, cut=True)
        except NotFound:
            return None
        except DockerUnavailable as error:
            if "does not support reading" in error.message:
                return None
            raise
        return log_stream.lines(stream, timestamps=timestamps)

    def follow_log(self, identity: str, *, since: str, stdout: bool) -> Stream | None:
        """Return a container's log from `since` on, as a stream of frames with the engine's times.

        `since`: Unix time, a fraction of up to nine digits. It ends when the container ends.
        None if the container is gone, or its logging driver keeps no readable log
        (edge-cases.md#78).
        """
        path = (
            f"/containers/{_quoted(identity)}/logs?follow=1&stdout={int(stdout)}&stderr=1"
            f"&timestamps=1&since={since}"
        )
        try:
            return self._api.stream(path)
        except NotFound:
            return None
        except DockerUnavailable as error:
            if "does not support reading" in error.message:
                return None
            raise

    def events(self, project: str, recent: RecentEvents) -> EventStream:
        """Return the events about a project's containers: new ones, and those after `recent`."""
        from dartsctl.edges.engine import events

        return events.open_events(self._api, project, recent)

    def ping(self) -> None:
        """Ask whether it answers at all."""
        self._api.request("GET", "/_ping")

    def pid(self) -> int | None:
        """Return the engine's process, None if it is not in sight."""
        return self._api.peer()[0] or None

    def execute(self, identity: str, argv: Sequence[str]) -> tuple[int, str, str] | None:
        """Run a command in a running container. Return its exit code, stdout and stderr.

        None if the container does not run or has no such command.
        """
        from dartsctl.diagnosis import log_stream

        command = {"AttachStdout": True, "AttachStderr": True, "Cmd": list(argv)}
        options = {"Detach": False, "Tty": False}
        try:
            answer = self._api.request(
                "POST", f"/containers/{_quoted(identity)}/exec", json.dumps(command).encode()
            )
            exec_id = _quoted(read_json(answer, self._api.source, "exec").at("Id").text())
            output = self._api.request(
                "POST",
                f"/exec/{exec_id}/start",
                json.dumps(options).encode(),
                limit=OUTPUT_LIMIT,
                cut=True,
            )
            stdout, stderr = log_stream.output(output)
            state = self._api.get(f"/exec/{exec_id}/json", "exec")
            code = state.at("ExitCode").integer(_NEVER_RAN, minimum=-1)
        except (NotFound, RequestFailed):
            return None
        if code in (_NEVER_RAN, 126, 127):
            return None
        return code, stdout, stderr

    def file(self, identity: str, path: str) -> ContainerFile | None:
        """Return what a path in a container is, its mounts included; None if it does not exist.

        No process runs there for it. Works for a stopped container too.
        """
        from dartsctl.diagnosis import container_file

        target = f"/containers/{_quoted(identity)}/archive?path={_quoted(path)}"
        try:
            return container_file.read_head(self._api.head(target))
        except (NotFound, RequestFailed):
            return None

    def archive(self, identity: str, path: str) -> bytes:
        """Return a file or folder of a container, its mounts included, as a tar file.

        Works for a stopped container too. Empty if the path does not exist.
        """
        target = f"/containers/{_quoted(identity)}/archive?path={_quoted(path)}"
        try:
            return self._api.request("GET", target)
        except (NotFound, RequestFailed):
            return b""

    def clock(self) -> str:
        """Return the engine's current time, RFC 3339.

        The clock of an engine in a virtual machine may differ from ours (edge-cases.md#79).
        """
        return self._api.get("/info", "info").at("SystemTime").text("")

    def data_folder(self) -> str:
        """Return the folder of the engine's host where it keeps images and containers."""
        return self._api.get("/info", "info").at("DockerRootDir").text("")

    def stop_timeout(self, identity: str) -> int:
        """Return the seconds that a container has between SIGTERM and SIGKILL."""
        try:
            document = self._api.get(f"/containers/{_quoted(identity)}/json", "container")
        except NotFound:
            return 0
        return max(0, document.at("Config").at("StopTimeout").integer(_STOP_TIMEOUT, minimum=-1))

    def stop_container(self, identity: str, *, grace: int = 10) -> None:
        """Stop one container: SIGTERM, `grace` seconds, SIGKILL.

        A container that is stopped or gone already is no error.
        """
        api = UnixApi(self.address, deadline=self._api.deadline + grace)
        try:
            api.request("POST", f"/containers/{identity}/stop?t={grace}")
        except NotFound:
            return

    def remove_container(self, identity: str, *, force: bool = True) -> bool:
        """Remove one container, never a volume. Return whether it was removed.

        A container that is gone already is no error. Without `force` a running container stays.
        """
        try:
            self._api.request("DELETE", f"/containers/{identity}?force={int(force)}&v=0")
        except NotFound:
            return False
        except RequestFailed:
            if force:
                raise
            return False
        return True

    def id_of(self, kind: Literal["container", "network"], name: str) -> str:
        """Return the id of the container or network with this name, empty if there is none."""
        path = f"/containers/{_quoted(name)}/json"
        if kind == "network":
            path = f"/networks/{_quoted(name)}"
        try:
            return self._api.get(path, kind).at("Id").text()
        except NotFound:
            return ""

    def is_network_used(self, identity: str) -> bool:
        """Return whether any container is attached to the network.

        A stopped container counts: it cannot start without its network.
        """
        filters = quote(json.dumps({"network": [identity]}))
        return any(self._api.get(f"/containers/json?all=1&filters={filters}", "containers").items())

    def remove_network(self, name: str) -> bool:
        """Remove a network by name or id. Return False if it is gone or in use."""
        try:
            self._api.request("DELETE", f"/networks/{_quoted(name)}")
        except DartsctlError:
            return False
        return True


def _product_of(version: Cursor) -> Product:
    names = [part.at("Name").text("") for part in version.at("Components").items()]
    return "podman" if "Podman Engine" in names else "docker"


def _quoted(name: str) -> str:
    return quote(name, safe="")
