"""The programs that dartsctl is compared with, and the stacks that a benchmark starts."""

from __future__ import annotations

import contextlib
import functools
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from install import SMALL_IMAGE, python_of, tools
from measure import Failed, Skipped, Timed
from product import Product

PROJECTS = "dartsctl-bench-"
"""The beginning of every project's name. `remove_leftovers` removes what has such a name."""


def installed(*argv: str) -> list[str]:
    """Return a command. Raises Skipped if its program is not installed."""
    if not shutil.which(argv[0]):
        raise Skipped(f"{argv[0]} is not installed here: make bench-setup")
    return [*argv]


def program(product: Product, *argv: str) -> Timed:
    """Return a measurement of another program. Raises Skipped if it is not installed."""
    return product.program(installed(*argv))


def psutil(product: Product) -> contextlib.AbstractContextManager[Timed]:
    """Return a measurement of psutil.net_connections, as a library in a process."""
    return product.inside("psutil")


def portpicker(product: Product) -> contextlib.AbstractContextManager[Timed]:
    """Return a measurement of portpicker, as a library in a process."""
    return product.inside("portpicker", python=python_of(tools()))


# --- Docker --------------------------------------------------------------------------------------


def needs_engine(image: str = "") -> None:
    """Raise Skipped if no engine answers, or it does not have the image."""
    with_image = f" with {image}" if image else ""
    if not _answers(image):
        raise Skipped(f"no Docker engine{with_image} answers: make bench-setup")


def needs_small_image() -> None:
    """Raise Skipped if no engine with the image of the small services answers."""
    needs_engine(SMALL_IMAGE)


@functools.cache
def _answers(image: str) -> bool:
    wanted = ("image", "inspect", image) if image else ("version",)
    argv = installed("docker", *wanted)
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def small_stack(product: Product, project: str, *, services: int, command: str) -> Path:
    """Write a Compose file of small services, each with one published port, and their settings."""
    folder = product.place(project)
    lines = ["services:"]
    for number in range(services):
        lines += [
            f"  s{number}:",
            f"    image: {SMALL_IMAGE}",
            f"    command: {command}",
            "    init: true",
            f"    ports: ['127.0.0.1:{product.stack_port + number}:80']",
        ]
    file = folder / "compose.yml"
    file.write_text("\n".join(lines) + "\n")
    settings = f'[prod]\nfiles = ["compose.yml"]\nproject = "{project_of(product, project)}"\n'
    (folder / "dartsctl.toml").write_text(settings)
    return file


def project_of(product: Product, name: str) -> str:
    """Return the name of a Compose project that no other version of dartsctl uses."""
    return f"{PROJECTS}{name}-{product.name}"


@contextlib.contextmanager
def running(project: str, file: Path) -> Iterator[None]:
    """Keep a stack up, and remove it at the end."""
    compose = installed("docker", "compose", "-p", project, "-f", str(file))
    try:
        done = subprocess.run([*compose, "up", "-d"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"`docker compose up` of {project}: {done.stderr.strip()[-600:]}")
        yield
    finally:
        subprocess.run([*compose, "down", "-t", "0"], capture_output=True, check=False)


def remove_leftovers() -> None:
    """Remove the containers and networks of a benchmark that was killed."""
    if not shutil.which("docker"):
        return
    label = "com.docker.compose.project"
    listing = ["--filter", f"label={label}", "--format", f'{{{{.Label "{label}"}}}}']
    projects: set[str] = set()
    for things in (["ps", "-a"], ["network", "ls"]):
        argv = ["docker", *things, *listing]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        projects.update(done.stdout.split())
    for project in sorted(projects):
        if project.startswith(PROJECTS):
            down = ["docker", "compose", "-p", project, "down", "-t", "0"]
            subprocess.run(down, capture_output=True, check=False)
