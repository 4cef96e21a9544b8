"""How long a command takes that hardly does anything, and what the guard costs Python's start."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from pathlib import Path

from measure import Failed, Plan, Ratio, Timed, command, compare
from peers import program
from product import Product
from targets import Bench, Target, just, pair

_SERVER_STARTS = 60.0
"""Seconds until a Python server answers, on a slow machine."""


def _version(product: Product) -> Timed:
    return product.timed("--version", cwd=product.quiet_project())


def _help(product: Product) -> Timed:
    return product.timed("--help", cwd=product.quiet_project())


def _ports(product: Product) -> Timed:
    return product.timed("ports", "--json", cwd=product.quiet_project())


@contextlib.contextmanager
def _dev_url(product: Product) -> Iterator[Timed]:
    """Ask for the URL of a server that runs."""
    folder = product.quiet_project()
    with _a_server(product, folder):
        yield product.timed("dev", "url", cwd=folder)


@contextlib.contextmanager
def _a_server(product: Product, folder: Path) -> Iterator[None]:
    """Run a small server in a project, until `dev url` knows it.

    It ends with our end of the pipe, so also when this process is killed.
    """
    server = [product.script, "run", "--", sys.executable, "-m", "http.server", "{port}"]
    with subprocess.Popen(
        ["sh", "-c", '"$@" & read end; kill $!; wait', "sh", *server],
        cwd=folder,
        env=product.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    ):
        _await_url(product, folder)
        yield


def _await_url(product: Product, folder: Path) -> None:
    """Wait until `dev url` knows the server. Raises Failed."""
    url = [product.script, "dev", "url"]
    deadline = time.monotonic() + _SERVER_STARTS
    while subprocess.run(
        url, cwd=folder, env=product.environ, capture_output=True, check=False
    ).returncode:
        if time.monotonic() > deadline:
            raise Failed("`dartsctl run -- python -m http.server {port}` did not start")
        time.sleep(0.1)


def _docker_version(product: Product) -> Timed:
    return program(product, "docker", "--version")


def _compose_version(product: Product) -> Timed:
    return program(product, "docker", "compose", "version")


def _guard(bench: Bench) -> Ratio:
    """Compare `python -c pass` with and without the guard.

    DARTSCTL_GUARD=on, because in a container the guard would be inactive.
    """
    product = bench.product
    environ = product.environ | {"DARTSCTL_GUARD": "on"}
    measurements = []
    for name in ("guarded", "unguarded"):
        environment = product.quiet_project() / name
        venv.create(environment, symlinks=True)
        if name == "guarded":
            install = [product.script, "guard", "install", "--venv", str(environment)]
            command(install, cwd=environment.parent, environ=environ)()
        python = str(environment / "bin" / "python")
        measurements.append(command([python, "-c", "pass"], cwd=environment, environ=environ))
    ours, peer = measurements
    plan = Plan(bench.plan.seconds, bench.plan.least, most=5 * bench.plan.most)
    return compare(ours, peer, plan=plan)


TARGETS = (
    pair(
        "dartsctl --version",
        "docker --version",
        1.0,
        scenario=just(_version),
        against=just(_docker_version),
    ),
    pair(
        "dartsctl --help",
        "docker compose version",
        0.5,
        scenario=just(_help),
        against=just(_compose_version),
    ),
    pair(
        "dartsctl dev url",
        "docker compose version",
        1.0,
        scenario=_dev_url,
        against=just(_compose_version),
    ),
    pair(
        "dartsctl ports --json",
        "docker compose version",
        1.0,
        scenario=just(_ports),
        against=just(_compose_version),
    ),
    Target(
        "python -c pass in a guarded virtual environment",
        "in a plain one",
        1.15,
        measure=_guard,
    ),
)
