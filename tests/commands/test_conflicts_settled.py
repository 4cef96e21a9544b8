"""Conflicts resolved on the real engine: each choice at a real prompt, each policy, and Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from dartsctl.edges.engine import early_config
from dartsctl.edges.state.history import History
from own_images import BUSYBOX

if TYPE_CHECKING:
    from live.stack import LiveStack
    from live.terminal import Terminal

pytest_plugins = ("live.stack", "live.terminal")
pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("settled")]

Sit = Callable[..., "Terminal"]

STUBBORN = """
import signal, socket, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("ready", flush=True)
time.sleep(600)
"""


OUTGOING = """
import socket, sys, time
client = socket.socket()
client.bind(("127.0.0.1", int(sys.argv[1])))
client.connect(("127.0.0.1", int(sys.argv[2])))
print("ready", flush=True)
time.sleep(600)
"""


def wanting(live: LiveStack, environment: str = "prod", *, port: int | None = None) -> int:
    """A stack of one service that publishes a port on which nothing listens yet; the port."""
    from live.stack import sleeper

    port = port or live.ports[0]
    live.compose({"web": sleeper(f"127.0.0.1:{port}:80")})
    live.settings(environment=environment)
    return port


def rival(live: LiveStack, port: int, *, name: str = "", service: str = "theirs") -> str:
    """Another project, running, with one container on the port and one beside it; its name."""
    from live.stack import sleeper

    project = live.of(name or f"{live.project}-other")
    live.compose(
        {service: sleeper(f"127.0.0.1:{port}:80"), "beside": sleeper()},
        file="other/compose.json",
        name=project,
    )
    live.up("-f", "other/compose.json")
    return project


def stubborn(live: LiveStack, port: int) -> subprocess.Popen[str]:
    """A process on the port that does not end when it is asked to."""
    process = live.spawn([sys.executable, "-c", STUBBORN, str(port)])
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def outgoing(live: LiveStack, port: int, to: int) -> int:
    """A program with an open connection whose source port is `port`; its pid."""
    process = live.spawn([sys.executable, "-c", OUTGOING, str(port), str(to)])
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process.pid


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def published(live: LiveStack, name: str = "web") -> str:
    """Where the project's container is published: `127.0.0.1:22000`."""
    from live.stack import docker

    return docker("port", f"{live.project}-{name}-1", "80/tcp").strip()


def recorded(live: LiveStack) -> list[tuple[str, str]]:
    """The history: action and what."""
    return [
        (entry.action, entry.what)
        for entry in History(Path(live.environ["DARTSCTL_STATE_DIR"])).read()
    ]


# --- at a terminal: each choice


def test_wait_goes_on_by_itself_once_the_port_is_free(live: LiveStack, terminal: Sit) -> None:
    port = wanting(live)
    pid = live.listen(port)
    screen = terminal("prod", "up")
    assert f"pid {pid}" in screen.chooses("wait")
    screen.sees(f"waiting for 127.0.0.1:{port}")
    screen.sees(f"pid {pid}")
    live.end(pid)
    assert screen.ends() == 0
    assert published(live) == f"127.0.0.1:{port}"
    assert recorded(live) == []


def test_abort_changes_nothing_and_ends_with_7(live: LiveStack, terminal: Sit) -> None:
    port = wanting(live)
    pid = live.listen(port)
    screen = terminal("prod", "up")
    screen.chooses("abort")
    assert screen.ends() == 7
    assert "nothing was changed" in screen.seen
    assert is_alive(pid)
    assert live.leftovers() == []
    assert recorded(live) == []


def test_another_projects_container_is_stopped_alone_or_with_its_whole_project(
    live: LiveStack, terminal: Sit
) -> None:
    port = wanting(live)
    other = rival(live, port)
    screen = terminal("prod", "up")
    question, lines = screen.menu()
    assert f"{other}-theirs-1 of project {other}" in question
    assert [line.split(" until")[0] for line in lines] == [
        "wait",
        f"stop container {other}-theirs-1; its data stays",
        f"stop all containers of project {other}; their data stays",
        "show details",
        "abort; nothing is changed",
    ]
    screen.takes(lines.index("show details"))
    screen.sees(f"publishes: 127.0.0.1:{port}/tcp")
    screen.chooses(f"stop container {other}-theirs-1")
    assert screen.ends() == 0
    assert live.containers(other) == {f"{other}-beside-1": "running", f"{other}-theirs-1": "exited"}
    assert published(live) == f"127.0.0.1:{port}"
    assert recorded(live) == [("stop-container", f"{other}-theirs-1")]

    assert live.run("prod", "down").code == 0
    live.up("-f", "other/compose.json")
    screen = terminal("prod", "up")
    screen.chooses(f"stop all containers of project {other}")
    assert screen.ends() == 0
    assert set(live.containers(other).values()) == {"exited"}


