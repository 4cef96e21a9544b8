"""Shared by all tests: a state folder for each, and loud skips where no Docker engine answers."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

import own_images
from fakes.machines import Machine, bare_machine
from real_engine import engine_version, has_compose, has_stack_images

pytest_plugins = ("live.servers",)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts a command with `&` so, and every process of the tests would ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the same with nohup, and a closed terminal

REQUIRED = os.environ.get("DARTSCTL_REQUIRE_ENGINE") == "1"
MEASURED = {
    "test_another_stack.py": 50.0,
    "test_blocks.py": 15.0,
    "test_channels.py": 15.0,
    "test_conflicts_settled.py": 150.0,
    "test_dev_moved.py": 45.0,
    "test_dev_services.py": 60.0,
    "test_doctor_fix.py": 150.0,
    "test_full_range.py": 25.0,
    "test_fuzz.py": 35.0,
    "test_hostile_compose.py": 50.0,
    "test_hostile_engine.py": 50.0,
    "test_incident.py": 30.0,
    "test_init.py": 60.0,
    "test_init_darts_server.py": 60.0,
    "test_long_run.py": 15.0,
    "test_missing_files.py": 20.0,
    "test_oracle.py": 30.0,
    "test_postflight.py": 50.0,
    "test_production_stack.py": 60.0,
    "test_real_delivery.py": 15.0,
    "test_real_servers.py": 100.0,
    "test_run.py": 60.0,
    "test_squatters.py": 40.0,
    "test_up.py": 100.0,
    "test_watch_alerts.py": 110.0,
    "test_watch_killed.py": 15.0,
    "test_watch_once.py": 20.0,
    "test_watch_reserve.py": 30.0,
    "test_watch_screen.py": 20.0,
}
"""Seconds of the files that take far longer than their folder and their marks say."""
ENGINE, PROCESS, PLAIN = 2.0, 1.0, 0.05
"""Seconds of a test with the engine, of another one of a verb, of any other."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip engine tests where no engine answers, and run the slowest files first.

    With DARTSCTL_REQUIRE_ENGINE=1 they are not skipped, and fail.
    """
    _slowest_files_first(items)
    if any(item.get_closest_marker("engine") for item in items):
        own_images.tag()
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        if not REQUIRED and (missing := _missing(marks)):
            item.add_marker(pytest.mark.skip(reason=f"{missing}: see tests/engine/README.md"))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector from the tests themselves, which all stay.

    It would take a quarter of their collection, in each worker.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()  # not frozen: hypothesis asks the collector who refers to an object


def _missing(marks: set[str]) -> str:
    """Return what a test with these marks needs and this machine lacks, empty for nothing."""
    if "stack" in marks and not has_stack_images():
        return "no Docker engine with the images of compose/prod.yml"
    if marks & {"engine", "ports"} and not engine_version():
        return "no Docker engine with the test images"
    if "compose" in marks and not has_compose():
        return "no Docker engine, and no docker command with Compose"
    return ""


def _slowest_files_first(items: list[pytest.Item]) -> None:
    """Sort by estimated duration, so that no worker has a long file left at the end.

    Needs --no-loadscope-reorder. Files with a whole stack are spread out: only one stack is up at
    a time, and the others' workers would wait for it.
    """
    seconds: dict[Path, float] = {}
    stacks: set[Path] = set()
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        seconds[item.path] = seconds.get(item.path, 0) + _usual_seconds(item.path, marks)
        if "stack" in marks:
            stacks.add(item.path)
    for path, estimate in seconds.items():
        seconds[path] = MEASURED.get(path.name, estimate)
    slowest = sorted(seconds, key=lambda path: (-seconds[path], path))
    others = [path for path in slowest if path not in stacks]
    for place, path in enumerate(path for path in slowest if path in stacks):
        others.insert(3 * place, path)
    position = {path: place for place, path in enumerate(others)}
    items.sort(key=lambda item: position[item.path])


def _usual_seconds(path: Path, marks: set[str]) -> float:
    if marks & {"engine", "ports", "stack"}:
        return ENGINE
    if path.parent.name == "commands":
        return PROCESS
    return PLAIN


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report skipped engine tests where nobody overlooks them."""
    skipped = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if "no Docker engine" in str(report.longrepr)
    ]
    if skipped:
        terminalreporter.section("ENGINE TESTS SKIPPED", sep="!", red=True, bold=True)
        terminalreporter.write_line(
            f"{len(skipped)} tests need a Docker engine and did not run. "
            "To run them: tests/engine/README.md"
        )


@pytest.fixture(autouse=True)
def own_state_folder(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Set a state folder for the test, so that the user's is never touched."""
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
def utc() -> Iterator[None]:
    """Make UTC the local time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a machine without Docker, to which a test adds what it needs."""
    return bare_machine(tmp_path / "machine")
