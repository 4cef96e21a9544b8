"""Query an engine that is not behind a unix socket, through python-on-whales.

    python -P -m dartsctl.edges.engine.remote_query version|containers

remote.py runs this as a process of its own: the library has neither a deadline nor an output
limit, the process has both. The engine is that of DOCKER_HOST. stdout gets one JSON document in
the shape of `docker version` or `docker inspect`.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from python_on_whales import DockerClient

FAILED = 3
"""Exit code: the docker command failed, so the engine cannot be queried."""


def main(question: str) -> int:
    """Write the answer to `version` or `containers`, and return the exit code."""
    from python_on_whales import DockerClient
    from python_on_whales.exceptions import DockerException

    try:
        client = DockerClient()
        answer = _version(client) if question == "version" else _containers(client)
    except DockerException:
        return FAILED
    sys.stdout.write(json.dumps(answer, default=str))
    return 0


def _version(client: DockerClient) -> str | None:
    server = client.version().server
    return server.version if server else None


def _containers(client: DockerClient) -> list[dict[str, Any]]:
    """Return every container. Each is inspected by a call of its own, and may be gone by then."""
    from python_on_whales.exceptions import NoSuchContainer

    containers = []
    for container in client.container.list(all=True):
        with suppress(NoSuchContainer):
            containers.append(_inspected(container))
    return containers


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