def test_nothing_of_productions_project_is_stopped_by_a_dev_command(
    live: LiveStack, terminal: Sit
) -> None:
    from live.stack import docker

    port = wanting(live, "dev")
    production = rival(live, port, name=f"{live.project}-app")
    everything = {f"{production}-beside-1": "running", f"{production}-theirs-1": "running"}
    screen = terminal("dev", "up")
    _, lines = screen.menu()
    assert [line.split(" ")[0] for line in lines] == ["publish", "wait", "show", "abort;"]
    assert lines[-1] == "abort; nothing is changed"  # as far as the menu is read
    screen.sees("(it is production's: only `dartsctl prod down` stops it)")
    screen.takes(len(lines) - 1)
    assert screen.ends() == 7

    for words in (
        ("dev", "up"),
        ("dev", "check", "--fix"),
        ("check", "--fix", "-f", "compose.json"),
    ):
        said = live.run(
            *words, "--on-conflict", "stop", "--yes", "--remove-container", f"{production}-theirs-1"
        )
        assert said.code == 3, said.text
        assert (
            f"{production}-theirs-1 is production's: only `dartsctl prod down` stops it" in said.err
        )
    assert live.containers(production) == everything
    docker("pause", f"{production}-theirs-1")
    assert live.run("dev", "up", "--on-conflict", "stop", "--yes").code == 3
    assert live.containers(production) == {**everything, f"{production}-theirs-1": "paused"}
    assert recorded(live) == []


def test_a_container_of_productions_on_the_hosts_network_is_spared_too(live: LiveStack) -> None:
    from live.stack import sleeper, until

    port = wanting(live, "dev")
    production = live.of(f"{live.project}-app")
    listens = sleeper(network_mode="host", command=["httpd", "-f", "-p", f"127.0.0.1:{port}"])
    live.compose({"theirs": listens}, file="other/compose.json", name=production)
    live.up("-f", "other/compose.json")
    until(lambda: answers(port), say="the container does not listen")
    said = live.run("dev", "up", "--on-conflict", "stop", "--yes")
    assert said.code == 3, said.text
    assert f"{production}-theirs-1 is production's" in said.err
    assert live.containers(production) == {f"{production}-theirs-1": "running"}


def test_production_stops_its_own_orphan_only_when_its_name_is_typed(
    live: LiveStack, terminal: Sit
) -> None:
    from live.stack import sleeper

    port = live.ports[0]
    live.compose({"old": sleeper(f"127.0.0.1:{port}:80")}, name=f"{live.project}-app")
    live.of(f"{live.project}-app")
    live.up()
    live.compose({"new": sleeper(f"127.0.0.1:{port}:80")}, name=f"{live.project}-app")
    (live.folder / "dartsctl.toml").write_text(
        f'name = "{live.project}-app"\n[prod]\nfiles = ["compose.json"]\nenv_files = []\n'
    )
    name = f"{live.project}-app-old-1"
    assert live.run("prod", "up", "--on-conflict", "stop", "--yes").code == 3, (
        "no flag types a name"
    )
    screen = terminal("prod", "up")
    screen.chooses(f"stop container {name}")
    screen.sees(f"Type {name} to do it")
    screen.types("yes")
    screen.sees("nothing was changed")
    assert live.containers(f"{live.project}-app") == {name: "running"}
    screen.chooses(f"stop container {name}")
    screen.sees(f"Type {name} to do it")
    screen.types(name)
    assert screen.ends() == 0, screen.seen
    assert live.containers(f"{live.project}-app") == {
        name: "exited",
        f"{live.project}-app-new-1": "running",
    }


def test_a_dev_binding_moves_when_a_person_says_so_and_stays_there(
    live: LiveStack, terminal: Sit
) -> None:
    port = wanting(live, "dev")
    pid = live.listen(port)
    screen = terminal("dev", "up")
    _, lines = screen.menu()
    assert lines[0].startswith("publish web on another free port"), "the safest stands first"
    screen.takes(0)
    assert screen.ends() == 0, screen.seen
    moved = published(live)
    assert moved != f"127.0.0.1:{port}"
    assert f"web: port {port} is published on {moved.rpartition(':')[2]} here" in screen.seen
    assert is_alive(pid)
    assert recorded(live) == [("remap", "web")]

    # The next `up` has the same number although the old one is free again; --reset-ports returns.
    live.end(pid)
    before = live.identities()
    assert live.run("dev", "up").code == 0
    assert live.identities() == before
    reset = live.run("dev", "up", "--reset-ports")
    assert reset.code == 0, reset.err
    assert published(live) == f"127.0.0.1:{port}"


def leased_server(live: LiveStack, port: int) -> subprocess.Popen[str]:
    """Start a server under dartsctl on this port of the dev range, and wait until it is told."""
    python = [sys.executable, "-m", "http.server", "--bind", "{host}", "{port}"]
    server = live.start("run", "--port", str(port), "--", *python)
    heard(server, f"dartsctl: http://127.0.0.1:{port}")  # the lease is not written after that
    return server


