"""The exit codes are a contract with scripts. Real calls produce each of them.

70 (a bug) cannot be produced from outside: it is raised inside this process. TIMED_OUT needs a
Compose that hangs: a script does that.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer

from dartsctl import cli
from dartsctl.cli.parameters import Verb
from dartsctl.errors import DartsctlError, ExitCode
from fakes.machines import ANSWERS_VERSION, write_script

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)


def test_the_numbers_are_as_documented() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "FAILED": 1,
        "USAGE": 2,
        "CONFLICT": 3,
        "REFUSED": 4,
        "NO_DOCKER": 5,
        "NOT_HEALTHY": 6,
        "ANSWER_NEEDED": 7,
        "BUG": 70,
        "TIMED_OUT": 124,
        "INTERRUPTED": 130,
    }


@pytest.mark.engine
def test_every_code_in_the_life_of_a_stack(live: LiveStack) -> None:
    from live.stack import ended, healthy, sleeper

    live.compose({"web": sleeper(f"{live.ports[0]}:80")})
    live.settings()
    assert live.run("prod", "check").code == ExitCode.OK
    assert live.run("prod", "check", "nobody").code == ExitCode.FAILED
    assert live.run("prod", "chekc").code == ExitCode.USAGE
    pid = live.listen(live.ports[0])
    assert live.run("prod", "up").code == ExitCode.CONFLICT
    live.end(pid)
    assert live.run("run", "--port", "5000", "--", "true").code == ExitCode.REFUSED
    assert (
        live.run("prod", "check", DOCKER_HOST=f"unix://{live.folder}/none.sock").code
        == ExitCode.NO_DOCKER
    )
    assert live.run("prod", "down", "--volumes", "--no-input").code == ExitCode.ANSWER_NEEDED

    live.compose({"web": healthy(after="sleep 60")})
    up = live.start("prod", "up")
    assert up.stdout is not None
    assert any("waiting for web" in line for line in up.stdout)
    up.send_signal(signal.SIGINT)
    assert ended(up)[0] == ExitCode.INTERRUPTED
    assert live.run("prod", "up", "--wait-timeout", "1").code == ExitCode.NOT_HEALTHY


def test_a_server_ends_with_its_own_code(live: LiveStack) -> None:
    assert live.run("run", "--", "sh", "-c", "exit 42").code == 42


def test_a_compose_that_hangs_ends_with_124(live: LiveStack, tmp_path: Path) -> None:
    """A separate process with a shorter deadline: the real one is a minute."""
    plugin = write_script(
        tmp_path / "docker" / "cli-plugins" / "docker-compose", f"{ANSWERS_VERSION}\nexec sleep 600"
    )
    live.compose({"web": {"image": "none"}})
    script = (
        "import sys\n"
        "from dartsctl.edges.engine import compose\n"
        "from dartsctl.cli import main\n"
        "compose.CONFIG_DEADLINE = 0.5\n"
        "sys.exit(main(['check', '-f', 'compose.json', '--no-engine', '--json']))"
    )
    environ = {**live.environ, "DOCKER_CONFIG": str(plugin.parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=live.folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == ExitCode.TIMED_OUT, done.stderr
    assert json.loads(done.stdout)["exit_code"] == ExitCode.TIMED_OUT


def test_a_bug_writes_a_report_and_shows_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], own_state_folder: Path
) -> None:
    def broken(*_self: object, **_given: object) -> int:
        raise ZeroDivisionError("canary-secret-value")

    monkeypatch.setattr(typer.Typer, "__call__", broken)
    monkeypatch.setenv("SOME_PASSWORD", "canary-secret-value")
    assert cli.main(["ports", "--token", "canary-on-the-line"]) == ExitCode.BUG
    out, err = capfd.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert "this is a bug in dartsctl (ZeroDivisionError)" in err
    (report,) = own_state_folder.rglob("*.txt")
    assert str(report) in err
    assert report.stat().st_mode & 0o777 == 0o600
    text = report.read_text()
    assert "ZeroDivisionError" in text
    assert "Traceback" in text
    assert "canary" not in text


def test_a_bug_with_json_is_one_document(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_self: object, **_given: object) -> int:
        raise RuntimeError

    monkeypatch.setattr(Verb, "call", broken)
    assert cli.main(["ports", "--json"]) == ExitCode.BUG
    assert json.loads(capfd.readouterr().out)["exit_code"] == ExitCode.BUG


def test_ctrl_c_anywhere_else_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_self: object, **_given: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(Verb, "call", interrupted)
    assert cli.main(["ports"]) == ExitCode.INTERRUPTED


def test_an_error_has_its_own_code(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refused(*_self: object, **_given: object) -> int:
        raise DartsctlError("no", details=("because",), hint="date", code=ExitCode.REFUSED)

    monkeypatch.setattr(Verb, "call", refused)
    assert cli.main(["ports"]) == ExitCode.REFUSED
    assert capfd.readouterr().err == "error: no\n  because\nnext: date\n"
