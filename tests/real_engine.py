"""Whether a Docker engine answers here, with Compose and the images that the tests need."""

from __future__ import annotations

import functools
import subprocess


@functools.cache
def engine_version() -> str:
    """The version of the engine that answers, with Compose v2 and the tiny test images; empty where one of them is missing."""
    commands = (
        ["docker", "compose", "version", "--short"],
        ["docker", "image", "inspect", "dartsctl-test/busybox:1", "dartsctl-test/nginx:1"],
        ["docker", "version", "--format", "{{.Server.Version}}"],
    )
    try:
        answers = [
            subprocess.run(one, capture_output=True, text=True, check=False, timeout=30)
            for one in commands
        ]
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answers[-1].stdout.strip() if all(one.returncode == 0 for one in answers) else ""


@functools.cache
def has_stack_images() -> bool:
    """Whether the engine has every image that compose/prod.yml names (tests/engine/images.sh stack)."""
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