def test_a_dev_server_of_our_own_is_stopped_first_of_all(live: LiveStack, terminal: Sit) -> None:
    from live.stack import sleeper

    port = live.ports[0]
    live.compose({"web": sleeper(f"127.0.0.1:{port}:80")})
    live.settings(f"[ports]\ndev_range = '{port}-{port + 3}'\n", environment="dev")
    server = leased_server(live, port)
    screen = terminal("dev", "up")
    question, lines = screen.menu()
    assert f"the dev server of {live.folder}" in question
    assert lines[0].startswith("stop the dev server"), "it is ours, and started again in a second"
    screen.takes(0)
    assert screen.ends() == 0, screen.seen
    assert server.wait(60) != 0
    assert published(live) == f"127.0.0.1:{port}"
    assert recorded(live)[0][0] == "stop-server"


def test_what_has_moved_moves_again_when_its_new_number_is_taken_too(live: LiveStack) -> None:
    port = wanting(live, "dev")
    live.listen(port)
    assert live.run("dev", "up", "--on-conflict", "remap").code == 0
    first = published(live)
    assert live.run("dev", "down").code == 0
    live.listen(int(first.rpartition(":")[2]))
    said = live.run("dev", "up", "--on-conflict", "remap")
    assert said.code == 0, said.err
    assert published(live) not in (first, f"127.0.0.1:{port}")
    assert len(live.run("ports", "--json").document["moved"]) == 1, (
        "the files' number and where it is now; nothing in between"
    )


def test_a_range_that_is_partly_busy_asks_nothing(live: LiveStack, terminal: Sit) -> None:
    """Engines from 27 on take the next number of the range themselves; older ones get it pinned."""
    from live.stack import sleeper

    live.compose({"web": sleeper(f"127.0.0.1:{live.ports[0]}-{live.ports[3]}:80")})
    live.settings()
    live.listen(live.ports[0])
    screen = terminal("prod", "up")
    assert screen.ends() == 0, screen.seen
    # Which one is up to the cursor that the engine keeps for this range (engine-rules.md#ranges).
    assert published(live) in {f"127.0.0.1:{port}" for port in live.ports[1:4]}


def named(live: LiveStack, environment: str = "dev", *, service: str = "notes") -> str:
    """A stack whose container name a foreign running container has; the name.

    That container holds no port and has written something.
    """
    from live.stack import docker, sleeper

    name, project = f"{live.project}-fixed", live.of(f"{live.project}-theirs")
    live.compose({service: sleeper(container_name=name)}, file="other/compose.json", name=project)
    live.up("-f", "other/compose.json")
    docker("exec", name, "sh", "-c", "echo precious > /written")
    live.compose({"web": sleeper(container_name=name)})
    live.settings(environment=environment)
    return name


def is_untouched(name: str) -> bool:
    from live.stack import docker

    return docker("exec", name, "cat", "/written") == "precious\n"


def test_a_policy_that_stops_never_removes(live: LiveStack) -> None:
    name = named(live)
    for words in (
        ("dev", "up"),
        ("dev", "check", "--fix"),
        ("check", "--fix", "-f", "compose.json"),
    ):
        said = live.run(*words, "--on-conflict", "stop", "--yes")
        assert said.code == 3, said.text
        assert f"service web wants the container name {name}" in said.err
    assert is_untouched(name)
    assert live.leftovers() == []
    assert recorded(live) == []


def test_a_dev_service_moves_to_another_name_first_and_stays_there(
    live: LiveStack, terminal: Sit
) -> None:
    name = named(live)
    screen = terminal("dev", "up")
    question, lines = screen.menu()
    assert f"container {name} has the name that web wants" in question
    assert (
        lines[0] == f"start web under another container name than {name}, on this machine only, "
        "until --reset-ports"
    )
    screen.takes(0)
    assert screen.ends() == 0, screen.seen
    assert live.containers() == {f"{live.project}-web-1": "running"}
    assert is_untouched(name)
    assert recorded(live) == [("remap", "web")]

    before = live.identities()
    again = live.run("dev", "up")
    assert again.code == 0, again.err
    assert f"the container name {name} is not used on this machine" in again.err
    assert live.identities() == before
    assert live.run("dev", "up", "--reset-ports").code == 3, (
        "the files' own name counts again, and is taken"
    )
    kept = live.run("dev", "up")
    assert kept.code == 0, f"a reset that was refused changes nothing: {kept.err}"
    assert live.identities() == before


def test_remap_moves_the_name_too_and_production_never_gets_another_one_by_itself(
    live: LiveStack,
) -> None:
    name = named(live)
    said = live.run("dev", "up", "--on-conflict", "remap")
    assert said.code == 0, said.err
    assert live.containers() == {f"{live.project}-web-1": "running"}
    assert live.run("dev", "down").code == 0
    live.settings(environment="prod")
    assert live.run("prod", "up", "--on-conflict", "remap").code == 4
    assert live.run("prod", "up", "--on-conflict", "stop", "--yes").code == 3
    assert is_untouched(name)
    assert live.leftovers() == []


def test_a_copy_of_the_very_same_stack_gets_a_name_of_its_own_and_stops_nobody(
    live: LiveStack,
) -> None:
    name = named(live, service="web")
    assert live.run("dev", "up", "--on-conflict", "stop", "--yes").code == 4
    preview = live.run("dev", "up", "--on-conflict", "remap", "--dry-run", "--json")
    assert (preview.code, preview.document["exit_code"]) == (3, 3)
    assert [step["action"] for step in preview.document["plan"]] == ["remap"]
    assert live.leftovers() == []
    said = live.run("dev", "up", "--on-conflict", "remap")
    assert said.code == 0, said.err
    assert live.containers() == {f"{live.project}-web-1": "running"}
    assert is_untouched(name)


