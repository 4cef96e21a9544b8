"""A child process without `subprocess`: which descriptors and signals it has, and its code."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dartsctl.system.child import Child


def start(program: str, *arguments: str, inherited: tuple[int, ...] = ()) -> Child:
    argv = (sys.executable, "-I", "-S", "-c", program, *arguments)
    return Child(sys.executable, argv, os.environ, inherited=inherited)


def stdout_of(child: Child) -> str:
    text = b""
    for pipe, chunk in child.output():
        if pipe == child.stdout:
            text += chunk
    child.close()
    return text.decode()


@pytest.fixture
def inheritable() -> Iterator[int]:
    """Return a descriptor that every child inherits, as those of our parent."""
    descriptor = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    yield descriptor
    os.close(descriptor)


SHOW = """
import os, sys
for number in sys.argv[1:]:
    try: os.fstat(int(number))
    except OSError: print(number, "closed")
    else: print(number, "open")
"""


def test_a_descriptor_of_our_parent_is_passed_on_only_where_it_is_meant_to(
    inheritable: int,
) -> None:
    assert stdout_of(start(SHOW, str(inheritable))) == f"{inheritable} closed\n"
    passed = start(SHOW, str(inheritable), inherited=(inheritable,))
    assert stdout_of(passed) == f"{inheritable} open\n"


def test_a_descriptor_of_ours_keeps_its_number() -> None:
    descriptor = os.open(os.devnull, os.O_RDONLY)
    try:
        child = start(SHOW, str(descriptor), inherited=(descriptor,))
        assert stdout_of(child) == f"{descriptor} open\n"
        assert not os.get_inheritable(descriptor)
    finally:
        os.close(descriptor)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_the_signals_that_python_ignores_are_not_ignored_by_a_child() -> None:
    assert signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN
    child = Child("/bin/cat", ("cat", "/proc/self/status"), {})
    lines = stdout_of(child).splitlines()
    ignored = next(int(line.split()[1], 16) for line in lines if line.startswith("SigIgn"))
    assert not ignored & 1 << signal.SIGPIPE - 1


def test_a_child_that_cannot_start_leaves_no_pipe_open() -> None:
    before = set(Path("/dev/fd").iterdir())
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    for room in range(5):
        resource.setrlimit(resource.RLIMIT_NOFILE, (_lowest_closed() + room, usual[1]))
        try:
            with pytest.raises(OSError, match="Too many open files"):
                start("")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, usual)
    assert set(Path("/dev/fd").iterdir()) == before


def _lowest_closed() -> int:
    descriptor = os.dup(0)
    os.close(descriptor)
    return descriptor


IN_A_CHILD = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from dartsctl.system.child import Child
{before}
child = Child("/bin/sh", ("sh", "-c", "cat; echo out; exit 3"), os.environ, stdin=b"in ")
text = b""
for _, chunk in child.output():
    text += chunk
child.close()
with open(sys.argv[2], "w") as file:
    print(text, child.code, file=file)
"""


@pytest.mark.parametrize(
    ("before", "code"),
    [
        ("for number in (0, 1, 2): os.close(number)", 3),
        ("signal.signal(signal.SIGCHLD, signal.SIG_IGN)", 0),  # the kernel throws the code away
    ],
    ids=["standard descriptors closed", "ends of children ignored"],
)
def test_a_child_of_an_unusual_parent_is_like_any_other(
    tmp_path: Path, before: str, code: int
) -> None:
    program = IN_A_CHILD.format(before=before)
    place = tmp_path / "said"
    source = str(Path(__file__).parents[2] / "src")
    subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, source, str(place)], timeout=60, check=True
    )
    assert place.read_text() == f"{b'in out' + bytes([10])!r} {code}\n"
