"""A plan is carried out on real processes and the real engine.

The very holder ends, after a prompt, and nothing else is touched.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psutil
import pytest

from dartsctl.edges.engine.connect import engine_at
from dartsctl.edges.engine.protocol import Engine
from dartsctl.edges.host import processes, sockets, systemd
from dartsctl.edges.screen.output import Screen
from dartsctl.edges.screen.prompts import Prompts
from dartsctl.edges.state.history import History
from dartsctl.edges.state.leases import LeaseBook
from dartsctl.errors import DartsctlError, ExitCode, Interrupted, Refused, TimedOut
from dartsctl.ports.attribution import Attribution
from dartsctl.ports.availability import Obstacle, Reason
from dartsctl.ports.cases import Case, group_by_holder
from dartsctl.ports.choices import Choice, ResolutionRequest, by_policy, choices, remedy
from dartsctl.ports.collisions import NameTaken
from dartsctl.ports.conflicts import Conflict
from dartsctl.ports.holders import Connection, ForeignContainer, HostProcess, Unknown
from dartsctl.ports.holders.kinds import HolderKind, ResolutionAction, SystemdUnit
from dartsctl.ports.process import Process
from dartsctl.ports.resolution import ResolutionStep
from dartsctl.records import replace
from dartsctl.stack.bindings import Endpoint, PortBinding
from dartsctl.stack.containers import Container
from dartsctl.stack.model import Stack
from dartsctl.workflows.host import Host
from dartsctl.workflows.up import stop_process
from dartsctl.workflows.up.ask import ask, details_of, flags_for, subject
from dartsctl.workflows.up.carry_out import HostInspector, carry_out
from dartsctl.workflows.up.conflict_deps import ConflictDeps
from own_images import BUSYBOX
from own_ports import free_ports

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)

STACK = Stack("darts-dev", {}, {})
LISTEN = (
    "import socket,sys,time; s=socket.create_server(('127.0.0.1', int(sys.argv[1]))); "
    "print('ready', flush=True); "
)
SLEEP = LISTEN + "time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP
LETS_GO = LISTEN + "input(); s.close(); print('gone', flush=True); time.sleep(600)"
DRAINS = (
    "import signal,socket,sys,time; s=socket.create_server(('127.0.0.1', int(sys.argv[1]))); "
    "signal.signal(signal.SIGTERM, lambda *_: s.close()); "
    "print('ready', flush=True)\nwhile True: time.sleep(0.1)"
)
OUTGOING = """
import socket, sys, time
kind = socket.SOCK_STREAM if sys.argv[3] == "tcp" else socket.SOCK_DGRAM
s = socket.socket(socket.AF_INET, kind)
s.bind(("127.0.0.1", int(sys.argv[1])))
s.connect(("127.0.0.1", int(sys.argv[2])))
print("ready", flush=True)
time.sleep(600)
"""
WORKERS = LISTEN + "import os; [os.fork() for _ in range(2)]; time.sleep(600)"
FLASK = """
import flask, os, sys
app = flask.Flask("app")
if __name__ == "__main__":
    app.run(port=int(sys.argv[1]), debug=True)
"""


class Person(Prompts):
    """Answers in the order that a test gives them; any other question fails."""

    def __init__(self, *answers: object) -> None:
        super().__init__(allowed=False)
        self.interactive = True
        self.answers = list(answers)
        self.asked: list[str] = []

    def _answer(self, question: str) -> Any:
        self.asked.append(question)
        assert self.answers, f"not expected: {question}"
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def select(self, question: str, lines: Sequence[str], *, flags: str) -> int:
        assert flags
        answer = self._answer(question)
        return (
            answer
            if isinstance(answer, int)
            else next(number for number, text in enumerate(lines) if text.startswith(answer))
        )

    def confirm(self, question: str, *, flags: str) -> bool:
        assert "--yes" in flags
        return bool(self._answer(question))

    def typed(self, question: str, expected: str, *, flags: str) -> bool:
        assert not flags  # no flag types a name
        return bool(self._answer(question) == expected)


class Talk(Screen):
    """What was said, kept."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)

    progress = note

    @property
    def text(self) -> str:
        return "\n".join(self.said)


def no_move(_cases: Sequence[Case]) -> None:
    raise AssertionError("nothing was to be moved")


def conflict_deps(state: Path, *answers: object, **more: Any) -> ConflictDeps:
    values: dict[str, Any] = {
        "prompts": Person(*answers),
        "screen": Talk(),
        "engine": engine_at("unix:///nowhere"),
        "host": Host,
        "history": History(state),
        "leases": LeaseBook(state),
        "remap": no_move,
        "grace": 10.0,
        "settle": 0.3,
    }
    return ConflictDeps(**(values | more))


@pytest.fixture
def deps(tmp_path: Path) -> Callable[..., ConflictDeps]:
    def build(*answers: object, **more: Any) -> ConflictDeps:
        return conflict_deps(tmp_path / "state", *answers, **more)

    return build


def said(deps: ConflictDeps) -> str:
    assert isinstance(deps.screen, Talk)
    return deps.screen.text


def asked(deps: ConflictDeps) -> list[str]:
    assert isinstance(deps.prompts, Person)
    return deps.prompts.asked


@pytest.fixture
def port() -> int:
    """A number on which nobody listens, nor on the one after it, another one for each test."""
    return free_ports(2)[0]


