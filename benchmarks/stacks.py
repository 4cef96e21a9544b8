"""`check` and `up`, compared with Compose itself."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from install import ROOT, SMALL_IMAGE
from measure import Timed
from peers import (
    installed,
    needs_engine,
    needs_small_image,
    program,
    project_of,
    running,
    small_stack,
)
from product import Product
from targets import just, pair

CHECKED = (0, 3, 4)
"""Exit codes of a check: a clean checkout has no certificate (4), a port may be in use (3)."""
SERVICES, PORTS_EACH, FIRST_PORT = 500, 4, 20_000
"""The large stack."""
SMALL_SERVICES = 7


# --- check ---------------------------------------------------------------------------------------


def _production(product: Product) -> Path:
    """Write settings for compose/prod.yml, with a project name and an env file of its own."""
    folder = product.place("prod")
    env_file = folder / ".env.production"
    example = (ROOT / ".env.production.example").read_text()
    env_file.write_text(example.replace("change-me", os.urandom(16).hex()))
    env_file.chmod(0o600)
    file = ROOT / "compose" / "prod.yml"
    settings = f'[prod]\nfiles = ["{file}"]\nproject = "{project_of(product, "prod")}"\n'
    (folder / "dartsctl.toml").write_text(settings)
    return folder


def _check(product: Product) -> Timed:
    needs_engine()
    return product.timed("prod", "check", "--json", cwd=_production(product), good=CHECKED)


def _config(product: Product) -> Timed:
    needs_engine()
    env_file = product.place("prod") / ".env.production"
    _production(product)
    return program(
        product,
        *("docker", "compose", "-f", str(ROOT / "compose" / "prod.yml")),
        *("--env-file", str(env_file), "-p", project_of(product, "prod")),
        *("config", "--format", "json"),
    )


def _large_stack(product: Product) -> Path:
    """Write 500 services with 2,000 published ports."""
    file = product.place("large") / "compose.yml"
    lines = ["services:"]
    for number in range(SERVICES):
        lines += [f"  s{number}:", f"    image: {SMALL_IMAGE}", "    ports:"]
        for published in range(PORTS_EACH):
            port = FIRST_PORT + number * PORTS_EACH + published
            lines.append(f"      - '127.0.0.1:{port}:{8000 + published}'")
    file.write_text("\n".join(lines) + "\n")
    return file


def _range(product: Product) -> Path:
    """Write the range of a TURN server, which Compose expands port by port."""
    file = product.place("turn") / "compose.yml"
    file.write_text(
        f"services:\n  turn:\n    image: {SMALL_IMAGE}\n"
        "    ports: ['49152-65535:49152-65535/udp']\n"
    )
    return file


def _check_of(product: Product, file: Path) -> Timed:
    needs_engine()
    return product.timed("check", "-f", str(file), "--json", cwd=file.parent, good=CHECKED)


def _config_of(product: Product, file: Path) -> Timed:
    needs_engine()
    return program(product, "docker", "compose", "-f", str(file), "config", "--format", "json")


# --- up ------------------------------------------------------------------------------------------


def _seven(product: Product) -> Path:
    return small_stack(product, "seven", services=SMALL_SERVICES, command="sleep 600")


def _preflight(product: Product) -> AbstractContextManager[Timed]:
    needs_small_image()
    return product.inside("preflight", str(_seven(product)), project_of(product, "seven"))


@contextlib.contextmanager
def _cold_up(product: Product) -> Iterator[Timed]:
    """Start seven services from nothing; removing them is not counted."""
    needs_small_image()
    file = _seven(product)
    compose = installed("docker", "compose", "-f", str(file), "-p", project_of(product, "seven"))
    down = product.program([*compose, "down", "--timeout", "0"])
    try:
        yield product.program([*compose, "up", "-d"], after=down)
    finally:
        down()


def _warm(product: Product) -> Path:
    web = "httpd -f -p 80 -h /www"
    return small_stack(product, "warm", services=SMALL_SERVICES, command=web)


@contextlib.contextmanager
def _warm_up(product: Product) -> Iterator[Timed]:
    """Run `prod up` while everything is up."""
    needs_small_image()
    file = _warm(product)
    with running(project_of(product, "warm"), file):
        yield product.timed("prod", "up", cwd=file.parent)


def _up_again(product: Product) -> Timed:
    needs_small_image()
    compose = ("docker", "compose", "-f", str(_warm(product)), "-p", project_of(product, "warm"))
    return program(product, *compose, "up", "-d", "--wait")


TARGETS = (
    pair(
        "dartsctl prod check --json",
        "docker compose config --format json",
        0.9,
        scenario=just(_check),
        against=just(_config),
        longer=1.5,
    ),
    pair(
        f"dartsctl check --json of {SERVICES} services with {SERVICES * PORTS_EACH:,} ports",
        "docker compose config --format json",
        1.2,
        scenario=just(lambda product: _check_of(product, _large_stack(product))),
        against=just(lambda product: _config_of(product, _large_stack(product))),
        longer=2.0,
    ),
    pair(
        "dartsctl check --json of a range of 16,384 ports",
        "docker compose config --format json",
        1.5,
        scenario=just(lambda product: _check_of(product, _range(product))),
        against=just(lambda product: _config_of(product, _range(product))),
        longer=1.5,
    ),
    pair(
        f"dartsctl prod up, {SMALL_SERVICES} services that run already",
        "docker compose up -d --wait",
        1.0,
        scenario=_warm_up,
        against=just(_up_again),
        longer=2.0,
    ),
    pair(
        f"preflight of {SMALL_SERVICES} small services",
        "preflight and a cold `docker compose up -d`",
        0.04,
        scenario=_preflight,
        against=_cold_up,
        longer=5.0,
        share=True,
    ),
)
