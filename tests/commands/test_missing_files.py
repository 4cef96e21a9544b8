"""Verbs that look at what runs while the stack's files are unreadable (edge-cases.md#87)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from live.stack import LiveStack

pytest_plugins = ("live.stack",)
pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("settled")]

LOOKING = (("prod", "ps"), ("prod", "logs"), ("doctor",), ("prod", "down", "--dry-run"))
CHANGING = (("prod", "up"), ("prod", "check"), ("prod", "config"))
BY_LABELS = "working from the containers' labels: "


@pytest.fixture
def running(live: LiveStack) -> LiveStack:
    """Start a stack whose file needs a variable of its env file."""
    from live.stack import docker, sleeper, until

    page = ["busybox", "sh", "-c", "echo hello; busybox httpd -f -p 80"]
    db = sleeper(volumes=["data:/data"])
    web = sleeper("127.0.0.1:${WEB_PORT:?}:80", command=page, depends_on=["db"])
    live.compose({"web": web, "db": db}, volumes={"data": {}})
    live.settings('env_files = [".env.production"]')
    env_file(live).write_text(f"WEB_PORT={live.ports[0]}\n")
    env_file(live).chmod(0o600)
    live.up("--env-file", ".env.production", "-f", "compose.json")
    until(lambda: "hello" in docker("logs", f"{live.project}-web-1"))
    return live


def env_file(live: LiveStack) -> Path:
    return live.folder / ".env.production"


def assert_looking_works(live: LiveStack, why: str, *verbs: tuple[str, ...]) -> None:
    """Check that each verb works on what runs, and says once why it goes by labels."""
    for words in verbs:
        result = live.run(*words)
        assert (result.code, result.err.count(BY_LABELS)) == (0, 1), (words, result.text)
        assert why in result.err, (words, result.err)
        if words == ("prod", "logs"):
            assert "hello" in result.out
        elif words == ("prod", "ps"):
            assert f"127.0.0.1:{live.ports[0]}/tcp" in result.out


def test_nothing_that_is_missing_keeps_ps_logs_doctor_and_down_from_what_runs(
    running: LiveStack,
) -> None:
    from live.stack import docker

    live = running
    text = env_file(live).read_text()
    env_file(live).unlink()
    # what Compose would read by itself, in the working folder
    (live.folder / "compose.yaml").write_text("services: [")
    (live.folder / ".env").write_text("A='not closed\n")
    assert_looking_works(live, f"production's env file is missing: {env_file(live)}", *LOOKING)
    typo = live.run("prod", "logs", "wbe")
    assert (typo.code, "did you mean web?" in typo.err) == (1, True), typo.text
    for words in CHANGING:
        result = live.run(*words)
        assert (result.code, BY_LABELS in result.text) == (4, False), (words, result.text)
        assert f"production's env file is missing: {env_file(live)}" in result.err
    volumes = live.run("prod", "down", "--volumes", "--yes")
    assert volumes.code == 4
    assert "--volumes needs the stack's files: production's env file is missing" in volumes.err

    env_file(live).write_text("OTHER=1\n")
    env_file(live).chmod(0o600)
    assert_looking_works(live, "WEB_PORT", ("doctor",), ("prod", "down", "--dry-run"))

    env_file(live).write_text(text)
    model = (live.folder / "compose.json").read_text()
    (live.folder / "compose.json").write_text("services: [")
    assert_looking_works(live, "compose.json", ("prod", "logs"))
    (live.folder / "compose.json").unlink()
    assert_looking_works(live, f"no such file: {live.folder / 'compose.json'}", ("prod", "ps"))

    started = docker("inspect", "-f", "{{.State.StartedAt}}", f"{live.project}-web-1")
    restarted = live.run("prod", "restart", "web")
    assert restarted.err.count(BY_LABELS) == 1, restarted.text
    assert docker("inspect", "-f", "{{.State.StartedAt}}", f"{live.project}-web-1") != started
    (live.folder / "compose.json").write_text(model)
    env_file(live).unlink()
    docker("kill", f"{live.project}-db-1")  # `stop` may end with 0, as a one-shot does
    sick = live.run("doctor")
    assert sick.code == 1
    assert "db" in sick.text
    refused = live.run("doctor", "--fix", "--yes")
    assert refused.code == 4
    assert "cannot repair without the stack's files: production's env file is missing" in (
        refused.err
    )

    down = live.run("prod", "down", COMPOSE_FILE="/nowhere.yml")
    assert (down.code, live.containers()) == (0, {}), down.text
    assert live.leftovers() == [f"volume {live.project}_data"]
    nothing = live.run("doctor")
    assert (nothing.code, BY_LABELS in nothing.text) == (4, False), nothing.text
    assert "production's env file is missing" in nothing.err


def test_a_stack_of_another_folder_is_not_taken_down_by_its_name_alone(
    running: LiveStack, tmp_path: Path
) -> None:
    running.settings("", files=())  # no file has a conventional name here
    (tmp_path / "elsewhere").mkdir()
    (running.folder / "dartsctl.toml").rename(tmp_path / "elsewhere" / "dartsctl.toml")
    before = running.containers()
    result = running.run("prod", "down", cwd=tmp_path / "elsewhere")
    assert (result.code, running.containers()) == (2, before), result.text
    assert "no Compose file for prod" in result.err


def test_containers_of_another_folder_under_the_same_name_are_left_alone(
    live: LiveStack, tmp_path: Path
) -> None:
    from live.stack import docker, sleeper

    ours = live.compose({"ours": sleeper()}, file="docker-compose.prod.yml")
    theirs = tmp_path / "theirs" / "compose.json"
    theirs.parent.mkdir()
    live.compose({"theirs": sleeper()}).rename(theirs)
    for file in (ours, theirs):
        live.up("-f", str(file))
    live.settings("", files=())
    ours.unlink()
    container = f"{live.project}-theirs-1"
    started = docker("inspect", "-f", "{{.State.StartedAt}}", container)
    for verb, effect in (("restart", "restart"), ("down", "remove")):
        result = live.run("prod", verb)
        assert result.code == 4, result.text
        assert f"from {theirs}: `{verb}` would {effect} {container}" in result.err
        assert docker("inspect", "-f", "{{.State.StartedAt}}", container) == started, verb
    assert len(live.containers()) == 2
    services = live.run("doctor", "--json").document["facts"]["services"]
    assert list(services) == ["ours"], "what is not ours is not examined"
