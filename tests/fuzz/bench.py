"""Run one case of the fuzzer and judge it.

The real `main` runs in a process of its own, with a Compose plugin and an engine that answer what
the case says. The process is forked from this one, where everything is imported already: a case
takes a few milliseconds instead of half a second.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mutation import CANARY

DEADLINE = 45.0
"""Seconds that a case may take: more than dartsctl waits in one, which forgives late answers."""
MEMORY = 300 << 10
"""KiB."""
CODES = {0, 1, 2, 3, 4, 5, 6, 7, 124, 130}
"""ExitCode without BUG, as written in the documentation."""

_PLUGIN = """\
#!/bin/sh
print() { [ ! -f "$FUZZ_ANSWERS/$1" ] || cat "$FUZZ_ANSWERS/$1"; }
case " $* " in
*" version "*) print version ;;
*" --hash "*) print hashes ;;
*" --services "*) print services ;;
*" --variables "*) print variables ;;
*" config "*) print errors >&2; print model ;;
*) print progress >&2 ;;
esac
exit "$(print code)"
"""
_NOT_FOUND = b'HTTP/1.0 404 Not Found\r\n\r\n{"message": "no such thing"}'
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Case:
    """The surroundings of one run of dartsctl. `steps` describe what was changed."""

    words: tuple[str, ...]
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Files in the working folder by name. A name may contain folders."""
    compose: Mapping[str, bytes] = field(default_factory=dict)
    """What the Compose plugin prints, by the names in its script."""
    engine: Mapping[str, bytes] = field(default_factory=dict)
    """Route -> a whole HTTP answer."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """`{folder}` in them is the case's folder."""
    special_files: tuple[tuple[str, str], ...] = ()
    """(name, kind) of what is no regular file: fifo, folder, dangling, loop, device."""
    folder: str = "work"
    """The name of the working folder. `{work}` in answers and variables is its path."""
    steps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """How a case ended. `faults` is empty if it ended well."""

    code: int | None
    seconds: float
    kibibytes: int
    output: bytes
    faults: tuple[str, ...]
    place: str = ""
    """The line of dartsctl where a crash happened."""


def prepare(root: Path) -> None:
    """Write the Compose plugin, and import everything that a case may need."""
    plugin = root / "docker" / "cli-plugins" / "docker-compose"
    plugin.parent.mkdir(parents=True, exist_ok=True)
    plugin.write_text(_PLUGIN)
    plugin.chmod(0o755)
    import importlib
    import pkgutil

    import dartsctl

    for module in pkgutil.walk_packages(dartsctl.__path__, "dartsctl."):
        if not module.name.endswith("__main__") and "guard_path" not in module.name:
            importlib.import_module(module.name)


def run(case: Case, root: Path) -> Outcome:
    """Run a case in a folder below `root`, and remove the folder."""
    folder = root / f"case-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / case.folder).mkdir(parents=True)
    try:
        _write_files(case, folder)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(folder / "engine.sock"))
            listener.listen(64)
            work = _in_json(folder / case.folder)
            answers = {
                route: answer.replace(b"{work}", work) for route, answer in case.engine.items()
            }
            engine = _start_engine(answers, listener)
            try:
                return _run(case, folder, root)
            finally:
                os.kill(engine, signal.SIGKILL)
                os.waitpid(engine, 0)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _in_json(path: Path) -> bytes:
    return json.dumps(os.fsencode(path).decode(errors="replace"))[1:-1].encode()


def _write_files(case: Case, folder: Path) -> None:
    """Write the answers of the Compose plugin, and the files of the working folder."""
    answers = folder / "answers"
    answers.mkdir()
    for name, data in {"code": b"0", "version": b"2.40.0\n", **case.compose}.items():
        (answers / name).write_bytes(data)
    for name, data in case.files.items():
        path = folder / case.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for name, kind in case.special_files:
        path = folder / case.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            path.unlink()
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        else:
            path.symlink_to({"dangling": "nowhere", "loop": path.name, "device": "/dev/zero"}[kind])


def _run(case: Case, folder: Path, root: Path) -> Outcome:
    """Run a case to its end, or to the deadline."""
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _become_case(case, folder, root)
    handle = os.pidfd_open(pid)
    is_late = not select.select([handle], [], [], DEADLINE)[0]
    os.close(handle)
    _end_group(pid)
    _, status, usage = os.wait4(pid, 0)
    files = [file for name in ("out", "err") if (file := folder / name).exists()]
    output = b"".join(file.read_bytes() for file in files)
    reports = folder.glob("state/reports/*.txt")
    report = "".join(file.read_text(errors="replace") for file in reports)
    code = None if is_late else os.waitstatus_to_exitcode(status)
    if code is not None and "logs" in case.words:
        code = min(code, 1)  # `logs` ends with the code of Compose
    return Outcome(
        code,
        seconds=time.monotonic() - started,
        kibibytes=usage.ru_maxrss,
        output=output,
        faults=_judge(output, code, usage.ru_maxrss),
        place=_place(report or output.decode(errors="replace")),
    )


