"""Checks for a Docker engine with Compose and the images that the tests need."""

from __future__ import annotations

import functools
import subprocess


@functools.cache
def has_compose() -> bool:
    """Return whether the docker command is there with Compose v2."""
    command = ["docker", "compose", "version", "--short"]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@functools.cache
def engine_version() -> str:
    """Return the engine's version, empty without an engine, Compose v2 or the test images."""
    commands = (
        ["docker", "compose", "version", "--short"],
        ["docker", "image", "inspect", "dartsctl-test/busybox:1", "dartsctl-test/nginx:1"],
        ["docker", "version", "--format", "{{.Server.Version}}"],
    )
    try:
        answers = [
            subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
            for command in commands
        ]
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answers[-1].stdout.strip() if all(answer.returncode == 0 for answer in answers) else ""


@functools.cache
def has_stack_images() -> bool:
    """Return whether the engine has every image of compose/prod.yml.

    `tests/engine/images.sh stack` pulls them.
    """
    names = [
        "nginx:1.28-alpine",
        "postgres:16-alpine",
        "rabbitmq:3.13-management-alpine",
        "wso2/wso2is:7.0.0",
        "python:3.12-slim",
    ]
    return (
        bool(engine_version())
        and subprocess.run(
            ["docker", "image", "inspect", *names], capture_output=True, check=False
        ).returncode
        == 0
    )
