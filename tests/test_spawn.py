"""Real processes: their output, deadlines and signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dartsctl import spawn
from dartsctl.errors import TimedOut
from own_children import own_children


def python(program: str, *arguments: str) -> list[str]:
    return [sys.executable, "-S", "-c", program, *arguments]


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, f"not within 60 s: {what}"
        time.sleep(0.002)


def is_alive(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_output_and_code_are_kept_apart() -> None:
    done = spawn.run(
        python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"), deadline=10
    )
    assert (done.code, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert done.argv[0] == sys.executable


def test_a_signal_is_a_negative_code() -> None:
    assert spawn.run(python("import os; os.kill(os.getpid(), 9)"), deadline=10).code == -9


def test_bytes_that_are_not_text_are_replaced() -> None:
    assert (
        spawn.run(python(r"import sys; sys.stdout.buffer.write(b'a\xffb')"), deadline=10).stdout
        == "a\ufffdb"
    )


def test_stdin_is_empty() -> None:
    assert (
        spawn.run(python("import sys; print(repr(sys.stdin.read()))"), deadline=10).stdout == "''\n"
    )


def test_the_environment_is_the_given_one_or_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    show = python("import os; print(os.environ.get('CANARY'))")
    monkeypatch.setenv("CANARY", "ours")
    assert spawn.run(show, deadline=10).stdout == "ours\n"
    assert spawn.run(show, deadline=10, environment={"CANARY": "given"}).stdout == "given\n"
    assert spawn.run(show, deadline=10, environment={}).stdout == "None\n"


@pytest.mark.parametrize(
    "call",
    [lambda argv: spawn.run(argv, deadline=1), spawn.start, spawn.Stream],
    ids=["run", "start", "stream"],
)
def test_a_missing_program_is_named(
    call: Callable[[list[str]], object],
) -> None:  # edge-cases.md#19
    with pytest.raises(spawn.CommandNotFound, match=r"^no-such-program is not installed$"):
        call(["no-such-program", "--flag"])


def test_an_empty_folder_in_path_is_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "program").write_text("#!/bin/sh\necho here\n")
    (tmp_path / "program").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    assert spawn.run(["program"], deadline=10, environment={"PATH": ":/bin"}).stdout == "here\n"


def test_a_program_without_a_name_is_an_error() -> None:
    with pytest.raises(spawn.CommandNotFound, match="without a name"):
        spawn.start([""])


@pytest.mark.parametrize(
    ("content", "mode", "reason"),
    [
        (b"#!/no/such/interpreter\n", 0o755, "its interpreter is missing"),
        (b"", 0o755, "not a program for this machine"),
        (b"\x7fELF", 0o755, "not a program for this machine"),
        (b"#!/bin/sh\n", 0o644, "Permission denied"),
    ],
)
def test_the_reason_is_shown_if_the_kernel_does_not_start_a_program(
    tmp_path: Path, content: bytes, mode: int, reason: str
) -> None:
    program = tmp_path / "program"
    program.write_bytes(content)
    program.chmod(mode)
    with pytest.raises(spawn.CommandNotFound, match=f"cannot start {program}: {reason}"):
        spawn.start([str(program)])


def test_other_work_can_be_done_while_a_process_runs(tmp_path: Path) -> None:
    go = tmp_path / "go"
    program = """
import os, sys, time
while not os.path.exists(sys.argv[1]): time.sleep(0.005)
print('went')
"""
    running = spawn.start(python(program, str(go)))
    go.touch()
    assert running.result(deadline=10).stdout == "went\n"


ENDLESS = "import time\nwhile True: time.sleep(0.1)"
FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
open(sys.argv[1] + "~", "w").write(str(child.pid))
os.rename(sys.argv[1] + "~", sys.argv[1])
time.sleep(60)
"""


def test_a_deadline_ends_a_process_and_the_message_shows_only_the_first_arguments() -> (
    None
):  # edge-cases.md#41
    argv = [sys.executable, "-c", ENDLESS, "--password", "canary"]
    with pytest.raises(TimedOut, match="did not end within 0 s") as caught:
        spawn.run(argv, deadline=0.05)
    assert "canary" not in caught.value.message


def test_a_deadline_ends_children_too_and_does_not_wait_for_them(tmp_path: Path) -> None:
    # `docker` starts its plugins as children, which keep our pipes open
    note = tmp_path / "child"
    running = spawn.start(python(FAMILY, str(note)))
    until(note.exists, "the child runs")
    child = int(note.read_text())
    begun = time.monotonic()
    with pytest.raises(TimedOut):
        running.result(deadline=0.01)
    assert time.monotonic() - begun < 5
    until(lambda: not is_alive(child), "the child is gone")


def test_an_abandoned_process_leaves_no_zombie(tmp_path: Path) -> None:
    note = tmp_path / "child"
    before = own_children()
    running = spawn.start(python(FAMILY, str(note)))
    until(note.exists, "it runs")
    running.abandon()
    assert own_children() <= before
    running.abandon()  # a second time has no effect


