"""Ports that the kernel closes to a server's tree: each layer alone, against real programs."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from dartsctl.edges.supervisor.client import LAYERS, SupervisedServer
from dartsctl.edges.supervisor.main import MOST_BINDS
from own_ports import free_ports

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="layers of Linux's kernel")

SOURCE = Path(__file__).parents[3] / "src"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
ROOTS = CACHE / "dartsctl-tests" / "roots"
"""Written by tests/engine/images.sh."""

BIND = """
import socket, sys
def bind(port, address="127.0.0.1", family=socket.AF_INET, kind=socket.SOCK_STREAM, protocol=0):
    with socket.socket(family, kind, protocol) as trial:
        try:
            trial.bind((address, port))
        except OSError as error:
            return error.strerror
    return "bound"
closed, allowed = int(sys.argv[1]), int(sys.argv[2])
"""
PYTHON = BIND + "print(bind(closed), bind(allowed), sep=', ')"
PERL = """
for my $port (@ARGV) {
    my $server = IO::Socket::INET->new(
        LocalAddr => "127.0.0.1", LocalPort => $port, Proto => "tcp", Listen => 5
    );
    print $server ? "bound" : "$!", $port == $ARGV[0] ? ", " : "\\n";
}
"""
NODE = """
const [closed, allowed] = process.argv.slice(1).map(Number), net = require("net"), results = [];
const bind = (port, then) => {
    const add = (result) => { results.push(result); then(); };
    const server = net.createServer().on("error", (error) => add(error.code));
    server.listen(port, "127.0.0.1", () => server.close(() => add("bound")));
};
const print = () => console.log(results.join(", ").replace("EACCES", "Permission denied"));
bind(closed, () => bind(allowed, print));
"""
PROGRAMS: dict[str, Sequence[str]] = {
    "python": (sys.executable, "-c", PYTHON),
    "python -S": (sys.executable, "-S", "-c", PYTHON),
    "python -I": (sys.executable, "-I", "-c", PYTHON),
    "perl": ("perl", "-MIO::Socket::INET", "-e", PERL),  # in every Debian: never skipped there
    "node": ("node", "-e", NODE),
}
OLD_KERNEL = """
import ctypes, os, struct, sys
refused = {int(number) for number in sys.argv.pop(1).split(",")}
libc = ctypes.CDLL(None)
rows = [(0x20, 0, 0, 0)]
for number in refused:
    rows += [(0x15, 0, 1, number), (0x06, 0, 0, 0x00050000 | 38)]
rows.append((0x06, 0, 0, 0x7FFF0000))
code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *row) for row in rows))
libc.prctl(38, 1, 0, 0, 0)
assert libc.prctl(22, 2, struct.pack("@HP", len(rows), ctypes.addressof(code)), 0, 0) == 0
"""
"""Makes some system calls fail with ENOSYS, as on a kernel without them."""
SUPERVISE = """
import os, sys
from dartsctl.edges.supervisor.client import SupervisedServer
closed, *command = sys.argv[1:]
options = {"environment": os.environ, "descriptors": [], "closed_ports": [int(closed)]}
with SupervisedServer(command, directory="/", **options) as server:
    server.begin()
    while server.wait(None) is None:
        continue
    print(",".join(sorted(server.confined)) or "nothing", server.code)