def test_a_container_is_removed_by_its_typed_name_and_its_volume_stays(
    live: LiveStack, terminal: Sit
) -> None:
    from live.stack import docker, sleeper

    name, volume = f"{live.project}-fixed", f"{live.project}-data"
    live.container("-v", f"{volume}:/data", BUSYBOX, "sleep", "600", name=name)
    live.compose({"web": sleeper(container_name=name)})
    live.settings()
    screen = terminal("prod", "up")
    screen.chooses(f"remove container {name} (running)")
    screen.sees(f"Type {name} to do it")
    screen.types("yes")
    screen.sees("nothing was changed")
    assert docker("inspect", "-f", "{{.State.Status}}", name) == "running\n"
    assert f"container {name} has the name that web wants" in screen.chooses(
        f"remove container {name}"
    )
    screen.sees(f"Type {name} to do it")
    screen.types(name)
    try:
        assert screen.ends() == 0, screen.seen
        assert live.containers() == {name: "running"}
        assert volume in docker("volume", "ls", "-q")
        assert recorded(live) == [("remove-container", name)]
    finally:
        live.close()
        docker("volume", "rm", volume, check=False)


def test_a_removal_by_flag_is_of_exactly_that_container_and_needs_a_yes(live: LiveStack) -> None:
    name = named(live)
    unsure = live.run("dev", "up", "--remove-container", name)
    assert unsure.code == 7, unsure.text
    assert f"--remove-container {name} --yes" in unsure.err
    other = live.run("dev", "up", "--remove-container", f"{live.project}-web-1", "--yes")
    assert other.code == 3
    assert "no container of that name is in the way" in other.err
    assert is_untouched(name)
    said = live.run("dev", "up", "--remove-container", name, "--yes")
    assert said.code == 0, said.err
    assert live.containers() == {name: "running"}
    assert live.containers(f"{live.project}-theirs") == {}
    assert recorded(live) == [("remove-container", name)]
    unneeded = live.run("dev", "up", "--remove-container", name, "--yes")
    assert unneeded.code == 0
    assert "nothing is removed for it" in unneeded.err
    assert live.containers() == {name: "running"}, "our own container has its own name"


@pytest.mark.parametrize("state", ["running", "paused", "exited"])
def test_productions_container_keeps_its_name_whatever_a_dev_command_says(
    live: LiveStack, terminal: Sit, state: str
) -> None:
    from live.stack import docker, sleeper

    name, production = f"{live.project}-fixed", live.of(f"{live.project}-app")
    live.compose({"app": sleeper(container_name=name)}, file="other/compose.json", name=production)
    live.up("-f", "other/compose.json")
    if state != "running":
        docker(*(["pause", name] if state == "paused" else ["stop", "-t", "0", name]))
    live.compose({"web": sleeper(container_name=name)})
    live.settings(environment="dev")
    said = live.run("dev", "up", "--on-conflict", "stop", "--remove-container", name, "--yes")
    assert said.code == 3, said.text
    assert f"{name} is production's: only `dartsctl prod down` stops it" in said.err
    screen = terminal("dev", "up")
    _, lines = screen.menu()
    assert [line.split(" ")[0] for line in lines] == ["start", "show", "abort;"]
    screen.takes(0)
    assert screen.ends() == 0, screen.seen
    assert live.containers(production) == {name: state}
    assert live.containers() == {f"{live.project}-web-1": "running"}


def test_two_services_of_one_dev_stack_that_want_one_port_are_asked_about_once(
    live: LiveStack, terminal: Sit
) -> None:
    from live.stack import docker, sleeper

    port = live.ports[0]
    live.compose({"one": sleeper(f"127.0.0.1:{port}:80"), "two": sleeper(f"127.0.0.1:{port}:80")})
    live.settings(environment="dev")
    screen = terminal("dev", "up")
    screen.chooses("publish ")
    assert screen.ends() == 0, screen.seen
    where = {
        docker("port", f"{live.project}-{name}-1", "80/tcp").strip() for name in ("one", "two")
    }
    assert len(where) == 2
    assert f"127.0.0.1:{port}" in where, "one of them keeps the files' own number"


def test_an_orphan_is_stopped_and_its_successor_has_the_port(
    live: LiveStack, terminal: Sit
) -> None:  # edge-cases.md#38
    from live.stack import sleeper

    port = wanting(live, "dev")
    live.up()
    live.compose({"new": sleeper(f"127.0.0.1:{port}:80")})
    screen = terminal("dev", "up")
    _, lines = screen.menu()
    assert lines[0].startswith(f"stop container {live.project}-web-1"), (
        "nothing of ours needs it: that stands first"
    )
    screen.takes(0)
    assert screen.ends() == 0, screen.seen
    assert live.containers() == {
        f"{live.project}-new-1": "running",
        f"{live.project}-web-1": "exited",
    }


