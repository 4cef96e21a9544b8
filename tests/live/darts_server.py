"""A repository shaped like the real darts server's, written for the tests.

It has the real one's file names, services, container names and ports, its app with and without
`run.py`, and what makes its starts hard: the app listens seconds after its process, RabbitMQ is
called healthy before it listens, the gateway ends until it does, and nginx looks names up once.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from live.clients import own_port

SOURCE = Path(__file__).parents[1] / "data" / "darts_server"
PRODUCTION = "docker-compose-wso2.yml"
SERVICES = ("postgres", "rabbitmq", "wso2is", "api-gateway", "darts-app", "nginx")

SETTINGS = """
name = "darts"
[prod]
files = ["docker-compose-wso2.yml"]
project = "{project}"
env_files = []
unsafe = "warn"
"""

_PUBLISHED = re.compile(r'(?m)^( +- ")(\d+)(:\d+"$)')
_NAME = re.compile(r"(?m)^( +container_name: )darts-")


@dataclass(frozen=True)
class DartsServer:
    """One copy of the repository. `prefix` stands for `darts` in the names of its containers."""

    folder: Path
    prefix: str

    def container(self, service: str) -> str:
        """Return the name of a service's container."""
        return f"{self.prefix}-{service.removeprefix('darts-')}"

    @property
    def containers(self) -> list[str]:
        return [self.container(service) for service in SERVICES]

    def settings(self) -> None:
        """Write settings that only name production's file and project."""
        text = SETTINGS.format(project=self.prefix)
        (self.folder / "dartsctl.toml").write_text(text)


def write(
    folder: Path, prefix: str, *, entry: str = "run.py", certificate: bool = True
) -> DartsServer:
    """Write the repository to `folder`, with the test's own host ports.

    `entry` is "run.py" or "app.py". Without `run.py` the branch has only `app.py`.
    """
    shutil.copytree(SOURCE, folder, dirs_exist_ok=True)
    for path in (*folder.glob("docker-compose*.yml"), folder / "Dockerfile", folder / "run.sh"):
        text = _PUBLISHED.sub(_own_number, path.read_text())
        text = _NAME.sub(rf"\g<1>{prefix}-", text)
        path.write_text(text.replace("ENTRY", entry))
    (folder / "run.sh").chmod(0o755)
    if entry != "run.py":
        (folder / "run.py").unlink()
    if certificate:
        _make_certificate(folder / "nginx" / "ssl")
    return DartsServer(folder, prefix)


def _own_number(match: re.Match[str]) -> str:
    return f"{match[1]}{own_port(int(match[2]))}{match[3]}"


def _make_certificate(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    key, certificate = folder / "server.key", folder / "server.crt"
    words = [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "90",
        "-subj",
        "/CN=localhost",
    ]
    subprocess.run(
        ["openssl", *words, "-keyout", key, "-out", certificate],
        stderr=subprocess.DEVNULL,
        check=True,
    )