def test_an_ended_process_can_be_abandoned() -> None:
    running = spawn.start(python("print('done')"))
    assert running.result(deadline=10).stdout == "done\n"
    running.abandon()


FLOOD = """
import os, sys
chunk = b"x" * 65536
while True: os.write(int(sys.argv[1]), chunk)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_flood_is_cut_off_and_uses_little_memory() -> None:
    program = """
import sys
from dartsctl import spawn
from dartsctl.errors import DartsctlError
try:
    spawn.run([sys.executable, "-S", "-c", sys.argv[1], "1"], deadline=60)
except spawn.OutputTooLarge as error:
    with open("/proc/self/status") as file:
        status = dict(line.split(":", 1) for line in file)
    print(error.message, status["VmHWM"].split()[0])  # ru_maxrss starts with that of pytest
"""
    done = spawn.run([sys.executable, "-c", program, FLOOD], deadline=60)
    message, _, kilobytes = done.stdout.strip().rpartition(" ")
    assert message.endswith("wrote more than 16 MiB"), done
    assert int(kilobytes) < 100_000


def test_start_and_end_of_a_flood_on_stderr_are_kept() -> None:
    program = """
import sys
print('first', file=sys.stderr)
sys.stderr.write('x' * 50_000_000)
print('last', file=sys.stderr)
"""
    done = spawn.run(python(program), deadline=60)
    assert done.stderr.startswith("first\nxxx")
    assert done.stderr.endswith("xxxlast\n")
    assert len(done.stderr) < 1_000_000


def test_a_flood_on_stderr_ends_at_the_deadline() -> None:
    with pytest.raises(TimedOut):
        spawn.run(python(FLOOD, "2"), deadline=0.5)


LEAVES_A_CHILD = """
import subprocess, sys
argv = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
subprocess.Popen(argv, start_new_session=sys.argv[1] == "daemon")
print("done")
"""


@pytest.mark.parametrize("kind", ["daemon", "background job"])
def test_a_child_that_keeps_our_pipes_open_is_not_waited_for(kind: str) -> None:
    begun = time.monotonic()
    assert spawn.run(python(LEAVES_A_CHILD, kind), deadline=60).stdout == "done\n"
    stream = spawn.Stream(python(LEAVES_A_CHILD, kind), seconds=60)
    assert list(stream.lines()) == ["done"]
    assert stream.wait() == 0
    assert time.monotonic() - begun < 20


def test_a_process_that_closes_its_output_has_a_deadline_too() -> None:
    program = "import os, time; os.close(1); os.close(2); time.sleep(60)"
    with pytest.raises(TimedOut):
        spawn.run(python(program), deadline=0.5)
    stream = spawn.Stream(python(program), seconds=0.5)
    assert list(stream.lines()) == []
    assert stream.is_late
    assert stream.wait() == 128 + signal.SIGINT


# Streams


def test_lines_come_when_they_are_written_from_both_outputs(tmp_path: Path) -> None:
    go = tmp_path / "go"
    program = """
import os, sys, time
print("first  ", flush=True)
while not os.path.exists(sys.argv[1]): time.sleep(0.005)
print("second", file=sys.stderr)
sys.exit(4)
"""
    stream = spawn.Stream(python(program, str(go)))
    lines = stream.lines()
    assert next(lines) == "first"
    go.touch()
    assert list(lines) == ["second"]
    assert stream.wait() == 4


STUBBORN = """
import os, signal, sys, time
def asked(number, frame): os.write(1, b"asked\\n")  # `print` may be at work already, for "ready"
signal.signal(signal.SIGINT, asked)
print("ready", flush=True)
while True: time.sleep(0.1)  # Python 3.15 loses a signal that comes before the sleep
"""
POLITE = """
import os, signal, sys, time
def asked(number, frame):
    os.write(1, b"asked\\n")
    sys.exit(7)