"""

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def kernel_has(layer: str) -> bool:
    """Return whether this kernel has the layer, determined in another way than in the code."""
    if layer == "landlock":
        return int(ctypes.CDLL(None).syscall(444, None, 0, 1)) >= 4
    major, minor = platform.release().split(".")[:2]
    return platform.machine() in ("x86_64", "aarch64") and (int(major), int(minor)) >= (5, 5)


@pytest.fixture(params=LAYERS)
def layer(request: pytest.FixtureRequest) -> str:
    """Return each layer. The other one is off."""
    name = str(request.param)
    if not kernel_has(name):
        pytest.skip(f"this kernel, {platform.release()}, has no {name} for ports")
    return name


@pytest.fixture
def seccomp() -> str:
    if not kernel_has("seccomp"):
        pytest.skip(f"no seccomp listener on {platform.machine()}, Linux {platform.release()}")
    return "seccomp"


@pytest.fixture
def ports() -> tuple[int, int]:
    """Return two free ports in a row: one to be closed, one to stay open."""
    closed, allowed = free_ports(2)
    return closed, allowed


@dataclass(frozen=True)
class Ran:
    code: int | None
    output: str
    confined: set[str]
    refused: set[int]
    tried: dict[int, str]


Run = Callable[..., Ran]


@pytest.fixture
def run(ports: tuple[int, int], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command under a supervisor to its end.

    The two ports become its last arguments.
    """

    def begin(*command: str, layers: Sequence[str] = LAYERS, **more: object) -> Ran:
        given = {
            "directory": str(tmp_path),
            "environment": os.environ,
            "descriptors": [],
            "closed_ports": [ports[0]],
            **more,
        }
        supervised = SupervisedServer(
            [*command, *map(str, ports)],
            kernel_layers=layers,
            **given,  # type: ignore[arg-type]  # passed on
        )
        with supervised as server:
            server.begin()
            until = time.monotonic() + 60
            while server.wait(max(0.0, until - time.monotonic())) is None:
                if time.monotonic() >= until:
                    break
        output = capfd.readouterr()
        return Ran(
            server.code,
            output.out.strip() + output.err.strip(),
            set(server.confined),
            server.refused,
            server.tried,
        )

    return begin


# --- what is reported ---


BINDS = """
import socket, sys
closed, allowed = map(int, sys.argv[1:])
for family, kind, address, port in [
    (socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1", allowed),
    (socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1", allowed),
    (socket.AF_INET6, socket.SOCK_STREAM, "::1", allowed + 1),
    (socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1", allowed + 2),
    (socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1", 0),
    (socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1", closed),
]:
    try:
        socket.socket(family, kind).bind((address, port))
    except OSError:
        pass
for port in range(20000, 20100):
    try:
        socket.socket().bind(("127.0.0.1", port))
    except OSError:
        pass
"""


@pytest.mark.skipif(not kernel_has("seccomp"), reason="only seccomp sees every bind")
def test_the_tcp_ports_that_a_tree_tries_to_bind_are_reported_once_and_not_without_limit(
    run: Run, ports: tuple[int, int]
) -> None:  # edge-cases.md#65
    ran = run(sys.executable, "-c", BINDS)
    assert ran.tried[ports[1]] == "127.0.0.1"
    assert ran.tried[ports[1] + 1] == "::1"
    assert not ran.tried.keys() & {0, ports[0], ports[1] + 2}
    assert len(ran.tried) == MOST_BINDS
    assert ran.refused == {ports[0]}


# --- what is refused ---


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_closed_port_is_refused_in_every_language_and_its_neighbour_is_not(
    run: Run, layer: str, program: str
) -> None:
    if not shutil.which(PROGRAMS[program][0]):
        pytest.skip(f"{program} is not installed")
    ran = run(*PROGRAMS[program], layers=[layer])
    assert (ran.output, ran.code, ran.confined) == ("Permission denied, bound", 0, {layer})


@pytest.fixture
def busybox(tmp_path: Path) -> str:
    """Return a static program, which has no C library to hook.

    The machine's own, or that of the tests' images.
    """
    if installed := shutil.which("busybox"):
        return installed
    for root in sorted(ROOTS.glob("busybox-*.tar")):
        with tarfile.open(root) as archive, suppress(KeyError):
            member = next(name for name in archive.getnames() if name.endswith("bin/busybox"))
            program = archive.extractfile(member)
            assert program is not None
            path = tmp_path / "busybox"
            path.write_bytes(program.read())
            path.chmod(0o755)
            return str(path)
    pytest.skip("no busybox here, and none in the tests' images (tests/engine/images.sh)")


