"""Ask an engine that is not behind a unix socket, through python-on-whales: a program of its own (remote_engine.py starts it).

    python -P -m dartsctl.edges.engine.remote_query version|containers

The library knows every kind of connection, but has neither deadline nor limit of output: the process that it runs in has both.
The engine is that of DOCKER_HOST. stdout gets one JSON document, in the shape of `docker version` or `docker inspect`.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from python_on_whales import DockerClient

FAILED = 3
"""Exit code: the docker command failed, so the engine cannot be asked."""


def main(question: str) -> int:
    """Answer `version` or `containers`."""
    from python_on_whales import DockerClient
    from python_on_whales.exceptions import DockerException

    try:
        answer = _version(DockerClient()) if question == "version" else _containers(DockerClient())
    except DockerException:
        return FAILED
    sys.stdout.write(json.dumps(answer, default=str))
    return 0


def _version(client: DockerClient) -> str | None:
    server = client.version().server
    return server.version if server else None


def _containers(client: DockerClient) -> list[dict[str, Any]]:
    from python_on_whales.exceptions import NoSuchContainer

    found = []
    for container in client.container.list(all=True):
        with suppress(
            NoSuchContainer
        ):  # each is inspected by a call of its own: it may have gone since the list
            found.append(_inspected(container))
    return found


def _inspected(container: Any) -> dict[str, Any]:
    state, health = container.state, container.state.health
    return {
        "Id": container.id,
        "Name": container.name,
        "Created": container.created.isoformat(),
        "Config": {"Image": container.config.image, "Labels": container.config.labels},
        "HostConfig": {"NetworkMode": container.host_config.network_mode},
        "NetworkSettings": {"Ports": container.network_settings.ports},
        "State": {
            "Status": state.status,
            "ExitCode": state.exit_code,
            "Health": {"Status": health.status} if health else None,
        },
    }


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
