"""What all tests share: no test touches the real state folder, and engine tests say loudly when they could not run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fakes.machines import Machine, bare_machine
from real_engine import engine_version, has_stack_images

pytest_plugins = ("live.servers",)

REQUIRED = os.environ.get("DARTSCTL_REQUIRE_ENGINE") == "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Engine tests are skipped where no engine answers, and fail there with DARTSCTL_REQUIRE_ENGINE=1. The slowest files come first."""
    _slowest_files_first(items)
    for item in items:
        stack = item.get_closest_marker("stack") is not None
        if (
            item.get_closest_marker("engine") is None
            and item.get_closest_marker("ports") is None
            and not stack
        ):
            continue
        if REQUIRED or (has_stack_images() if stack else engine_version()):
            continue
        item.add_marker(
            pytest.mark.skip(
                reason='no Docker engine with the test images: eval "$(tests/engine/engine.sh env)", see tests/engine/README.md'
            )
        )


def _slowest_files_first(items: list[pytest.Item]) -> None:
    """So that no worker has a long file left when the others are done (with --no-loadscope-reorder): a container costs seconds.

    Files with a whole stack stand apart from each other: one at a time is up, and the others' workers would wait for it.
    """
    seconds: dict[Path, float] = {}
    stacks: set[Path] = set()
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        seconds[item.path] = seconds.get(item.path, 0) + (
            2.0 if marks & {"engine", "ports", "stack"} else 0.1
        )
        if "stack" in marks:
            stacks.add(item.path)
    slowest = sorted(seconds, key=lambda path: (-seconds[path], path))
    others = [path for path in slowest if path not in stacks]
    for place, path in enumerate(path for path in slowest if path in stacks):
        others.insert(3 * place, path)
    position = {path: place for place, path in enumerate(others)}
    items.sort(key=lambda item: position[item.path])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it where nobody overlooks it."""
    skipped = [
        one
        for one in terminalreporter.stats.get("skipped", [])
        if "no Docker engine" in str(one.longrepr)
    ]
    if skipped:
        terminalreporter.section("ENGINE TESTS SKIPPED", sep="!", red=True, bold=True)
        terminalreporter.write_line(
            f"{len(skipped)} tests need a Docker engine and did not run. To run them: tests/engine/README.md"
        )


@pytest.fixture(autouse=True)
def own_state_folder(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A state folder of the test's own: the user's is never touched."""
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("DARTSCTL_STATE_DIR", str(folder))
    for name in (
        "VIRTUAL_ENV",
        "DARTSCTL_PROJECT_DIR",
        "COMPOSE_FILE",
        "COMPOSE_PROFILES",
        "COMPOSE_PROJECT_NAME",
        "CI",
    ):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine without any Docker, on which a test puts what it needs."""
    return bare_machine(tmp_path / "machine")