def _is_listening(number: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", number)) == 0


def until(wish: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (answer := wish()):
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)
    return answer


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a process that ends with the test, with all that it has started."""
    started: list[subprocess.Popen[str]] = []

    def begin(*command: str, ready: bool = True, **more: Any) -> subprocess.Popen[str]:
        options = {
            "stdin": subprocess.PIPE,
            "stdout": subprocess.PIPE,
            "text": True,
            "start_new_session": True,
            "cwd": tmp_path,
            **more,
        }
        process = subprocess.Popen(command, **options)
        started.append(process)
        if ready:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        return process

    yield begin
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.communicate()


def python(code: str, port: int) -> tuple[str, ...]:
    return sys.executable, "-c", code, str(port)


def found_on(
    port: int, protocol: Literal["tcp", "udp"] = "tcp", *, inspector: HostInspector | None = None
) -> Case:
    """The one case that the real preflight would make of a real socket."""
    endpoint = Endpoint(port, "127.0.0.1", protocol)
    holders = Attribution(STACK, (), Host()).holders(endpoint, Obstacle(Reason.IN_USE))
    binding = PortBinding("app", 1, 80, protocol, port, port, ("127.0.0.1",))
    cases = group_by_holder(
        [Conflict(binding, (endpoint,), Reason.IN_USE, holders)],
        (),
        STACK,
        inspector or HostInspector(),
    )
    assert len(cases) == 1, cases
    return cases[0]


def stop(case: Case, deps: ConflictDeps) -> None:
    carry_out([ResolutionStep(ResolutionAction.STOP_PROCESS, case)], deps)


def alive(pid: int) -> bool:
    process = processes.describe(pid)
    return process is not None and process.status != "zombie"


# --- it ends


def test_a_listener_is_asked_to_end_and_the_port_is_free(
    start: Start, port: int, deps: Callable[..., ConflictDeps]
) -> None:
    server, done = start(*python(SLEEP, port)), deps()
    case = found_on(port)
    assert case.kind is HolderKind.PROCESS
    stop(case, done)
    assert server.wait(60) == -signal.SIGTERM
    assert not _is_listening(port)
    assert "stopped python" in said(done)
    (entry,) = done.history.read()
    assert (entry.action, entry.why, entry.details) == (
        "stop-process",
        "in the way of app",
        {"pids": [server.pid], "released": True},
    )
    assert str(server.pid) in entry.what


def test_a_stopped_process_is_continued_and_ends(
    start: Start, port: int, deps: Callable[..., ConflictDeps]
) -> None:  # edge-cases.md#23
    server = start(*python(SLEEP, port))
    server.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, server.pid, os.WSTOPPED | os.WNOWAIT)
    stop(found_on(port), deps())
    assert server.wait(60) == -signal.SIGTERM


def test_all_workers_that_share_the_socket_end(
    start: Start, port: int, deps: Callable[..., ConflictDeps]
) -> None:  # edge-cases.md#26
    server = start(*python(WORKERS, port))
    until(lambda: len(stop_process.holding_pids([Endpoint(port, "127.0.0.1")], Host)) == 4)
    case = found_on(port)
    assert isinstance(case.holder, HostProcess)
    pids = [case.holder.process.pid, *case.holder.others]
    assert server.pid in pids
    stop(case, deps())
    assert not _is_listening(port)
    assert not any(alive(pid) for pid in pids)


def test_a_forgotten_child_that_keeps_the_socket_is_the_one_that_ends(
    start: Start, port: int, deps: Callable[..., ConflictDeps]
) -> None:  # edge-cases.md#26
    code = (
        LISTEN.replace("print('ready', flush=True); ", "")
        + "import os; child=os.fork(); "
        + "child and (print('ready', flush=True), os._exit(0)); time.sleep(600)"
    )
    parent = start(*python(code, port))
    parent.wait(60)
    case = found_on(port)
    assert isinstance(case.holder, HostProcess)
    assert case.holder.process.pid != parent.pid
    stop(case, deps())
    assert not _is_listening(port)


def test_who_closes_the_port_but_goes_on_is_left_to_it(
    start: Start, port: int, deps: Callable[..., ConflictDeps]
) -> None:
    server, done = start(*python(DRAINS, port)), deps(grace=100.0)
    begin = time.monotonic()
    stop(found_on(port), done)
    assert time.monotonic() - begin < 60
    assert server.poll() is None
    assert not _is_listening(port)


# --- SIGKILL only after a second yes


def test_who_ignores_sigterm_is_killed_only_after_a_second_yes(
    start: Start, port: int, deps: Callable[..., ConflictDeps]
) -> None:
    slept = [0.0]

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        slept[0] += seconds

    server = start(*python(STUBBORN, port))
    done = deps(True, grace=1.2, monotonic=lambda: slept[0], sleep=sleep)
    stop(found_on(port), done)
    assert server.wait(60) == -signal.SIGKILL
    assert asked(done) == [f"pid {server.pid} did not end within 1 s. Kill it (SIGKILL)?"]
    assert f"waiting for pid {server.pid} to end: 1 s" in said(done)


def test_yes_given_before_is_enough(
    start: Start, port: int, deps: Callable[..., ConflictDeps]
) -> None:
    server = start(*python(STUBBORN, port))
    stop(found_on(port), deps(grace=0.2, yes=True))
    assert server.wait(60) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (False, DartsctlError, ExitCode.ANSWER_NEEDED),
        (Interrupted("aborted"), Interrupted, ExitCode.INTERRUPTED),
    ],
)
def test_without_a_second_yes_it_is_left_alone(
    start: Start,
    port: int,
    deps: Callable[..., ConflictDeps],
    answer: object,
    error: type[DartsctlError],
    code: ExitCode,
) -> None:
    server, done = start(*python(STUBBORN, port)), deps(answer, grace=0.2)
    with pytest.raises(error) as caught:
        stop(found_on(port), done)
    assert caught.value.code is code
    assert server.poll() is None
    assert _is_listening(port)
    assert [entry.details["released"] for entry in done.history.read()] == [
        False
    ]  # the SIGTERM is on record


def test_without_a_terminal_the_second_yes_is_a_flag(
    start: Start, port: int, deps: Callable[..., ConflictDeps]
) -> None:
    server = start(*python(STUBBORN, port))
    with pytest.raises(DartsctlError) as caught:
        stop(found_on(port), deps(grace=0.2, prompts=Prompts(allowed=False)))
    assert (caught.value.code, caught.value.hint) == (ExitCode.ANSWER_NEEDED, "add --yes")
    assert server.poll() is None


def test_ctrl_c_while_it_is_waited_for_kills_nobody(
    start: Start, port: int, deps: Callable[..., ConflictDeps]
) -> None:
    class Interrupting(Talk):
        def progress(self, text: str) -> None:
            raise KeyboardInterrupt(text)

    server, done = start(*python(STUBBORN, port)), deps(grace=3.0, screen=Interrupting())
    with pytest.raises(KeyboardInterrupt):
        stop(found_on(port), done)
    assert server.poll() is None


# --- never


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_the_owner_of_an_outgoing_connection_from_this_port_is_never_signalled(
    start: Start, port: int, deps: Callable[..., ConflictDeps], kind: Literal["tcp", "udp"]
) -> None:  # edge-cases.md#13
    """Its source port is the wanted number, by chance.

    No choice would stop it, and a forged one does nothing.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = start(*python(OUTGOING, port), str(server.getsockname()[1]), kind)
        case = found_on(port, kind)
        assert case.kind is HolderKind.CONNECTION
        assert isinstance(case.holder, Connection)
        peer = f"127.0.0.1:{server.getsockname()[1]}"
        assert (
            case.holder.sentence
            == f"outgoing connection of {psutil.Process(client.pid).name()} (pid {client.pid}) "
            f"to {peer} uses this number as its source port"
        )
        offered = choices(case, ResolutionRequest("stop", remappable=True))
        assert [choice.action for choice in offered] == [
            ResolutionAction.REMAP,
            ResolutionAction.WAIT,
            ResolutionAction.ABORT,
        ]
        assert by_policy("stop", offered) is ResolutionAction.ABORT
        process = processes.describe(client.pid)
        assert process is not None
        done = deps(yes=True)
        forced = replace(case, holder=HostProcess(process), kind=HolderKind.PROCESS)
        stop(forced, done)
        carry_out(
            [
                ResolutionStep(
                    ResolutionAction.STOP_UNIT, replace(forced, unit=SystemdUnit(("web.service",)))
                )
            ],
            done,
        )
        assert client.poll() is None
        assert done.history.read() == ()


def test_a_server_that_only_serves_its_open_connections_is_not_signalled(
    start: Start, port: int, deps: Callable[..., ConflictDeps]
) -> None:
    """It has released the port between the look and the signal: only connections are left."""
    server, done = start(*python(LETS_GO, port)), deps()
    case = found_on(port)
    assert server.stdin is not None
    assert server.stdout is not None
    with socket.create_connection(("127.0.0.1", port)):
        server.stdin.write("\n")
        server.stdin.flush()
        assert server.stdout.readline() == "gone\n"
        stop(case, done)
    assert server.poll() is None
    assert "nothing was stopped" in said(done)


def test_a_port_in_time_wait_is_a_closed_connection_and_nobody_is_to_be_stopped(
    port: int,
) -> None:  # edge-cases.md#9
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.bind(("127.0.0.1", port))
        client.connect(server.getsockname())
        peer = server.accept()[0]
        client.close()
        peer.close()
    until(lambda: {row.inode for row in sockets.listeners([port])} == {0})
    case = found_on(port)
    assert case.holder == Connection(None, True)
    assert ResolutionAction.WAIT in [
        choice.action for choice in choices(case, ResolutionRequest("ask", remappable=False))
    ]


def test_who_has_let_go_of_the_port_meanwhile_is_not_signalled(
    start: Start, port: int, deps: Callable[..., ConflictDeps]
) -> None:
    server, done = start(*python(LETS_GO, port)), deps()
    case = found_on(port)
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write("\n")
    server.stdin.flush()
    assert server.stdout.readline() == "gone\n"
    stop(case, done)
    assert server.poll() is None
    assert "has released the port by itself; nothing was stopped" in said(done)
    assert done.history.read() == ()


def test_who_has_gone_meanwhile_is_no_error(
    start: Start, port: int, deps: Callable[..., ConflictDeps]
) -> None:  # edge-cases.md#24
    server, done = start(*python(SLEEP, port)), deps()
    case = found_on(port)
    server.kill()
    server.wait()
    stop(case, done)
    assert done.history.read() == ()


def test_a_pid_that_is_another_process_by_now_is_not_signalled(
    start: Start, port: int, deps: Callable[..., ConflictDeps]
) -> None:  # edge-cases.md#24
    server = start(*python(SLEEP, port))
    case = found_on(port)
    assert isinstance(case.holder, HostProcess)
    earlier = replace(case.holder.process, birth=case.holder.process.birth - 1)
    stop(replace(case, holder=replace(case.holder, process=earlier)), deps())
    assert server.poll() is None
    assert _is_listening(port)


def test_a_worker_whose_pid_is_another_process_by_now_is_not_signalled(
    start: Start, port: int, deps: Callable[..., ConflictDeps]
) -> None:  # edge-cases.md#24
    server, innocent = start(*python(SLEEP, port)), start("sleep", "600", ready=False)
    case = found_on(port)
    assert isinstance(case.holder, HostProcess)
    stop(replace(case, holder=replace(case.holder, others=(innocent.pid,))), deps())
    assert server.wait(60) == -signal.SIGTERM
    assert innocent.poll() is None


@pytest.mark.parametrize("pid", [1, os.getpid(), os.getppid()], ids=["init", "we", "our parent"])
def test_pid_1_ourselves_and_our_parent_are_never_stopped(
    pid: int, port: int, deps: Callable[..., ConflictDeps]
) -> None:  # edge-cases.md#25
    process = processes.describe(pid)
    assert process is not None
    endpoint = Endpoint(port, "127.0.0.1")
    holder = HostProcess(process)
    conflict = Conflict(
        PortBinding("app", 1, 80, "tcp", port, port, ("127.0.0.1",)),
        (endpoint,),
        Reason.IN_USE,
        (holder,),
    )
    (case,) = group_by_holder([conflict], (), STACK, HostInspector())
    assert case.kind is HolderKind.PROTECTED
    assert ResolutionAction.STOP_PROCESS not in [
        choice.action for choice in choices(case, ResolutionRequest("ask", remappable=True))
    ]
    with pytest.raises(Refused):
        stop(replace(case, kind=HolderKind.PROCESS), deps())


INSIDE = """
import socket, subprocess, sys
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
command = [sys.executable, "-c", sys.argv[2], sys.argv[1]]
done = subprocess.run(command, capture_output=True, text=True)
print(done.stdout, done.stderr, flush=True)
"""
FROM_INSIDE = """
import sys
from pathlib import Path
sys.path[:0] = %r
from test_carry_out import *
case = found_on(int(sys.argv[1]))
print(case.kind.name)
try:
    deps = conflict_deps(Path("/nowhere"), yes=True, grace=1)
    endpoint = Endpoint(int(sys.argv[1]), "127.0.0.1")
    stop_process.stop(case.holder, [endpoint], record=print, deps=deps)
except Refused as error:
    print("refused", error.message)
"""


def test_an_ancestor_of_ours_that_holds_the_port_is_never_stopped(
    port: int,
) -> None:  # edge-cases.md#25
    """dartsctl started from a terminal within an IDE, which itself holds the port."""
    code = FROM_INSIDE % [
        str(Path(__file__).parent),
        str(Path(__file__).parents[2]),
        str(Path(__file__).parents[3] / "src"),
    ]
    done = subprocess.run(
        [sys.executable, "-c", INSIDE, str(port), code],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0
    kind, refusal = done.stdout.strip().splitlines()
    assert kind == "PROTECTED", done.stdout
    assert "is never stopped by dartsctl" in refusal


def test_a_script_called_docker_proxy_is_a_plain_process(
    start: Start, port: int, deps: Callable[..., ConflictDeps], tmp_path: Path
) -> None:
    script = tmp_path / "docker-proxy"
    script.write_text(f"#!{sys.executable}\n{SLEEP}\n")
    script.chmod(0o755)
    server = start(str(script), str(port))
    case = found_on(port)
    assert case.kind is HolderKind.PROCESS
    assert isinstance(case.holder, HostProcess)
    assert case.holder.process.name == "docker-proxy"
    stop(case, deps())
    assert server.wait(60) == -signal.SIGTERM


def test_another_users_process_is_not_even_tried(start: Start, port: int) -> None:
    """The other user is a fork that has given up its rights.

    A new program would not do: Python's own files are readable by root alone on some machines.
    """
    if os.geteuid():
        pytest.skip("needs root to play another user")
    server = start(*python(SLEEP, port))
    root_sees = found_on(port)
    assert isinstance(root_sees.holder, HostProcess)
    reader, writer = os.pipe()
    if (pid := os.fork()) == 0:
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        lines = []
        try:
            lines.append(found_on(port).kind.name)
            lines.append(remedy(found_on(port)))
            case = group_by_holder(root_sees.conflicts, (), STACK, HostInspector())[
                0
            ]  # where the owner is visible, as on macOS
            lines.append(case.kind.name)
            lines.append(
                ",".join(
                    choice.action.name
                    for choice in choices(case, ResolutionRequest("ask", remappable=True))
                )
            )
            lines.append(remedy(case))
            stop_process.stop(
                root_sees.holder,
                [Endpoint(port, "127.0.0.1")],
                record=lambda *_: None,
                deps=conflict_deps(Path("/nowhere"), yes=True, grace=1),
            )
        except DartsctlError as error:
            lines.append(f"{error.message} | {error.hint}")
        except BaseException as error:  # told to the test
            lines.append(repr(error))
        os.write(writer, "\n".join(lines).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with os.fdopen(reader) as file:
        lines = file.read().splitlines()
    pid = server.pid
    assert lines[:2] == [
        "UNKNOWN",
        f"sudo ss -Htnap 'sport = :{port}'",
    ]  # nobody sees who it is, without root
    assert lines[2:5] == ["OTHER_USER", "REMAP,WAIT,ABORT", f"sudo kill {pid}"]
    assert lines[5].endswith(
        f"(pid {pid}) belongs to another user; nothing was done | sudo kill {pid}"
    )
    assert server.poll() is None


def test_what_runs_in_a_container_that_this_engine_does_not_list_is_protected(
    monkeypatch: pytest.MonkeyPatch, start: Start, port: int
) -> None:
    """edge-cases.md#42. No second engine can be had here: the cgroup is made up."""
    server = start(*python(SLEEP, port))
    real = processes.container_id_of
    monkeypatch.setattr(
        processes, "container_id_of", lambda pid: "c" * 64 if pid == server.pid else real(pid)
    )
    assert found_on(port).kind is HolderKind.PROTECTED


# --- who brings it back


def test_a_supervisor_that_brings_it_back_is_named(
    start: Start, port: int, deps: Callable[..., ConflictDeps]
) -> None:  # edge-cases.md#21
    loop = start(
        "sh",
        "-c",
        f"while true; do {sys.executable} -m http.server {port} --bind 127.0.0.1; done",
        ready=False,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: _is_listening(port))
    done = deps(settle=2.0, grace=100.0)
    case = found_on(port)
    begin = time.monotonic()
    with pytest.raises(DartsctlError) as caught:
        stop(case, done)
    assert time.monotonic() - begin < 60
    assert caught.value.code is ExitCode.CONFLICT
    assert f"sh (pid {loop.pid}) keeps it running" in caught.value.message
    assert f"ps -fp {loop.pid}" in caught.value.hint
    assert loop.poll() is None


def test_somebody_else_who_takes_the_port_meanwhile_is_named(
    start: Start, port: int, deps: Callable[..., ConflictDeps]
) -> None:
    stopped = processes.describe(start("sleep", "600", ready=False).pid)
    assert stopped is not None
    thief = start(*python(SLEEP, port))
    with pytest.raises(
        DartsctlError, match=rf"\(pid {thief.pid}, started by \S+\) has port {port} now"
    ):
        stop_process.look_again(
            [Endpoint(port, "127.0.0.1")], stopped, before=(), siblings=(), deps=deps(settle=0)
        )
    stop_process.look_again(
        [Endpoint(port, "127.0.0.1")], stopped, before={thief.pid}, siblings=(), deps=deps(settle=0)
    )


@pytest.mark.parametrize("how", ["run", "script"])
def test_a_flask_reloader_ends_with_its_server_and_nothing_comes_back(
    start: Start, port: int, deps: Callable[..., ConflictDeps], how: str, tmp_path: Path
) -> None:  # edge-cases.md#22
    (tmp_path / "app.py").write_text(FLASK)
    flask = ("-m", "flask", "--app", "app", "run", "--debug", "--port", str(port))
    command = (sys.executable, *(flask if how == "run" else ("app.py", str(port))))
    parent = start(*command, ready=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def both() -> bool:
        pids = stop_process.holding_pids([Endpoint(port, "127.0.0.1")], Host)
        return any(processes._is_reloaded(pid) for pid in pids)

    until(both)
    case = found_on(port)
    assert (case.kind, case.reloader) == (HolderKind.RELOADER, parent.pid)
    family = [process.pid for process in HostInspector().family_of(case.holder)]  # type: ignore[arg-type]  # a process, by its kind
    assert family[0] == parent.pid
    assert len(family) == 2
    stop(case, deps(settle=1.0))
    assert not _is_listening(port)
    assert parent.wait(60) is not None
    assert not any(alive(pid) for pid in family)


def test_a_shell_that_sets_the_reloaders_mark_by_hand_is_no_reloader(
    start: Start, port: int, deps: Callable[..., ConflictDeps], tmp_path: Path
) -> None:
    (tmp_path / "server.py").write_text(SLEEP)
    shell = start(
        "sh", "-c", f"WERKZEUG_RUN_MAIN=true {sys.executable} server.py {port}; sleep 600"
    )
    case = found_on(port)
    assert case.kind is HolderKind.PROCESS
    stop(case, deps())
    assert shell.poll() is None
    assert not _is_listening(port)


def test_a_program_that_a_reloaded_server_started_is_not_taken_for_its_child(
    start: Start, port: int, tmp_path: Path
) -> None:
    (tmp_path / "server.py").write_text(SLEEP)
    start(
        "sh",
        "-c",
        f"{sys.executable} server.py {port}; true",
        env={**os.environ, "WERKZEUG_RUN_MAIN": "true"},
    )
    assert found_on(port).kind is HolderKind.PROCESS


def test_a_parent_that_has_forked_its_server_is_no_reloader(
    start: Start, port: int, deps: Callable[..., ConflictDeps]
) -> None:
    code = "import os,sys,time\nif os.fork():\n time.sleep(600)\n" + SLEEP
    parent = start(*python(code, port))
    case = found_on(port)
    assert case.kind is HolderKind.PROCESS
    stop(case, deps())
    assert parent.poll() is None


# --- waiting


def test_it_is_waited_until_the_port_is_free(
    start: Start, port: int, deps: Callable[..., ConflictDeps]
) -> None:
    class Releasing(Talk):
        def progress(self, text: str) -> None:
            super().progress(text)
            assert server.stdin is not None
            server.stdin.write("\n")
            server.stdin.flush()

    server = start(*python(LISTEN + "input()", port))
    done = deps(wait_timeout=20, screen=Releasing(), monotonic=lambda: 0.0)
    carry_out([ResolutionStep(ResolutionAction.WAIT, found_on(port))], done)
    assert not _is_listening(port)
    assert f"waiting for 127.0.0.1:{port} (20 s left): held by " in said(done)
    assert f"(pid {server.pid})" in said(done)


def test_the_deadline_ends_the_wait_with_who_still_holds_it(
    start: Start, port: int, deps: Callable[..., ConflictDeps]
) -> None:
    server = start(*python(SLEEP, port))
    with pytest.raises(TimedOut) as caught:
        carry_out([ResolutionStep(ResolutionAction.WAIT, found_on(port))], deps(wait_timeout=0.3))
    assert caught.value.code is ExitCode.TIMED_OUT
    assert f"pid {server.pid}" in caught.value.message
    assert "--wait-timeout" in caught.value.hint
    assert server.poll() is None


def test_of_a_range_one_free_number_is_enough(
    start: Start, port: int, deps: Callable[..., ConflictDeps]
) -> None:
    start(*python(SLEEP, port))
    case = found_on(port)
    binding = PortBinding("app", 1, 80, "tcp", port, port + 1, ("127.0.0.1",))
    assert not _is_listening(port + 1)
    ranged = Conflict(
        binding, case.conflicts[0].endpoints, Reason.RANGE_EXHAUSTED, case.conflicts[0].holders
    )
    carry_out(
        [ResolutionStep(ResolutionAction.WAIT, replace(case, conflicts=(ranged,)))],
        deps(wait_timeout=0.3),
    )


# --- asking


def details(case: Case) -> str:
    return "\n".join(details_of(case))


def test_the_question_says_who_and_the_details_say_everything(
    start: Start, port: int, deps: Callable[..., ConflictDeps], tmp_path: Path
) -> None:
    server, done = start(*python(SLEEP, port)), deps("show details", "stop python")
    case = found_on(port)
    offered = choices(case, ResolutionRequest("ask", remappable=True))
    assert ask(done.prompts, done.screen)(case, offered) is ResolutionAction.STOP_PROCESS
    assert asked(done) == [f"{subject(case)}. What now?"] * 2
    assert f"app wants 127.0.0.1:{port}" in subject(case)
    for wanted in (
        f"(pid {server.pid}",
        sys.executable,
        "user ",
        f"in {tmp_path}",
        "for ",
        f"({os.getpid()})",
        f"listens on: {port}",
    ):
        assert wanted in said(done), wanted
    assert server.poll() is None


def test_secrets_on_the_command_line_are_masked_in_the_details(start: Start, port: int) -> None:
    start(*python(SLEEP, port), "--password", "canary-secret")
    assert "canary-secret" not in details(found_on(port))


def test_a_production_container_is_stopped_only_when_its_name_was_typed(
    deps: Callable[..., ConflictDeps],
) -> None:
    container = Container(
        "c" * 64,
        "darts-nginx-1",
        "nginx",
        "running",
        labels={"com.docker.compose.project": "darts"},
    )
    binding = PortBinding("web", 1, 80, "tcp", 80, 80, ("0.0.0.0",))
    holder = ForeignContainer(container)
    case = Case(
        holder,
        HolderKind.CONTAINER,
        (Conflict(binding, (Endpoint(80, "0.0.0.0"),), Reason.IN_USE, (holder,)),),
    )
    offered = choices(
        case,
        ResolutionRequest(
            "ask", remappable=False, production_project="darts", is_for_production=True
        ),
    )
    done = deps("stop container", "darts", "stop all", "darts")
    assert ask(done.prompts, done.screen)(case, offered) is ResolutionAction.STOP_PROJECT
    assert "the name does not match" in said(done)
    assert "--on-conflict stop" not in flags_for(offered)
    assert "project: darts" in details(case)


def test_the_flags_are_those_that_would_do_it() -> None:
    def flags(*actions: ResolutionAction) -> str:
        return flags_for([Choice(action, "") for action in (*actions, ResolutionAction.ABORT)])

    assert (
        flags(ResolutionAction.REMAP, ResolutionAction.STOP_PROCESS)
        == "--on-conflict remap or --on-conflict stop --yes"
    )
    assert flags(ResolutionAction.WAIT) == "--on-conflict wait --wait-timeout 60"
    assert flags() == "free the port, then try again"


def test_moves_are_made_together_and_last(
    start: Start, port: int, deps: Callable[..., ConflictDeps]
) -> None:
    start(*python(SLEEP, port))
    case = found_on(port)
    moved: list[Sequence[Case]] = []
    other = replace(case, kind=HolderKind.UNKNOWN, holder=Unknown())
    carry_out(
        [
            ResolutionStep(ResolutionAction.REMAP, other),
            ResolutionStep(ResolutionAction.STOP_PROCESS, case),
            ResolutionStep(ResolutionAction.REMAP, other),
        ],
        deps(remap=moved.append),
    )
    assert moved == [[other, other]]
    assert not _is_listening(port)


# --- systemd, which is not available here: its files and its command are fakes


@pytest.fixture
def fake_systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `systemctl` on PATH that answers from files and keeps its calls.

    `stop` ends MainPID and returns when it has ended.
    """
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "systemctl"
    program.write_text(
        f"""#!/bin/sh
echo "$*" >> {folder}/calls
case "$*" in
  *MainPID*) cat {folder}/main;;
  *TriggeredBy*) echo "web.socket web.timer";;
  *list-sockets*) printf '%s\\n' "[::]:80 web.socket web.service" \\
    "/run/dbus dbus.socket dbus.service" "0.0.0.0:22 ssh.socket -";;
  *broken*) echo "Interactive authentication required." >&2; exit 1;;
  *stop*) [ -f {folder}/main ] && pid=$(cat {folder}/main) && kill $pid
    while [ -n "$pid" ] && [ -e /proc/$pid ] && ! grep -q ') Z ' /proc/$pid/stat
    do sleep 0.01; done;;