def test_several_holders_are_asked_about_one_by_one_and_nothing_is_done_before_the_last_answer(
    live: LiveStack, terminal: Sit
) -> None:
    from live.stack import sleeper

    live.compose(
        {
            "one": sleeper(f"127.0.0.1:{live.ports[0]}:80"),
            "two": sleeper(f"127.0.0.1:{live.ports[1]}:80", f"127.0.0.1:{live.ports[2]}:81"),
        }
    )
    live.settings()
    first = live.listen(live.ports[0])
    other = rival(live, live.ports[1])
    third = live.listen(live.ports[2])
    screen = terminal("prod", "up")
    for _ in range(2):
        screen.chooses("stop ")
        assert is_alive(first)
        assert is_alive(third)
        assert set(live.containers(other).values()) == {"running"}
    screen.chooses("stop ")
    assert screen.ends() == 0, screen.seen
    assert not is_alive(first)
    assert not is_alive(third)
    assert len(recorded(live)) == 3


def test_check_with_fix_settles_and_starts_nothing(live: LiveStack, terminal: Sit) -> None:
    port = wanting(live)
    pid = live.listen(port)
    screen = terminal("prod", "check", "--fix")
    screen.chooses("stop ")
    assert screen.ends() == 0, screen.seen
    assert "no conflict" in screen.seen
    assert not is_alive(pid)
    assert live.leftovers() == []


def test_a_stopped_server_is_ended_too(live: LiveStack, terminal: Sit) -> None:  # edge-cases.md#23
    port = wanting(live)
    pid = live.listen(port)
    os.kill(pid, signal.SIGSTOP)
    screen = terminal("prod", "up")
    screen.chooses("stop ")
    assert screen.ends() == 0, screen.seen
    assert "(SIGKILL)?" not in screen.seen, "it was continued, and took the SIGTERM"
    assert not is_alive(pid)


def test_a_flask_server_in_debug_mode_goes_with_its_reloader(
    live: LiveStack, terminal: Sit
) -> None:  # edge-cases.md#22
    from live.stack import until

    port = wanting(live)
    (live.folder / "app.py").write_text("from flask import Flask\n\napp = Flask('darts')\n")
    argv = [sys.executable, "-m", "flask", "run", "--debug", "--port", str(port)]
    with (live.folder / "flask.log").open("w") as log:
        parent = live.spawn(argv, stdout=log, stderr=log, start_new_session=True)
    until(lambda: answers(port), say="flask run --debug does not listen")
    child = until(psutil.Process(parent.pid).children, say="no reloader child")[0].pid
    screen = terminal("prod", "up")
    question = screen.chooses("stop ")
    assert {str(parent.pid), str(child)} <= set(re.findall(r"\d+", question)), (
        "both have the socket"
    )
    assert screen.ends() == 0, screen.seen
    assert not is_alive(child)
    parent.wait(60)
    assert published(live) == f"127.0.0.1:{port}"
    assert recorded(live)[0][0] == "stop-process"


# --- at a terminal: Ctrl-C leaves everything as it was


def test_ctrl_c_at_the_choice_and_at_the_name_changes_nothing(
    live: LiveStack, terminal: Sit
) -> None:  # edge-cases.md#82
    name = named(live)
    first = terminal("dev", "up")
    first.menu()
    first.interrupts()
    assert first.ends() == 130
    second = terminal("dev", "up")
    second.chooses("remove container")
    second.sees("to do it:")
    second.interrupts()
    assert second.ends() == 130
    assert "aborted" in first.seen
    assert "aborted" in second.seen
    assert is_untouched(name)
    assert live.leftovers() == []
    assert recorded(live) == []


def test_ctrl_c_at_the_confirmation_of_the_policy_and_while_it_waits_changes_nothing(
    live: LiveStack, terminal: Sit
) -> None:
    port = wanting(live)
    pid = live.listen(port)
    screen = terminal("prod", "up", "--on-conflict", "stop")
    screen.sees("(y/N)")
    screen.interrupts()
    assert screen.ends() == 130
    screen = terminal("prod", "up", "--on-conflict", "stop")
    screen.sees("(y/N)")
    screen.types("n")
    assert screen.ends() == 7
    screen = terminal("prod", "up", "--on-conflict", "wait")
    screen.sees("waiting for ")
    screen.interrupts()
    assert screen.ends() == 130
    assert is_alive(pid)
    assert live.leftovers() == []
    assert recorded(live) == []