def test_a_static_program_is_refused_too(
    run: Run, layer: str, busybox: str, ports: tuple[int, int]
) -> None:
    closed, allowed = (
        run("sh", "-c", f"exec {busybox} httpd -p 127.0.0.1:{port}", layers=[layer])
        for port in ports
    )
    assert (closed.code, allowed.code) == (1, 0), closed.output + allowed.output
    assert "Permission denied" in closed.output
    assert (closed.refused, allowed.refused) == ({ports[0]} if layer == "seccomp" else set(), set())


def test_every_address_of_a_closed_port_is_closed_and_nothing_else_is(run: Run, layer: str) -> None:
    program = (
        BIND
        + """
import tempfile
v6, udp = socket.AF_INET6, socket.SOCK_DGRAM
print([bind(closed, ""), bind(closed, "::", v6), bind(closed, "::1", v6)])
others = [bind(0), bind(0, "::", v6), bind(closed, kind=udp), bind(closed, "::", v6, udp)]
print([*others, bind(allowed, "")])
with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as local:
    local.bind(folder + "/a-name-longer-than-an-address-of-ipv6.sock")
listener = socket.create_server(("127.0.0.1", 0))
visitor = socket.create_connection(listener.getsockname())
with socket.socket(type=udp) as sender:
    sender.sendto(b"", ("127.0.0.1", allowed))
print(socket.getaddrinfo("localhost", allowed) != [])
"""
    )
    ran = run(sys.executable, "-c", program, layers=[layer])
    assert ran.output.splitlines() == [str(["Permission denied"] * 3), str(["bound"] * 5), "True"]


def test_all_descendants_and_all_threads_are_held(run: Run, layer: str) -> None:
    program = (
        BIND
        + """
import os, subprocess, threading
thread = threading.Thread(target=lambda: print("thread", bind(closed), flush=True))
thread.start()
thread.join()
while len(os.listdir("/proc/self/task")) > 1:  # Python >= 3.12 warns of a fork beside a thread,
    continue  # and the kernel may still count the one that was joined
here, there = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print("daemon", bind(closed), flush=True)
        os.write(there, b"x")
    os._exit(0)
os.read(here, 1)
subprocess.run([sys.executable, "-c", sys.argv[3], *sys.argv[1:3]], check=True)
"""
    )
    ran = run(
        "sh",
        "-c",
        'exec "$0" -c "$1" "$3" "$4" "$2"',
        sys.executable,
        program,
        PYTHON,
        layers=[layer],
    )
    assert ran.output.splitlines() == [
        "thread Permission denied",
        "daemon Permission denied",
        "Permission denied, bound",
    ]


@pytest.mark.skipif(not hasattr(socket, "IPPROTO_MPTCP"), reason="no MPTCP in this Python")
def test_mptcp_which_landlock_does_not_cover_is_refused_by_seccomp(
    run: Run, seccomp: str, ports: tuple[int, int]
) -> None:
    try:
        socket.socket(proto=socket.IPPROTO_MPTCP).close()
    except OSError as error:
        pytest.skip(f"no MPTCP in this kernel: {error}")
    ran = run(
        sys.executable,
        "-c",
        BIND + "print([bind(port, protocol=socket.IPPROTO_MPTCP) for port in (closed, allowed)])",
        layers=[seccomp],
    )
    assert (ran.output, ran.refused) == (str(["Permission denied", "bound"]), {ports[0]})


def test_without_closed_ports_no_layer_is_applied(run: Run) -> None:
    ran = run("sh", "-c", "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status", closed_ports=[])
    own = [
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith(("NoNewPrivs:", "Seccomp:"))
    ]
    assert (ran.output.splitlines(), ran.confined) == (own, set())


# --- what is reported ---


def test_the_layers_that_the_kernel_has_are_reported(run: Run, ports: tuple[int, int]) -> None:
    ran = run(*PROGRAMS["python"])
    assert ran.confined == {name for name in LAYERS if kernel_has(name)}
    assert ran.refused == ({ports[0]} if "seccomp" in ran.confined else set())


