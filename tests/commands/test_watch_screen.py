"""What a real `watch` writes: JSON lines of the schema, metrics, and the end with its reader."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from repository import REPOSITORY
from schema import violations

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)

SCHEMA = json.loads((REPOSITORY / "docs/watch.schema.json").read_text())


def lines_of(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    assert process.stdout is not None
    for text in process.stdout:
        line = json.loads(text)
        assert violations(line, SCHEMA, SCHEMA) == [], text
        yield line


def until(
    lines: Iterator[dict[str, Any]], is_so: Callable[[dict[str, Any]], object]
) -> dict[str, Any]:
    return next(line for line in lines if is_so(line))


def metric(port: int, name: str) -> dict[str, float]:
    """Return a metric's numbers by the values of its labels, as Prometheus would read them."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    samples = [sample for family in families for sample in family.samples]
    return {" ".join(row.labels.values()): row.value for row in samples if row.name == name}


@pytest.mark.engine
def test_a_death_and_its_recovery_for_programs(live: LiveStack) -> None:
    from live.stack import docker, sleeper

    published, metrics = live.ports[:2]
    ends = "rm -f /end; until [ -e /end ]; do sleep 0.1; done; exit 3"
    web = sleeper(f"127.0.0.1:{published}:80", command=["sh", "-c", ends])
    live.compose({"web": web})
    live.settings(
        f"[ports.production]\nweb = {published}\n"
        f"[watch]\nmetrics = {metrics}\nclose_after = 1\ninterval = 1"
    )
    live.up()
    watch = live.spawn([sys.executable, "-m", "dartsctl", "watch", "--json"])
    lines = lines_of(watch)
    assert next(lines)["data"] == {"environment": "prod", "project": live.project}
    view = until(lines, lambda line: line["kind"] == "view" and line["services"] and line["ports"])
    assert view["services"][0]["state"] == "running"
    assert (view["ports"][0]["port"], view["ports"][0]["is_stranger"]) == (published, False)
    assert metric(metrics, "dartsctl_service_up") == {"web": 1}
    docker("exec", f"{live.project}-web-1", "touch", "/end", check=False)  # it ends at once
    opened = until(lines, lambda line: line["kind"] == "opened")
    assert opened["subject"] == {"kind": "service", "name": "web"}
    assert opened["command_kind"] == "next"
    until(lines, lambda line: line["kind"] == "view" and opened["episode"] in line["episodes"])
    assert list(metric(metrics, "dartsctl_open_episodes").values()) == [1]
    docker("start", f"{live.project}-web-1")
    recovered = until(lines, lambda line: line["kind"] == "recovered")
    assert recovered["episode"] == opened["episode"]
    assert recovered["lasted_seconds"] > 0
    until(lines, lambda line: line["kind"] == "view" and not line["episodes"])
    assert metric(metrics, "dartsctl_open_episodes") == {}
    assert watch.stdout is not None
    watch.stdout.close()
    assert watch.wait(60) == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a project without an engine."""
    (tmp_path / "compose.prod.yml").write_text("services:\n  web:\n    image: web\n")
    return tmp_path


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    environment = dict(os.environ, DOCKER_HOST=f"unix://{folder}/none.sock")
    return subprocess.Popen(
        [sys.executable, "-m", "dartsctl", "watch", *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_in_a_pipe_the_first_line_says_what_is_watched_and_the_end_of_the_reader_ends_it(
    folder: Path,
) -> None:
    with start(folder) as watch:
        assert watch.stdout is not None
        assert watch.stderr is not None
        assert "watching prod (project " in watch.stdout.readline()
        watch.stdout.close()
        assert watch.wait(60) == 0
        assert "Traceback" not in watch.stderr.read()


def test_a_port_of_production_is_a_conflict_for_metrics(folder: Path) -> None:
    (folder / "dartsctl.toml").write_text("[ports.production]\nweb = 19464\n")
    with start(folder, "--json", "--metrics", "19464") as watch:
        out, _ = watch.communicate(timeout=60)
    document = json.loads(out)
    assert (watch.returncode, document["exit_code"]) == (3, 3)
    expected = "port 19464 for metrics belongs to production's web (dartsctl.toml:2)"
    assert document["error"] == expected
