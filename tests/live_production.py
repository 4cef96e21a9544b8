"""The repository's own compose/prod.yml on production's own ports, under a project name of the test's own.

A pytest plugin like live_stack, on top of it: a test file that takes `production` (nothing runs yet) or `running` (one `prod up` for the
whole file) needs the stack's images and all of production's ports.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from live_stack import LiveStack, docker, fixed_ports
from own_ports import free_ports

REPOSITORY = Path(__file__).parents[1]
COMPOSE = REPOSITORY / "compose"
OWNERS = {
    80: "nginx",
    443: "nginx",
    5000: "darts-app",
    8080: "api-gateway",
    5672: "rabbitmq",
    15672: "rabbitmq",
    9443: "wso2is",
    5432: "postgres",
}
DOCUMENTED = "[ports.production]\nnginx = [80, 443]\ndarts-app = 5000\napi-gateway = 8080\nrabbitmq = [5672, 15672]\nwso2is = 9443\npostgres = 5432\n"
SECRETS = ("POSTGRES_PASSWORD", "RABBITMQ_PASSWORD", "SECRET_KEY", "WSO2_IS_INTROSPECT_PASSWORD")


@pytest.fixture
def production(live: LiveStack, tmp_path: Path) -> Iterator[LiveStack]:
    """The production stack's settings, with secrets and a certificate of the test's own; nothing of it runs yet."""
    with fixed_ports(*OWNERS), _prepared(live, tmp_path):
        yield live


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    """The production stack as `dartsctl prod up` brings it up: once for all tests of a file, which leave it running and whole."""
    folder = tmp_path_factory.mktemp("production")
    (folder / "app").mkdir()
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("COMPOSE_", "COLUMNS", "LINES"))}
    environ |= {"PYTHONUNBUFFERED": "1", "DARTSCTL_STATE_DIR": str(folder / "state")}
    live = LiveStack(folder / "app", f"dct-{uuid.uuid4().hex[:10]}", free_ports(8), environ)
    with fixed_ports(*OWNERS), _prepared(live, folder):
        up = live.run("prod", "up", timeout=400)
        assert up.code == 0, up.err
        yield live


@contextlib.contextmanager
def _prepared(live: LiveStack, folder: Path) -> Iterator[None]:
    make_certificate(folder / "tls")
    lines = [f"{name}=canary-{name.lower().partition('_')[0]}-{secrets.token_hex(12)}" for name in SECRETS]
    env_file = live.folder / "env"
    env_file.write_text("\n".join([*lines, f"TLS_DIR={folder / 'tls'}", ""]))
    env_file.chmod(0o600)
    live.settings(f'env_files = ["env"]\nwait_timeout = 240\n{DOCUMENTED}', files=(COMPOSE / "prod.yml",))
    try:
        yield
    finally:
        live.close()
        docker("image", "rm", f"{live.project}-darts-app", f"{live.project}-api-gateway", check=False)


def make_certificate(folder: Path) -> None:
    """A self-signed pair by the stack's own script. The key is a user's, and only they may read it: nginx must manage."""
    folder.mkdir()
    environ = {**os.environ, "TLS_NAME": "localhost"}
    subprocess.run(["sh", COMPOSE / "nginx" / "make-certificate.sh", folder], env=environ, stdout=subprocess.DEVNULL, check=True)
    if os.getuid() == 0:
        os.chown(folder / "tls.key", 1000, 1000)