def test_landlock_refuses_without_a_report(run: Run, layer: str, ports: tuple[int, int]) -> None:
    assert run(*PROGRAMS["python"], layers=[layer]).refused == (
        {ports[0]} if layer == "seccomp" else set()
    )


def test_a_refusal_ends_the_wait(tmp_path: Path, ports: tuple[int, int], seccomp: str) -> None:
    program = BIND + "bind(closed); import time; time.sleep(60)"
    command = [sys.executable, "-c", program, *map(str, ports)]
    with SupervisedServer(
        command,
        directory=str(tmp_path),
        environment=os.environ,
        descriptors=[],
        closed_ports=ports[:1],
    ) as server:
        server.begin()
        started = time.monotonic()
        while not server.refused:
            assert server.wait(30) is None
        assert time.monotonic() - started < 25
        server.end_quickly()
    assert server.refused == {ports[0]}


def test_a_thousand_binds_are_answered(run: Run, seccomp: str, ports: tuple[int, int]) -> None:
    program = BIND + "print({bind(0) for _ in range(1000)}, {bind(closed) for _ in range(1000)})"
    ran = run(sys.executable, "-c", program, layers=[seccomp])
    assert (ran.output, ran.refused) == ("{'bound'} {'Permission denied'}", {ports[0]})


def test_binds_that_signals_interrupt_are_answered(run: Run, seccomp: str) -> None:
    """With handlers that restart system calls, which is the default.

    Otherwise a signal in the first microseconds ends a bind with EINTR.
    """
    program = BIND + (
        "import signal, threading\n"
        "signal.signal(signal.SIGALRM, lambda *_: None)\n"
        "signal.siginterrupt(signal.SIGALRM, False)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)\n"
        "loop = lambda: [bind(0) for _ in range(300)]\n"
        "threads = [threading.Thread(target=loop) for _ in range(3)]\n"
        "for thread in threads: thread.start()\n"
        "print({bind(0) for _ in range(300)}, {bind(closed) for _ in range(300)})\n"
        "signal.setitimer(signal.ITIMER_REAL, 0)\n"
    )
    assert (
        run(sys.executable, "-c", program, layers=[seccomp]).output
        == "{'bound'} {'Permission denied'}"
    )


@pytest.mark.skipif(
    os.getuid() != 0,
    reason="only root can become nobody, who may not read an undumpable program",
)
def test_an_unreadable_program_is_not_refused_by_seccomp_and_does_not_hang(
    ports: tuple[int, int], seccomp: str
) -> None:
    candidates = (sys.executable, "/usr/bin/python3")
    python = next((program for program in candidates if _nobody_runs(program)), None)
    if python is None:
        pytest.skip(f"nobody may not run {sys.executable}")
    program = "import ctypes; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)" + PYTHON  # PR_SET_DUMPABLE
    supervise = SUPERVISE.replace("**options", "kernel_layers=['seccomp'], **options")
    output = supervised_output(
        supervise, python, "-I", "-c", program, ports=ports, prefix=(*NOBODY, python)
    )
    assert output == ["bound, bound", "seccomp 0"]


def _nobody_runs(python: str) -> bool:
    """Return whether nobody may execute this Python and read our source.

    Through a shell: setpriv itself still has root's capabilities when it executes a program.
    """
    program = "import sys; sys.path.append(sys.argv[1]); import dartsctl.edges.supervisor.client"
    command = [*NOBODY, "sh", "-c", '"$0" "$@"', python, "-c", program, str(SOURCE)]
    done = subprocess.run(command, cwd="/", capture_output=True, check=False)
    return done.returncode == 0