esac
exit 0
"""
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    (tmp_path / "proc").mkdir()
    return folder


def unit_of(
    process: Process, folder: Path, cgroup: str, ports: Sequence[int] = ()
) -> SystemdUnit | None:
    proc = folder.parent / "proc"
    (proc / str(process.pid)).mkdir(exist_ok=True)
    (proc / str(process.pid) / "cgroup").write_text(f"0::{cgroup}\n")
    return systemd.unit_of(process, ports, running=folder, proc=proc)


def test_without_systemd_nothing_is_managed(start: Start, tmp_path: Path) -> None:
    process = processes.describe(start("sleep", "600", ready=False).pid)
    assert process is not None
    assert systemd.unit_of(process, running=tmp_path / "absent") is None


def test_a_units_process_is_stopped_through_it_and_its_socket(
    start: Start, fake_systemctl: Path, port: int, deps: Callable[..., ConflictDeps]
) -> None:
    server = start(*python(SLEEP, port))  # edge-cases.md#20, edge-cases.md#21
    (fake_systemctl / "main").write_text(str(server.pid))
    case = found_on(port)
    assert isinstance(case.holder, HostProcess)
    unit = unit_of(case.holder.process, fake_systemctl, "/system.slice/web.service")
    assert unit == SystemdUnit(("web.socket", "web.service"), main=server.pid)
    assert unit_of(
        case.holder.process,
        fake_systemctl,
        "/user.slice/user-0.slice/user@0.service/app.slice/web.service",
    ) == SystemdUnit(("web.socket", "web.service"), of_user=True, main=server.pid)
    done = deps()
    carry_out(
        [
            ResolutionStep(
                ResolutionAction.STOP_UNIT, replace(case, kind=HolderKind.MANAGED, unit=unit)
            )
        ],
        done,
    )
    assert (fake_systemctl / "calls").read_text().splitlines()[
        -1
    ] == "--no-ask-password stop web.socket web.service"
    assert server.wait(60) == -signal.SIGTERM
    assert [(entry.action, entry.what) for entry in done.history.read()] == [
        ("stop-unit", "web.socket, web.service")
    ]


def test_a_wrappers_child_belongs_to_the_unit_and_what_has_a_session_of_its_own_does_not(
    start: Start, fake_systemctl: Path, port: int
) -> None:
    """`ExecStart=/bin/sh start.sh` is stopped by its unit; what sshd or cron has started is not."""
    for setsid, belongs in (("", True), ("setsid -f -w ", False)):
        wrapper = start("sh", "-c", f'{setsid}"$0" "$@"; true', *python(SLEEP, port))
        (fake_systemctl / "main").write_text(str(wrapper.pid))
        case = found_on(port)
        assert isinstance(case.holder, HostProcess)
        assert wrapper.pid in [pid for pid, _ in case.holder.process.parents]
        assert (
            unit_of(case.holder.process, fake_systemctl, "/system.slice/ssh.service") is not None
        ) is belongs
        os.kill(case.holder.process.pid, signal.SIGKILL)
        until(lambda: not _is_listening(port))


@pytest.mark.parametrize(
    "cgroup",
    [
        "/",
        "/user.slice/user-0.slice/session-3.scope",
        "/user.slice/user-1.slice/user@1.service/init.scope",
    ],
)
def test_what_is_in_no_service_is_not_managed(
    start: Start, fake_systemctl: Path, cgroup: str
) -> None:
    process = processes.describe(start("sleep", "600", ready=False).pid)
    assert process is not None
    assert unit_of(process, fake_systemctl, cgroup) is None


def test_a_port_that_systemd_keeps_open_belongs_to_its_socket_unit(
    fake_systemctl: Path,
) -> None:  # edge-cases.md#20
    init = Process(1, "systemd", 1)
    assert unit_of(init, fake_systemctl, "/init.scope", [80]) == SystemdUnit(
        ("web.socket", "web.service"), main=1
    )
    assert unit_of(init, fake_systemctl, "/init.scope", [22]) == SystemdUnit(
        ("ssh.socket",), main=1
    )
    assert unit_of(init, fake_systemctl, "/init.scope", [443]) is None


def test_a_unit_that_we_may_not_stop_is_told_with_sudo(fake_systemctl: Path) -> None:
    with pytest.raises(DartsctlError, match="Interactive authentication required") as caught:
        systemd.stop(SystemdUnit(("broken.service",)))
    assert caught.value.hint == "sudo systemctl stop broken.service"
    assert fake_systemctl.exists()


# --- containers, on the real engine


@pytest.fixture
def engine() -> Engine:
    return engine_at(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))


def container_case(engine: Engine, name: str, port: int) -> Case:
    (container,) = [listed for listed in engine.containers() if listed.name == name]
    endpoint = Endpoint(port, "127.0.0.1")
    holder = ForeignContainer(container)
    binding = PortBinding("app", 1, 80, "tcp", port, port, ("127.0.0.1",))
    (case,) = group_by_holder(
        [Conflict(binding, (endpoint,), Reason.IN_USE, (holder,))], (), STACK, HostInspector()
    )
    return case


@pytest.mark.engine
def test_the_real_docker_proxy_is_never_signalled(
    live: LiveStack, engine: Engine, deps: Callable[..., ConflictDeps]
) -> None:
    port = live.ports[0]
    name = live.container("-p", f"127.0.0.1:{port}:80", BUSYBOX, "sleep", "600")
    case = container_case(engine, name, port)
    assert case.kind is HolderKind.LONE_CONTAINER
    (pid,) = stop_process.holding_pids([Endpoint(port, "127.0.0.1")], Host)
    proxy = processes.describe(pid)
    assert proxy is not None
    assert proxy.name == "docker-proxy"
    forced = HostProcess(proxy)
    assert (
        group_by_holder(
            [replace(case.conflicts[0], holders=(forced,))], (), STACK, HostInspector()
        )[0].kind
        is HolderKind.PROTECTED
    )
    with pytest.raises(Refused):
        stop(replace(case, holder=forced, kind=HolderKind.PROCESS), deps(yes=True))
    assert alive(pid)
    assert (
        found_on(port).kind is HolderKind.UNKNOWN
    )  # as on a host where another engine's proxy holds it


@pytest.mark.engine
def test_one_container_is_stopped_and_the_rest_of_its_project_stays(
    live: LiveStack, engine: Engine, deps: Callable[..., ConflictDeps]
) -> None:
    from live.stack import sleeper

    port = live.ports[0]
    live.compose({"web": sleeper(f"127.0.0.1:{port}:80"), "db": sleeper()})
    live.up()
    done = deps(engine=engine)
    carry_out(
        [
            ResolutionStep(
                ResolutionAction.STOP_CONTAINER,
                container_case(engine, f"{live.project}-web-1", port),
            )
        ],
        done,
    )
    assert live.containers() == {
        f"{live.project}-web-1": "exited",
        f"{live.project}-db-1": "running",
    }
    assert not _is_listening(port)
    (entry,) = done.history.read()
    assert (entry.action, entry.what, entry.details["project"]) == (
        "stop-container",
        f"{live.project}-web-1",
        live.project,
    )


@pytest.mark.engine
def test_a_whole_project_is_stopped_paused_ones_and_crash_loops_too_and_its_volumes_stay(
    live: LiveStack, engine: Engine, deps: Callable[..., ConflictDeps]
) -> None:
    from live.stack import docker, sleeper

    port = live.ports[0]
    loop = sleeper(command=["false"], restart="always")
    live.compose(
        {
            "web": sleeper(f"127.0.0.1:{port}:80", volumes=["data:/data"]),
            "held": sleeper(),
            "loop": loop,
        },
        volumes={"data": {}},
    )
    live.up()
    docker("pause", f"{live.project}-held-1")
    until(lambda: live.containers()[f"{live.project}-loop-1"] == "restarting")
    done = deps(engine=engine)
    carry_out(
        [
            ResolutionStep(
                ResolutionAction.STOP_PROJECT, container_case(engine, f"{live.project}-web-1", port)
            )
        ],
        done,
    )
    assert set(live.containers().values()) == {"exited"}
    assert f"volume {live.project}_data" in live.leftovers()
    assert len(done.history.read()) == 3


@pytest.mark.engine
def test_a_container_that_has_a_wanted_name_is_removed_and_its_volume_stays(
    live: LiveStack, engine: Engine, deps: Callable[..., ConflictDeps]
) -> None:
    from live.stack import docker

    name = live.container(
        "-v",
        f"{live.project}_loose:/data",
        "--label",
        f"com.docker.compose.project={live.project}",
        BUSYBOX,
        "sleep",
        "600",
    )
    (container,) = [listed for listed in engine.containers() if listed.name == name]
    carry_out(
        [
            ResolutionStep(
                ResolutionAction.REMOVE_CONTAINER,
                Case(NameTaken("app", container), HolderKind.NAME),
            )
        ],
        deps(engine=engine),
    )
    assert name not in [listed.name for listed in engine.containers()]
    assert docker("volume", "ls", "-q", "--filter", f"name={live.project}_loose").split() == [
        f"{live.project}_loose"
    ]
    docker("volume", "rm", f"{live.project}_loose")


@pytest.mark.engine
def test_a_container_that_went_meanwhile_is_no_error_and_a_wait_ends_when_it_goes(
    live: LiveStack, engine: Engine, deps: Callable[..., ConflictDeps]
) -> None:
    from live.stack import docker

    port = live.ports[0]
    name = live.container("-p", f"127.0.0.1:{port}:80", BUSYBOX, "sleep", "600")
    case = container_case(engine, name, port)
    with pytest.raises(TimedOut):
        carry_out(
            [ResolutionStep(ResolutionAction.WAIT, case)], deps(engine=engine, wait_timeout=0.3)
        )
    docker("rm", "-f", name)
    carry_out(
        [
            ResolutionStep(ResolutionAction.WAIT, case),
            ResolutionStep(ResolutionAction.STOP_CONTAINER, case),
        ],
        deps(engine=engine, wait_timeout=20),
    )
