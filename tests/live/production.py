"""The repository's compose/prod.yml, with the test's own project name and host ports.

Production itself may run on this host. A pytest plugin on top of live.stack: a test file that uses
`production` (nothing runs yet) or `running` (one `prod up` for the whole file) needs the stack's
images.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from live.clients import own_port
from live.stack import LiveStack, docker, one_stack_at_a_time, own_compose
from own_ports import free_ports

REPOSITORY = Path(__file__).parents[2]
COMPOSE = REPOSITORY / "compose"
SECRETS = ("POSTGRES_PASSWORD", "RABBITMQ_PASSWORD", "SECRET_KEY", "WSO2_IS_INTROSPECT_PASSWORD")


FLASK_SERVER = """
from flask import Flask

app = Flask("darts")


@app.get("/")
def index() -> str:
    return "the developer's own server"


app.run(host="0.0.0.0", port={port})
"""
"""A developer's server, which takes a port of production on every address."""


@pytest.fixture
def production(live: LiveStack, tmp_path: Path) -> Iterator[LiveStack]:
    """The production stack's settings, secrets and certificate. Nothing runs yet."""
    with one_stack_at_a_time(), _prepared(live, tmp_path):
        yield live


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    """The production stack, brought up by `dartsctl prod up` once for all tests of a file.

    The tests must leave it running and unchanged.
    """
    folder = tmp_path_factory.mktemp("production")
    (folder / "app").mkdir()
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COMPOSE_", "COLUMNS", "LINES"))
    }
    environ |= {"PYTHONUNBUFFERED": "1", "DARTSCTL_STATE_DIR": str(folder / "state")}
    live = LiveStack(folder / "app", f"dct-{uuid.uuid4().hex[:10]}", free_ports(8), environ)
    with one_stack_at_a_time(), _prepared(live, folder):
        up = live.run("prod", "up", timeout=400)
        assert up.code == 0, up.err
        yield live


@contextlib.contextmanager
def _prepared(live: LiveStack, folder: Path) -> Iterator[None]:
    make_certificate(folder / "tls")
    lines = [
        f"{name}=canary-{name.lower().partition('_')[0]}-{secrets.token_hex(12)}"
        for name in SECRETS
    ]
    env_file = live.folder / "env"
    env_file.write_text("\n".join([*lines, f"TLS_DIR={folder / 'tls'}", ""]))
    env_file.chmod(0o600)
    (live.folder / "own-ports.yml").write_text(_override())
    live.settings(
        f'env_files = ["env"]\nwait_timeout = 240\n{_allocation()}', files=compose_files(live)
    )
    try:
        yield
    finally:
        live.close(wait=True)
        docker(
            "image", "rm", f"{live.project}-darts-app", f"{live.project}-api-gateway", check=False
        )


def compose_files(live: LiveStack) -> tuple[Path, Path]:
    """Return a copy of compose/prod.yml, and the file that moves it to the test's host ports."""
    return own_compose(live.folder) / "prod.yml", live.folder / "own-ports.yml"


def owners() -> dict[int, str]:
    """Return the service that publishes each of the test's host ports."""
    services: dict[int, str] = {}
    for name, entries in _published().items():
        for entry in entries:
            services[own_port(_host_port(entry))] = name
    return services


def _published() -> dict[str, list[str]]:
    services = yaml.safe_load((COMPOSE / "prod.yml").read_text())["services"]
    return {name: service["ports"] for name, service in services.items()}


def _host_port(entry: str) -> int:
    return int(entry.split(":")[-2])


def _override() -> str:
    lines = ["services:"]
    for name, entries in _published().items():
        own = [
            entry.replace(f"{_host_port(entry)}:", f"{own_port(_host_port(entry))}:", 1)
            for entry in entries
        ]
        lines += [f"  {name}:", f"    ports: !override {json.dumps(own)}"]
    return "\n".join([*lines, ""])


def _allocation() -> str:
    ports: dict[str, list[int]] = {}
    for port, name in owners().items():
        ports.setdefault(name, []).append(port)
    return "\n".join(
        ["[ports.production]", *(f"{name} = {numbers}" for name, numbers in ports.items()), ""]
    )


def make_certificate(folder: Path) -> None:
    """Make a self-signed pair with the stack's script.

    Only another user may read the key; nginx must still start.
    """
    folder.mkdir()
    environ = {**os.environ, "TLS_NAME": "localhost"}
    subprocess.run(
        ["sh", COMPOSE / "nginx" / "make-certificate.sh", folder],
        env=environ,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    if os.getuid() == 0:
        os.chown(folder / "tls.key", 1000, 1000)