def test_what_does_not_end_is_killed_only_after_a_second_yes_and_ctrl_c_leaves_it_alive(
    live: LiveStack, terminal: Sit
) -> None:
    from live.stack import sleeper

    services = {f"s{place}": sleeper(f"127.0.0.1:{live.ports[place]}:80") for place in range(4)}
    live.compose(services)
    live.settings()
    holders = [stubborn(live, live.ports[place]) for place in range(4)]

    def asked(place: int) -> Terminal:
        """A dartsctl that waits for the holder's end; one at a time, they are of one project."""
        screen = terminal("prod", "up", f"s{place}")
        screen.chooses("stop ")
        screen.sees(f"waiting for pid {holders[place].pid} to end")
        return screen

    # In the countdown: it has been asked to end, which cannot be taken back. It is not killed, and
    # nothing is started.
    first = asked(0)
    first.interrupts()
    assert first.ends() == 130
    assert "asked to end" in first.seen
    assert "nothing was started" in first.seen

    # At the second question: Ctrl-C, no, yes.
    for place, answer, code in ((1, "", 130), (2, "n", 7), (3, "y", 0)):
        screen = asked(place)
        screen.sees(f"pid {holders[place].pid} did not end within 10 s. Kill it (SIGKILL)?")
        screen.types(answer) if answer else screen.interrupts()
        assert screen.ends() == code
    assert [is_alive(holder.pid) for holder in holders] == [True, True, True, False]
    assert list(live.containers()) == [f"{live.project}-s3-1"]
    released = [
        entry.details["released"]
        for entry in History(Path(live.environ["DARTSCTL_STATE_DIR"])).read()
    ]
    assert sorted(released) == [False, False, False, True], (
        "what was merely asked to end is recorded too"
    )


# --- without a terminal: the policies


def test_fail_is_the_default_without_a_terminal_and_changes_nothing(live: LiveStack) -> None:
    port = wanting(live)
    pid = live.listen(port)
    for words in ((), ("--on-conflict", "fail"), ("--on-conflict", "fail", "--yes")):
        said = live.run("prod", "up", *words)
        assert said.code == 3
        assert f"pid {pid}" in said.err
    assert is_alive(pid)
    assert live.leftovers() == []


def test_nobody_is_asked_with_no_input_in_ci_or_by_json_even_at_a_terminal(
    live: LiveStack, terminal: Sit
) -> None:  # edge-cases.md#81
    pid = live.listen(wanting(live))
    screens = [
        terminal("prod", "up", "--no-input"),
        terminal("--no-input", "prod", "up"),
        terminal("prod", "up", CI="1"),
        terminal("prod", "up", "--json"),
        terminal("prod", "up", DARTSCTL_ON_CONFLICT="fail"),
    ]
    assert [screen.ends() for screen in screens] == [3, 3, 3, 3, 3]
    screens = [
        terminal("prod", "up", "--on-conflict", "ask", "--no-input"),
        terminal("prod", "up", "--on-conflict", "stop", CI="1"),
    ]
    assert [screen.ends() for screen in screens] == [7, 7]
    assert all("--on-conflict stop --yes" in screen.seen for screen in screens)
    assert is_alive(pid)
    assert live.leftovers() == []


def test_ask_without_a_terminal_ends_with_7_and_the_flags_that_answer(live: LiveStack) -> None:
    pid = live.listen(wanting(live))
    said = live.run("prod", "up", "--on-conflict", "ask")
    assert said.code == 7
    assert f"pid {pid}" in said.err
    assert "--on-conflict stop --yes" in said.err
    assert "--on-conflict wait" in said.err
    assert "--on-conflict remap" not in said.err, "production's ports never move"


def test_stop_without_a_terminal_needs_yes(live: LiveStack) -> None:
    pid = live.listen(wanting(live))
    said = live.run("prod", "up", "--on-conflict", "stop")
    assert said.code == 7
    assert f"pid {pid}" in said.err
    assert "--on-conflict stop --yes" in said.err
    assert is_alive(pid)
    assert live.leftovers() == []


def test_stop_with_yes_ends_a_process_and_stops_one_container_not_its_project(
    live: LiveStack,
) -> None:
    from live.stack import sleeper

    live.compose(
        {
            "web": sleeper(f"127.0.0.1:{live.ports[0]}:80"),
            "api": sleeper(f"127.0.0.1:{live.ports[1]}:80"),
        }
    )
    live.settings()
    pid = live.listen(live.ports[0])
    other = rival(live, live.ports[1])
    said = live.run("prod", "up", "--on-conflict", "stop", "--yes")
    assert said.code == 0, said.err
    assert not is_alive(pid)
    assert live.containers(other) == {f"{other}-beside-1": "running", f"{other}-theirs-1": "exited"}
    assert sorted(action for action, _ in recorded(live)) == ["stop-container", "stop-process"]


def test_a_program_whose_outgoing_connection_uses_the_number_lives_on_whatever_the_policy(
    live: LiveStack,
) -> None:  # edge-cases.md#13
    port = wanting(live)
    with socket.create_server(("127.0.0.1", 0)) as server:
        pid = outgoing(live, port, server.getsockname()[1])
        said = live.run("prod", "up", "--on-conflict", "stop", "--yes")
        assert said.code == 3, said.text
        assert (
            f"(pid {pid}) to 127.0.0.1:{server.getsockname()[1]} "
            "uses this number as its source port" in said.err
        )
        holder = live.run("prod", "check", "--json").document["conflicts"][0]["holders"][0]
        assert (holder["kind"], holder["pid"], holder["state"]) == ("connection", pid, "open")
        assert live.run("prod", "up", "--on-conflict", "wait", "--wait-timeout", "1").code == 124
        assert is_alive(pid)
    assert recorded(live) == []