def _end_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _judge(output: bytes, code: int | None, kibibytes: int) -> tuple[str, ...]:
    """Return what is wrong with the end of a case."""
    text = output.decode(errors="surrogateescape")
    faults = []
    if code is None:
        faults.append("hang")
    elif code not in CODES:
        faults.append(f"exit {code}")
    if "Traceback (most recent call last)" in text:
        faults.append("traceback")
    if kibibytes > MEMORY:
        faults.append("memory")
    if control := _CONTROL.search(text):
        faults.append(f"control character {control[0]!a}")
    if CANARY in text:
        faults.append("canary")
    return tuple(faults)


def _place(report: str) -> str:
    """Return the last line of dartsctl in a traceback, and the error."""
    lines = re.findall(r'File "[^"]*/dartsctl/([^"]*)", line (\d+)', report)
    last = [line for line in report.splitlines() if line.strip()]
    return f"{lines[-1][0]}:{lines[-1][1]} {last[-1][:100]}" if lines else ""


def _become_case(case: Case, folder: Path, root: Path) -> None:
    """Set up the folder, environment and streams of a case, and run main. Does not return."""
    code = 99
    try:
        os.setpgid(0, 0)
        os.chdir(folder / case.folder)
        environ = environment(case, folder, root)
        os.environ.clear()
        os.environ.update(environ)
        for number, name in enumerate((os.devnull, f"{folder}/out", f"{folder}/err")):
            opened = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
            os.dup2(opened, number)
            os.close(opened)
        sys.stdin = os.fdopen(0, closefd=False)
        sys.stdout = os.fdopen(1, "w", closefd=False, encoding="utf-8")
        sys.stderr = os.fdopen(2, "w", closefd=False, encoding="utf-8", errors="backslashreplace")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        from dartsctl.cli import main

        code = main(list(case.words))
        sys.stdout.flush()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 98
    except BaseException:
        os.write(2, traceback.format_exc().encode(errors="replace"))
    finally:
        os._exit(code)


def environment(case: Case, folder: Path, root: Path) -> dict[str, str]:
    """Return the environment of a case."""
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "home"),
        "LANG": "C.UTF-8",
        "DARTSCTL_STATE_DIR": str(folder / "state"),
        "DOCKER_CONFIG": str(root / "docker"),
        "DOCKER_HOST": f"unix://{folder}/engine.sock",
        "APP_SECRET_KEY": f"{CANARY}-in-our-environment",
    }
    work = str(folder / case.folder)
    for name, value in case.variables.items():
        variables[name] = value.replace("{folder}", str(folder)).replace("{work}", work)
    return {**variables, "FUZZ_ANSWERS": str(folder / "answers")}


# --- the engine ---


def _start_engine(answers: Mapping[str, bytes], listener: socket.socket) -> int:
    """Start a process that answers as the case's engine, and return its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        command: list[str] = []
        while True:
            connection, _ = listener.accept()
            with connection:
                _answer(connection, answers, command)
    finally:
        os._exit(0)


def _answer(connection: socket.socket, answers: Mapping[str, bytes], command: list[str]) -> None:
    connection.settimeout(5)
    try:
        head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
        method, target = head.decode(errors="replace").split()[:2]
        if b"Content-Length" in head and not body:
            body = connection.recv(65536)
        if method == "POST" and target.endswith("/exec"):
            command[:] = json.loads(body)["Cmd"]
        connection.sendall(answers.get(_route(method, target, command), _NOT_FOUND))
    except (OSError, ValueError):
        return


def _route(method: str, target: str, command: list[str]) -> str:
    """Return the name of a request in `Case.engine`."""
    path = target.partition("?")[0].split("/")
    path = path[2:] if path[1].startswith("v1.") else path[1:]
    if path[0] == "exec" and path[-1] == "start":
        return f"exec {command[0]}" if command else "exec"
    if method != "GET":
        return f"{method} {path[-1]}"
    if path[0] == "containers" and path[-1] == "json" and len(path) > 2:
        return "containers json of one"
    if path[0] == "networks" and len(path) > 1:
        return "networks one"
    return f"{path[0]} {path[-1]}" if len(path) > 1 else path[0]


def http(document: bytes, status: bytes = b"200 OK") -> bytes:
    """Return an HTTP answer."""
    return b"HTTP/1.0 " + status + b"\r\nContent-Type: application/json\r\n\r\n" + document


def frames(out: bytes, err: bytes = b"") -> bytes:
    """Return a log, or a command's output, as the engine sends it."""
    streams = [(kind, text) for kind, text in ((1, out), (2, err)) if text]
    return b"".join(struct.pack(">B3xI", kind, len(text)) + text for kind, text in streams)
