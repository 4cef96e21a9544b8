"""Which outputs a watch has, and what becomes of a port for metrics that is not free."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from dartsctl.config.environment import Environment
from dartsctl.config.settings import WatchSettings
from dartsctl.diagnosis.facts import Commands
from dartsctl.edges.screen.output import Screen
from dartsctl.errors import DartsctlError, ExitCode
from dartsctl.ports.allocation import Allocation
from dartsctl.records import replace
from dartsctl.workflows.examine.probes import ExamineRequest
from dartsctl.workflows.watch.ending import Ending
from dartsctl.workflows.watch.lines import JsonLines, PlainLines
from dartsctl.workflows.watch.metrics import MetricsOutput
from dartsctl.workflows.watch.outputs import beginning, outputs_of
from dartsctl.workflows.watch.request import WatchRequest
from dartsctl.workflows.watch.signals import Output
from fakes.deps import FakeClock, fake_deps
from own_ports import free_ports


@pytest.fixture
def port() -> Iterator[int]:
    """Return a port that somebody holds."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        yield holder.getsockname()[1]


def request(metrics: int | None, **more: Any) -> WatchRequest:
    environment = Environment(
        name="prod", files=(), env_files=(), project="darts", profiles=(), directory=Path()
    )
    examine = ExamineRequest(environment, cast(Commands, None))
    return WatchRequest(examine, WatchSettings(metrics=metrics), cast(Any, None), **more)


def made(asked: WatchRequest, state: Path, ending: Ending, screen: Screen) -> list[Output]:
    deps = fake_deps(state, FakeClock(), screen=screen)
    outputs = outputs_of(asked, deps=deps, ending=ending)
    for output in outputs:
        output.close()
    return outputs


def kinds(outputs: list[Output]) -> list[type]:
    return [type(output) for output in outputs]


def test_in_a_pipe_there_are_lines_and_with_json_documents(tmp_path: Path) -> None:
    asked = request(None)
    assert kinds(made(asked, tmp_path, Ending(), Screen())) == [PlainLines]
    outputs = made(asked, tmp_path, Ending(), Screen(as_json=True))
    assert kinds(outputs) == [JsonLines]
    note = beginning(asked, outputs, 7.0)
    assert note.text == "watching prod (project darts): a look every 15 s"
    assert note.data == {"environment": "prod", "project": "darts"}


def test_metrics_come_before_the_screen_which_may_end_with_its_reader(tmp_path: Path) -> None:
    (free,) = free_ports(1)
    asked = request(free)
    outputs = made(asked, tmp_path, Ending(), Screen())
    assert kinds(outputs) == [MetricsOutput, PlainLines]
    expected = f"a look every 15 s, metrics on http://127.0.0.1:{free}/metrics"
    assert beginning(asked, outputs, 7.0).text.endswith(expected)


@pytest.mark.parametrize("whose", ["somebody's", "production's"])
def test_a_port_that_is_not_free_ends_the_start_and_not_a_running_watch(
    whose: str, port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = request(port)
    message = f"port {port} for metrics is in use"
    if whose == "production's":
        asked = replace(asked, production=lambda: Allocation.of({"web": [port]}))
        message = f"port {port} for metrics belongs to production's web"
    ending = Ending()
    with pytest.raises(DartsctlError, match=message) as raised:
        made(asked, tmp_path, ending, Screen())
    assert raised.value.code == ExitCode.CONFLICT
    ending.next_round()  # the settings were read again
    outputs = made(asked, tmp_path, ending, Screen())
    assert kinds(outputs) == [PlainLines]
    assert capsys.readouterr().err == f"warning: no metrics: {message}\n"
    assert "metrics" not in beginning(asked, outputs, 7.0).text