def test_a_dev_binding_moves_away_from_a_connection_or_waits_for_its_end(
    live: LiveStack, terminal: Sit
) -> None:
    port = wanting(live, "dev")
    with socket.create_server(("127.0.0.1", 0)) as server:
        pid = outgoing(live, port, server.getsockname()[1])
        screen = terminal("dev", "up")
        question, lines = screen.menu()
        assert "uses this number as its source port" in question
        assert [line.split(" ")[0] for line in lines] == ["publish", "wait", "show", "abort;"]
        screen.takes(1)
        screen.sees("waiting for")
        server.accept()[0].close()  # our side first: no TIME_WAIT is left on the wanted number
        live.end(pid)
        assert screen.ends() == 0, screen.seen
    assert published(live) == f"127.0.0.1:{port}"


def folder_state(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder, with its size and time, but for what only makes runs faster."""
    return {
        str(file): (file.stat().st_size, file.stat().st_mtime_ns)
        for file in sorted(folder.rglob("*"))
        if file.name != early_config.FILE
    }


def test_dry_run_says_what_a_policy_would_stop_and_changes_nothing(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose(
        {
            "web": sleeper(f"127.0.0.1:{live.ports[0]}:80"),
            "api": sleeper(f"127.0.0.1:{live.ports[1]}:80"),
        }
    )
    live.settings(environment="dev")
    (live.folder / "run.py").touch()
    pid, other, state = (
        live.listen(live.ports[0]),
        rival(live, live.ports[1]),
        Path(live.environ["DARTSCTL_STATE_DIR"]),
    )
    assert live.run("dev", "check").code == 3
    before = folder_state(state)
    for words in (
        ("dev", "up"),
        ("dev", "check", "--fix"),
        ("check", "--fix", "-f", "compose.json"),
        ("dev",),
    ):
        said = live.run(*words, "--on-conflict", "stop", "--yes", "--dry-run")
        assert said.code == 3, said.text
        assert f"would do: stop container {other}-theirs-1; its data stays" in said.err
        assert f"(pid {pid}): SIGTERM, and SIGKILL only after a second yes" in said.err
    document = live.run("dev", "up", "--on-conflict", "stop", "--dry-run", "--json").document
    assert {step["action"] for step in document["plan"]} == {"stop-process", "stop-container"}
    assert all(
        step["what"].startswith("stop ") and "wants 127.0.0.1:" in step["why"]
        for step in document["plan"]
    )
    assert (document["not_done"], document["needs_yes"]) == ([], True)
    moved = live.run(
        "dev", "check", "--fix", "--on-conflict", "remap", "--dry-run", "--json"
    ).document
    assert [step["action"] for step in moved["plan"]] == ["remap", "remap"]
    assert is_alive(pid)
    assert live.containers(other)[f"{other}-theirs-1"] == "running"
    assert live.leftovers() == []
    assert folder_state(state) == before


def test_dry_run_says_what_would_not_be_done_and_that_then_nothing_is(live: LiveStack) -> None:
    name = named(live)
    said = live.run("dev", "up", "--on-conflict", "stop", "--yes", "--dry-run")
    assert said.code == 3
    assert (
        f"would stay unresolved: container {name} has the name that web wants: "
        "--on-conflict stop has no answer to it" in said.err
    )
    assert "nothing would be done" in said.err
    document = live.run(
        "dev", "up", "--on-conflict", "stop", "--yes", "--dry-run", "--json"
    ).document
    assert document["plan"] == []
    assert [step["action"] for step in document["not_done"]] == ["none"]
    removed = live.run("dev", "up", "--remove-container", name, "--dry-run")
    assert (
        f"would do, after confirmation (or --yes): remove container {name} (running)" in removed.err
    )
    assert is_untouched(name)


def test_dry_run_leaves_the_book_of_moves_as_it_is(live: LiveStack) -> None:
    from live.stack import sleeper

    port = wanting(live, "dev")
    live.listen(port)
    assert live.run("dev", "up", "--on-conflict", "remap").code == 0
    state = Path(live.environ["DARTSCTL_STATE_DIR"])
    before = folder_state(state)
    for words in (
        ("dev", "up"),
        ("dev", "up", "--reset-ports"),
        ("dev", "check"),
        ("doctor", "dev", "--fix", "--yes"),
        ("dev", "restart"),
    ):
        live.run(*words, "--dry-run")
    live.compose({"web": sleeper(f"127.0.0.1:{live.ports[1]}:80")})  # the move is overtaken
    live.run("dev", "up", "--dry-run")
    assert folder_state(state) == before


def test_dev_stop_on_a_dry_run_changes_nothing(live: LiveStack) -> None:

    port = live.ports[0]
    live.compose({})
    live.settings(f"[ports]\ndev_range = '{port}-{port + 3}'\n", environment="dev")
    server = leased_server(live, port)
    state = Path(live.environ["DARTSCTL_STATE_DIR"])
    before = folder_state(state)
    said = live.run("dev", "stop", "--dry-run")
    assert f"would stop the server on port {port}" in said.out
    assert folder_state(state) == before
    assert server.poll() is None


def test_wait_ends_with_124_at_its_deadline_and_names_who_still_has_the_port(
    live: LiveStack,
) -> None:
    pid = live.listen(wanting(live))
    said = live.run("prod", "up", "--on-conflict", "wait", "--wait-timeout", "1")
    assert said.code == 124
    assert f"pid {pid}" in said.err
    assert "--wait-timeout" in said.err
    assert is_alive(pid)
    assert live.leftovers() == []


def test_remap_moves_a_dev_stack_and_is_refused_in_production(live: LiveStack) -> None:
    port = wanting(live)
    pid = live.listen(port)
    said = live.run("prod", "up", "--on-conflict", "remap")
    assert said.code == 4
    assert "never moved" in said.err
    assert live.run("prod", "up", "--on-conflict", "remap", "--dry-run").code == 4
    assert live.leftovers() == []

    live.settings(environment="dev")
    said = live.run("dev", "up", "--on-conflict", "remap")
    assert said.code == 0, said.err
    assert "warning: web: port" in said.err
    moved = published(live).rpartition(":")[2]
    assert moved != str(port)
    assert is_alive(pid)
    shown = [live.run("dev", verb) for verb in ("ps", "check")]
    assert [said.code for said in shown] == [0, 0]
    assert all(moved in said.out for said in shown)


# --- check-then-act: a port taken after the preflight


def gated(live: LiveStack, environment: str = "prod") -> tuple[int, Path]:
    """A stack whose `web` starts, and binds its port, once the test opens a gate (a file).

    The port and the gate.
    """
    from live.stack import healthy, sleeper

    (live.folder / "gate").mkdir()
    first = healthy(after="test -e /gate/open", volumes=[f"{live.folder / 'gate'}:/gate"])
    first["healthcheck"] |= {"retries": 600, "interval": "200ms"}
    live.compose(
        {
            "first": first,
            "web": sleeper(
                f"127.0.0.1:{live.ports[0]}:80",
                depends_on={"first": {"condition": "service_healthy"}},
            ),
        }
    )
    live.settings(environment=environment)
    return live.ports[0], live.folder / "gate" / "open"


def test_a_port_taken_after_the_check_leads_to_the_same_question_and_then_to_success(
    live: LiveStack, terminal: Sit
) -> None:
    port, gate = gated(live)
    screen = terminal("prod", "up")
    screen.sees("first-1  Waiting")
    pid = live.listen(port)
    gate.touch()
    assert f"pid {pid}" in screen.chooses("stop ")
    assert screen.ends() == 0, screen.seen
    assert "taken after the preflight" in screen.seen
    assert set(live.containers().values()) == {"running"}
    assert published(live) == f"127.0.0.1:{port}"


def heard(running: subprocess.Popen[str], words: str) -> str:
    """What a dartsctl in the background has said, up to the line with these words."""
    assert running.stdout is not None
    said = ""
    while words not in said:
        line = running.stdout.readline()
        assert line, said
        said += line
    return said


@pytest.mark.parametrize("policy", ["remap", "fail"])
def test_a_port_taken_after_the_check_is_answered_by_the_policy(
    live: LiveStack, policy: str
) -> None:
    port, gate = gated(live, "dev")
    running = live.start("dev", "up", "--on-conflict", policy, "--yes")
    said = heard(running, "first-1  Waiting")
    pid = live.listen(port)
    gate.touch()
    rest, _ = running.communicate(timeout=60)
    said += rest
    assert running.returncode == (3 if policy == "fail" else 0), said
    assert is_alive(pid)
    if policy == "fail":
        assert f"pid {pid}" in said
        assert live.leftovers() == []
    else:
        assert published(live) != f"127.0.0.1:{port}"


def test_a_port_that_was_taken_for_a_moment_only_is_simply_tried_once_more(
    live: LiveStack, terminal: Sit
) -> None:
    port, gate = gated(live)
    screen = terminal("prod", "up", "--on-conflict", "wait")
    screen.sees("first-1  Waiting")
    pid = live.listen(port)
    gate.touch()
    screen.sees("address already in use")
    live.end(pid)
    screen.sees("taken after the preflight")
    assert screen.ends() == 0, screen.seen
    assert published(live) == f"127.0.0.1:{port}"


def test_without_a_check_the_engines_own_refusal_leads_to_the_same_question(
    live: LiveStack, terminal: Sit
) -> None:
    pid = live.listen(wanting(live))
    screen = terminal("prod", "up", "--skip-port-check")
    assert f"pid {pid}" in screen.chooses("abort")
    assert screen.ends() == 7, screen.seen
    assert is_alive(pid)
    assert live.leftovers() == []


def test_ctrl_c_at_the_question_in_the_middle_of_up_leaves_nothing_half_started(
    live: LiveStack, terminal: Sit
) -> None:  # edge-cases.md#85
    port, gate = gated(live)
    screen = terminal("prod", "up")
    screen.sees("first-1  Waiting")
    pid = live.listen(port)
    gate.touch()
    screen.menu()
    screen.interrupts()
    assert screen.ends() == 130
    assert is_alive(pid)
    assert live.leftovers() == []