signal.signal(signal.SIGINT, asked)
print("ready", flush=True)
while True: time.sleep(0.1)  # Python 3.15 loses a signal that comes before the sleep
"""


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda value: value.name
)
def test_the_first_signal_asks_the_process_to_stop(
    number: signal.Signals,
) -> None:  # edge-cases.md#85
    stream = spawn.Stream(python(POLITE))
    lines = stream.lines()
    before = signal.getsignal(number)
    with stream.taking_signals() as came:
        assert next(lines) == "ready"
        os.kill(os.getpid(), number)
        assert list(lines) == ["asked"]
        assert stream.wait() == 7
    assert came == [number]
    assert signal.getsignal(number) is before


def test_the_second_signal_ends_the_process_at_once() -> None:  # edge-cases.md#85
    stream = spawn.Stream(python(STUBBORN))
    lines = stream.lines()
    with stream.taking_signals() as came:
        assert next(lines) == "ready"
        os.kill(os.getpid(), signal.SIGINT)
        assert next(lines) == "asked"
        os.kill(os.getpid(), signal.SIGTERM)
        assert list(lines) == []
        assert stream.wait() == -9
    assert came == [signal.SIGINT, signal.SIGTERM]


def test_an_error_restores_the_signal_handlers() -> None:
    stream = spawn.Stream(python("print('done')"))
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), stream.taking_signals():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is before
    assert list(stream.lines()) == ["done"]
    assert stream.wait() == 0


def test_the_signals_of_the_terminal_reach_only_us() -> None:
    stream = spawn.Stream(
        python("import os, sys; print(os.getpgrp() != int(sys.argv[1]))", str(os.getpgrp()))
    )
    assert list(stream.lines()) == ["True"]
    assert stream.wait() == 0


def test_a_kill_reaches_children(tmp_path: Path) -> None:
    note = tmp_path / "child"
    stream = spawn.Stream(python(FAMILY, str(note)))
    until(note.exists, "the child runs")
    child = int(note.read_text())
    stream.kill()
    assert list(stream.lines()) == []
    assert stream.wait() == -9
    until(lambda: not is_alive(child), "the child is gone")


def test_signals_after_the_end_have_no_effect() -> None:
    stream = spawn.Stream(python("pass"))
    assert list(stream.lines()) == []
    assert stream.wait() == 0
    stream.interrupt()
    stream.kill()


def test_a_stream_can_be_interrupted_from_another_thread() -> None:
    stream = spawn.Stream(python(POLITE))
    lines = stream.lines()
    assert next(lines) == "ready"
    timer = threading.Timer(0.01, stream.interrupt)
    timer.start()
    assert list(lines) == ["asked"]
    assert stream.wait() == 7
    timer.join()


IGNORES = """
import signal, sys, time
for name in sys.argv[1:]: signal.signal(getattr(signal, name), signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("ignored", "patience", "code"),
    [
        ((), (60, 60), 128 + signal.SIGINT),
        (("SIGINT",), (0.2, 60), 128 + signal.SIGTERM),
        (("SIGINT", "SIGTERM"), (0.2, 0.2), -signal.SIGKILL),
    ],
)
def test_stronger_signals_follow_the_deadline(
    ignored: tuple[str, ...], patience: tuple[float, float], code: int
) -> None:
    stream = spawn.Stream(python(IGNORES, *ignored), seconds=1, patience=patience)
    assert list(stream.lines())[:1] == ["ready"]
    assert stream.is_late
    assert stream.wait() == code


def test_stronger_signals_follow_an_ignored_interrupt() -> None:
    stream = spawn.Stream(python(IGNORES, "SIGINT"), patience=(0.2, 60))
    lines = stream.lines()
    with stream.taking_signals():
        assert next(lines) == "ready"
        os.kill(os.getpid(), signal.SIGTERM)
        assert list(lines) == []
        assert stream.wait() == 128 + signal.SIGTERM
    assert not stream.is_late


def test_an_endless_line_is_cut() -> None:
    stream = spawn.Stream(python("print('a' * 5_000_000); print('b')"))
    assert list(stream.lines()) == ["a" * spawn.STREAM_LINE_LIMIT + "...", "b"]
    assert stream.wait() == 0


def test_a_missing_program_of_a_stream_is_named() -> None:
    for begin in (spawn.start, spawn.Stream):
        with pytest.raises(spawn.CommandNotFound, match="no-such-program is not installed"):
            begin(["no-such-program"])


@pytest.mark.parametrize("ignored", [(), ("SIGTERM",)], ids=["obedient", "stubborn"])
def test_a_stream_and_its_children_end_with_us_even_if_we_are_killed(
    tmp_path: Path, ignored: tuple[str, ...]
) -> None:
    note = tmp_path / "child"
    program = """
import sys
from dartsctl import spawn
for line in spawn.Stream([sys.executable, "-S", "-c", *sys.argv[1:]]).lines(): pass
"""
    family = f"""
import signal
for name in {ignored!r}: signal.signal(getattr(signal, name), signal.SIG_IGN)
{FAMILY}
"""
    process = subprocess.Popen([sys.executable, "-c", program, family, str(note)])
    until(note.exists, "the child runs")
    child = int(note.read_text())
    process.kill()
    process.wait()
    until(lambda: not is_alive(child), "the child is gone")


@pytest.mark.parametrize("closed", [(0,), (1,), (0, 1, 2)])
def test_a_stream_needs_none_of_our_standard_descriptors(
    tmp_path: Path, closed: tuple[int, ...]
) -> None:
    program = """
import os, sys
from dartsctl import spawn
for number in map(int, sys.argv[2:]): os.close(number)
stream = spawn.Stream(["/bin/sh", "-c", "sleep 0.1; echo out; exit 3"])
lines = list(stream.lines())
with open(sys.argv[1], "w") as file: print(lines, stream.wait(), file=file)
"""
    place = tmp_path / "said"
    argv = [sys.executable, "-c", program, str(place), *map(str, closed)]
    subprocess.run(argv, timeout=60, check=True)
    assert place.read_text() == "['out'] 3\n"


@pytest.mark.parametrize("words", [["true", "a\0b"], ["tr\0ue"]])
def test_a_nul_character_in_an_argument_is_an_error(words: list[str]) -> None:
    with pytest.raises(spawn.CommandNotFound, match="contains a NUL character"):
        spawn.run(words, deadline=5)
