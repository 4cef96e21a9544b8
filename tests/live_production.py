"""The repository's own compose/prod.yml on production's own ports, under a project name of the test's own.

A pytest plugin like live_stack, on top of it: a test file that takes `production` needs the stack's images and all of production's ports.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from live_stack import LiveStack, docker, until

REPOSITORY = Path(__file__).parents[1]
PORTS = (80, 443, 5000, 8080, 5672, 15672, 9443, 5432)
DOCUMENTED = "[ports.production]\nnginx = [80, 443]\ndarts-app = 5000\napi-gateway = 8080\nrabbitmq = [5672, 15672]\nwso2is = 9443\npostgres = 5432\n"


@pytest.fixture
def production(live: LiveStack, tmp_path: Path) -> Iterator[LiveStack]:
    """The production stack's settings, with secrets and a certificate of the test's own; nothing of it runs yet."""
    until(lambda: all(map(is_free, PORTS)), seconds=90, say="this test needs production's ports; somebody has one of them")
    (tmp_path / "tls").mkdir()
    names = ("POSTGRES_PASSWORD", "RABBITMQ_PASSWORD", "SECRET_KEY", "WSO2_IS_INTROSPECT_PASSWORD")
    secrets = [f"{name}=canary-{name.lower().replace('_', '-')}-0a1b2c" for name in names]
    (live.folder / "env").write_text("\n".join([*secrets, f"TLS_DIR={tmp_path / 'tls'}", "JWT_VALIDATION_MODE=off", ""]))
    live.settings(f'env_files = ["env"]\nwait_timeout = 240\n{DOCUMENTED}', files=(REPOSITORY / "compose" / "prod.yml",))
    yield live
    live.close()
    docker("image", "rm", f"{live.project}-darts-app", f"{live.project}-api-gateway", check=False)


def is_free(port: int) -> bool:
    """Whether nobody has the port on any IPv4 address."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def status(port: int) -> int:
    """What answers to GET / on 127.0.0.1, 0 for nobody."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()