def supervised_output(
    script: str,
    *command: str,
    ports: tuple[int, int],
    prefix: Sequence[str] = (sys.executable,),
    old: str = "",
) -> list[str]:
    """Return the output lines of a separate process that supervises `command`."""
    arguments = [*([old] if old else []), str(ports[0]), *command, *map(str, ports)]
    done = subprocess.run(
        [*prefix, "-c", script, *arguments],
        env={
            **os.environ,
            "PYTHONPATH": str(SOURCE),
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("missing", "left"), [("444", {"seccomp"}), ("seccomp", {"landlock"}), ("444,seccomp", set())]
)
def test_the_server_runs_without_a_layer_that_the_kernel_lacks(
    ports: tuple[int, int], missing: str, left: set[str]
) -> None:
    number = {"x86_64": "317", "aarch64": "277"}.get(platform.machine())
    if number is None or not Path("/proc/sys/kernel/seccomp").exists():
        pytest.skip("no seccomp to simulate an older kernel with")
    old = missing.replace("seccomp", number)
    *output, last = supervised_output(
        OLD_KERNEL + SUPERVISE, *PROGRAMS["python -I"], ports=ports, old=old
    )
    expected = {name for name in left if kernel_has(name)}
    assert last == f"{','.join(expected) or 'nothing'} 0"
    assert output == ["Permission denied, bound" if expected else "bound, bound"]


def test_a_server_within_a_server_is_held_by_the_outer_one(
    run: Run, seccomp: str, ports: tuple[int, int]
) -> None:
    """The kernel gives a process only one listener. The second request fails with EBUSY."""
    inner = (
        "env",
        f"PYTHONPATH={SOURCE}",
        "PYTHONUNBUFFERED=1",
        sys.executable,
        "-c",
        SUPERVISE,
        str(ports[0]),
        *PROGRAMS["python -I"],
    )
    ran = run(*inner, layers=[seccomp])
    assert ran.output.splitlines() == [
        "Permission denied, bound",
        "landlock 0" if kernel_has("landlock") else "nothing 0",
    ]
    assert ran.refused == {ports[0]}


def test_binds_of_a_process_that_outlives_the_server_are_answered(
    run: Run, seccomp: str, ports: tuple[int, int]
) -> None:
    program = (
        BIND
        + """
import os, signal
here, there = os.pipe()
if os.fork() == 0:
    def bind_and_exit(*_):
        print(bind(closed), bind(allowed), flush=True)
        os._exit(0)
    signal.signal(signal.SIGTERM, bind_and_exit)
    os.write(there, b"x")
    while True:
        signal.pause()
os.read(here, 1)
"""
    )
    ran = run(sys.executable, "-c", program, layers=[seccomp])
    assert (ran.output, ran.refused) == ("Permission denied bound", {ports[0]})


# --- the end ---


def test_sigkill_of_the_supervisor_leaves_no_process_and_opens_no_port(
    tmp_path: Path, ports: tuple[int, int], layer: str
) -> None:
    program = (
        BIND
        + """
import os
parent = os.getppid()
open("ready", "w").write(str(os.getpid()))
while os.getppid() == parent:
    if bind(closed) == "bound":
        open("opened", "w")
"""
    )
    given = {
        "directory": str(tmp_path),
        "environment": os.environ,
        "descriptors": [],
        "closed_ports": ports[:1],
        "kernel_layers": [layer],
    }
    command = [sys.executable, "-c", program, *map(str, ports)]
    with SupervisedServer(command, **given) as server:  # type: ignore[arg-type]  # passed on
        server.begin()
        until = time.monotonic() + 60
        while not (tmp_path / "ready").exists() and time.monotonic() < until:
            server.wait(0.01)
        os.kill(server.supervisor, signal.SIGKILL)
        while server.wait(20) is None and time.monotonic() < until:
            continue
    assert server.code == 137
    while _is_running(server.server) and time.monotonic() < until:
        time.sleep(0.01)
    assert not _is_running(server.server)
    assert not (tmp_path / "opened").exists()


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_supervisor_starts_without_heavy_imports() -> None:
    script = (
        "import sys; sys.path.append(sys.argv[1]);"
        " from dartsctl.edges.supervisor import main as supervisor; print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script, str(SOURCE)],
        capture_output=True,
        text=True,
        check=True,
    )
    heavy = {
        "_socket",
        "ctypes",
        "json",
        "pathlib",
        "re",
        "socket",
        "subprocess",
        "tempfile",
        "threading",
        "typing_extensions",
    }
    assert heavy & set(done.stdout.split()) == set()
