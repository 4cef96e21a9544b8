"""Machines with an incomplete Docker.

Each has a PATH and a Docker folder of its own, with scripts that answer as the real programs do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from dartsctl.edges.engine.installation import PLUGIN_FOLDERS

ANSWERS_VERSION = 'case "$*" in *version*) echo 2.40.3; exit ;; esac'
"""The first line of a fake Compose, which is asked for its version first."""

NO_PLUGIN = """echo "unknown flag: --short

Usage:  docker [OPTIONS] COMMAND [ARG...]

Run 'docker --help' for more information" >&2; exit 125"""
"""What docker 28.2.2 prints for `docker compose version --short` without the plugin."""

PODMAN = """echo "Emulate Docker CLI using podman. Create /etc/containers/nodocker to quiet msg."\
 >&2
echo "Error: looking up compose provider failed" >&2; exit 125"""
"""What podman-docker prints for it without a Compose provider."""


@dataclass(frozen=True)
class Machine:
    """`folder/bin` is the only folder on PATH, `folder/docker` is DOCKER_CONFIG."""

    folder: Path

    @property
    def plugin(self) -> Path:
        """Where the user's own Compose plugin is."""
        return self.folder / "docker" / "cli-plugins" / "docker-compose"

    def program(self, name: str, script: str, *, interpreter: str = "/bin/sh") -> Path:
        """Put a script on PATH."""
        return write_script(self.folder / "bin" / name, script, interpreter=interpreter)

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a process on this machine, which has no engine."""
        return {
            "PATH": str(self.folder / "bin"),
            "HOME": str(self.folder),
            "DOCKER_CONFIG": str(self.folder / "docker"),
            "DOCKER_HOST": f"unix://{self.folder}/docker.sock",
        }


def write_script(path: Path, script: str, *, interpreter: str = "/bin/sh") -> Path:
    """Write an executable script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{interpreter}\n{script}\n")
    path.chmod(0o755)
    return path


def bare_machine(folder: Path) -> Machine:
    """Return a machine without Docker.

    Skips the test if Compose is installed in a system folder, where it cannot be hidden.
    """
    if any((Path(system) / "docker-compose").exists() for system in PLUGIN_FOLDERS):
        pytest.skip("the Compose plugin is in a system folder here: it cannot be hidden")
    for name in ("bin", "docker"):
        (folder / name).mkdir(parents=True)
    return Machine(folder)
