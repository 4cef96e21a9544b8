"""The guard in real interpreters: what it refuses, what it permits, and that it leaves no trace."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest

from dartsctl.edges.project import guards
from dartsctl.errors import DartsctlError
from dartsctl.system.files import UnsafeFile
from own_ports import free_ports
from tiny_disk import tiny_disk
from two_users import ANN, Victim, as_user, needs_root, public_folder

SOURCE = Path(__file__).parents[3] / "src"
BIND = """
import socket, sys
def bind(port, family=socket.AF_INET, kind=socket.SOCK_STREAM, address="127.0.0.1"):
    with socket.socket(family, kind) as own:
        try:
            own.bind((address, port))
        except OSError as error:
            return f"{type(error).__name__} {error.errno} {error.strerror}"
    return "bound"
"""

RESTLESS = """
import sys
from pathlib import Path
from dartsctl.edges.project import guards
site = Path(sys.argv[1])
print("ready", flush=True)
while True:
    guards.install(site, {80: "nginx"})
    guards.install(site, {81: "nginx"})
    guards.remove(site)
"""

Python = Callable[..., "subprocess.CompletedProcess[str]"]


def free_port() -> int:
    """A free port outside the ephemeral range, so that the kernel gives it to nobody."""
    return free_ports(1)[0]


@pytest.fixture
def port() -> int:
    """A free port in the role of a production port."""
    return free_port()


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A new virtual environment."""
    venv.create(tmp_path / "venv", symlinks=True)
    return tmp_path / "venv"


@pytest.fixture
def site(app: Path) -> Path:
    return next(app.glob("lib/python*/site-packages"))


@pytest.fixture
def python(app: Path, tmp_path: Path) -> Python:
    """Runs its interpreter: `python("-c", ..., NAME=value)`.

    This machine may be a container, so the guard is switched on.
    """

    def run(
        *words: str, environ: dict[str, str] | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        plain = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "DARTSCTL_GUARD"))
        }
        return subprocess.run(
            [app / "bin" / "python", *words],
            cwd=tmp_path,
            env={
                **(plain if environ is None else environ),
                **({"DARTSCTL_GUARD": "on"} if environ is None else {}),
                **variables,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def output_of(done: subprocess.CompletedProcess[str]) -> str:
    """Return what it printed; it must have succeeded, with only the guard's words on stderr."""
    others = [line for line in done.stderr.splitlines() if not line.startswith("dartsctl guard: ")]
    assert (done.returncode, others) == (0, [])
    return done.stdout.strip()


def listing(folder: Path) -> dict[str, str]:
    """Return every file, folder and link, with its content and mode."""
    content: dict[str, str] = {}
    for path in folder.rglob("*"):
        if path.is_symlink():
            text = f"-> {path.readlink()}"
        elif path.is_file():
            text = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            text = "folder"
        content[str(path.relative_to(folder))] = f"{text} {path.lstat().st_mode:o}"
    return content


# --- what it refuses ---------------------------------------------------------------------------


def test_a_production_port_is_refused_with_its_owner_and_both_alternatives(
    python: Python, site: Path, port: int
) -> None:
    guards.install(site, {port: "darts-app"})
    done = python("-c", f"{BIND}print(bind({port}))")
    assert output_of(done) == f"PermissionError 13 {brief(port)}"
    assert done.stderr == (
        f"dartsctl guard: port {port} belongs to production's darts-app; `dartsctl dev` (or "
        "`dartsctl run -- COMMAND`) starts the server on a free port; "
        "DARTSCTL_GUARD=off switches the guard off for one process\n"
    )


def brief(port: int) -> str:
    """Return the text of the exception beside the sentence on stderr."""
    return f"port {port} is reserved for production's darts-app (dartsctl guard)"


def test_the_sentence_is_on_stderr_once_a_port_whatever_the_program_does(
    python: Python, site: Path, port: int
) -> None:
    guards.install(site, {port: "darts-app", port + 1: "nginx"})
    code = f"{BIND}for _ in range(5): bind({port})\nprint(bind({port + 1}))"
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(f"port {port} belongs to") == 1
    assert done.stderr.count(f"port {port + 1} belongs to production's nginx") == 1
    assert "belongs to" not in done.stdout, "stdout is the program's"


@pytest.mark.parametrize(
    "loss",
    ["sys.stderr = None", "sys.stderr.close()", "sys.stderr = open(1, 'r', closefd=False)"],
)
def test_without_stderr_the_exception_has_the_whole_sentence(
    python: Python, site: Path, port: int, loss: str
) -> None:
    guards.install(site, {port: "darts-app"})
    done = python("-c", f"{BIND}\ntry: {loss}\nexcept Exception: pass\nprint(bind({port}))")
    assert done.returncode == 0
    assert done.stdout.startswith(f"PermissionError 13 port {port} belongs to production's")
    assert "DARTSCTL_GUARD=off" in done.stdout


RELOADED = """
import os, socket, sys
from werkzeug._reloader import run_with_reloader

def serve():
    try:
        socket.create_server(("127.0.0.1", {port}))
    except OSError:
        if {how!r} == "exits":
            sys.exit(1)
        if {how!r} == "falls back":
            os._exit(0)
        raise

run_with_reloader(serve)
"""


@pytest.mark.parametrize(("how", "code"), [("raises", 1), ("exits", 1), ("falls back", 0)])
def test_the_parent_of_a_reloader_ends_with_the_refused_child(
    python: Python, site: Path, tmp_path: Path, port: int, how: str, code: int
) -> None:
    """Flask-SocketIO with eventlet binds in a thread of the child, which would wait for ever."""
    guards.install(site, {port: "darts-app"})
    (site / "libraries.pth").write_text(
        "\n".join(entry for entry in sys.path if entry.endswith("site-packages"))
    )
    (tmp_path / "served.py").write_text(RELOADED.format(how=how, port=port))
    done = python("served.py")
    assert done.returncode == code, done.stderr
    assert done.stderr.count("dartsctl guard: ") == 1


def test_it_is_refused_on_every_address_of_both_families(
    python: Python, site: Path, port: int
) -> None:
    guards.install(site, {port: "darts-app"})
    places = [("AF_INET", ""), ("AF_INET", "127.0.0.9"), ("AF_INET6", "::1"), ("AF_INET6", "::")]
    for family, address in places:
        assert "PermissionError 13" in output_of(
            python("-c", f"{BIND}print(bind({port}, socket.{family}, address={address!r}))")
        )


def test_other_ports_udp_and_unix_sockets_are_permitted(
    python: Python, site: Path, port: int
) -> None:
    guards.install(site, {port: "darts-app"})
    code = (
        f"{BIND}print(bind(0), bind({port + 1}), bind({port}, kind=socket.SOCK_DGRAM))\n"
        "socket.socket(socket.AF_UNIX).bind('here')"
    )
    assert output_of(python("-W", "ignore", "-c", code)) == "bound bound bound"


@pytest.mark.parametrize("flags", [("-I",), ("-E",), ("-s", "-OO"), ("-X", "dev"), ("-W", "error")])
def test_no_flag_but_s_escapes_it(
    python: Python, site: Path, port: int, flags: tuple[str, ...]
) -> None:
    guards.install(site, {port: "darts-app"})
    assert "reserved for production's" in output_of(
        python(*flags, "-c", f"{BIND}print(bind({port}))")
    )


def test_children_and_forks_are_refused_too(
    python: Python, site: Path, port: int, tmp_path: Path
) -> None:
    guards.install(site, {port: "darts-app"})
    (tmp_path / "binder.py").write_text(BIND)
    code = f"""
import multiprocessing, os, subprocess, sys
from binder import bind
def tell():
    print(bind({port}), flush=True)
if __name__ == "__main__":
    tell()
    if not os.fork():
        tell()
        os._exit(0)
    os.wait()
    subprocess.run([sys.executable, "-c", "import binder; print(binder.bind({port}))"], check=True)
    worker = multiprocessing.get_context("spawn").Process(target=tell)
    worker.start()
    worker.join()
"""
    (tmp_path / "family.py").write_text(code)
    done = python("family.py")
    lines = output_of(done).splitlines()
    assert done.stderr.count("dartsctl guard: ") == 1, "once for all of them"
    assert len(lines) == 4
    assert all(f"port {port} is reserved for" in line for line in lines)


def test_workers_of_a_parent_that_binds_nothing_write_one_sentence(
    python: Python, site: Path, port: int
) -> None:
    """gunicorn --reuse-port starts its workers again and again."""
    guards.install(site, {port: "darts-app"})
    code = f"""{BIND}
import os
for _ in range(3):
    if not os.fork():
        print(bind({port}), flush=True)
        os._exit(0)
    os.wait()
"""
    done = python("-c", code)
    assert output_of(done).splitlines() == [f"PermissionError 13 {brief(port)}"] * 3
    assert done.stderr.count("dartsctl guard: ") == 1


def test_nothing_is_loaded_besides_the_module_itself(python: Python, site: Path, port: int) -> None:
    code = "import sys; print(*sorted(sys.modules))"
    (site / "other.pth").write_text("# Python itself loads a codec for any such file\n")
    before = set(output_of(python("-c", code)).split())
    guards.install(site, {port: "darts-app"})
    assert set(output_of(python("-c", code)).split()) - before == {"_dartsctl_guard"}


def test_every_python_from_3_8_on_can_read_it() -> None:
    for file in guards.FOLDER.rglob("*.py"):
        ast.parse(file.read_text(), feature_version=(3, 8))


# --- switching it off --------------------------------------------------------------------------


def test_off_switches_it_off_for_a_process_even_when_the_app_sets_it(
    python: Python, site: Path, port: int
) -> None:
    guards.install(site, {port: "darts-app"})
    assert output_of(python("-c", f"{BIND}print(bind({port}))", DARTSCTL_GUARD="off")) == "bound"
    assert (
        output_of(
            python(
                "-c", f"{BIND}import os; os.environ['DARTSCTL_GUARD'] = 'OFF'; print(bind({port}))"
            )
        )
        == "bound"
    )


def test_the_variable_works_as_asyncio_spells_it(python: Python, site: Path, port: int) -> None:
    guards.install(site, {port: "darts-app"})
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "DARTSCTL_GUARD"))
    }
    assert (
        output_of(python("-c", f"{BIND}print(bind({port}))", environ=plain, dartsctl_guard="off"))
        == "bound"
    )
    assert (
        output_of(python("-c", f"{BIND}print(bind({port}))", environ=plain, dartsctl_guard="on"))
        != "bound"
    )


def test_dartsctl_itself_may_find_out_whether_the_port_is_free(
    python: Python, site: Path, port: int
) -> None:
    guards.install(site, {port: "darts-app"})
    site.joinpath("libraries.pth").write_text(
        "\n".join([str(SOURCE), *(entry for entry in sys.path if entry.endswith("site-packages"))])
    )
    code = (
        "from dartsctl.edges.host import sockets; from dartsctl.stack.bindings import Endpoint\n"
        f"print(sockets.probe(Endpoint({port}, '127.0.0.1')).name)"
    )
    assert output_of(python("-c", code)) != "FREE"
    assert output_of(python("-c", f"import dartsctl.cli; {code}")) == "FREE"


@pytest.fixture
def module() -> ModuleType:
    """The module itself, without ports: it puts no hook into this process."""
    spec = importlib.util.spec_from_file_location(
        "guard_under_test", guards.FOLDER / "_dartsctl_guard" / "__init__.py"
    )
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    assert not loaded.ACTIVE
    return loaded


@pytest.mark.parametrize(
    ("inside", "files", "variables"),
    [
        (False, {}, {}),
        (True, {"/.dockerenv": b""}, {}),
        (True, {"/run/.containerenv": b""}, {}),
        (True, {"/run/systemd/container": b"systemd-nspawn\n"}, {}),
        (False, {"/run/systemd/container": b"wsl\n"}, {}),
        (True, {}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}),
        (True, {}, {"container": "podman"}),
        (False, {}, {"container": "wsl"}),
    ],
)
def test_a_container_is_recognized_by_its_files_and_variables(
    module: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    inside: bool,
    files: dict[str, bytes],
    variables: dict[str, str],
) -> None:
    # tmp_path is the root folder of the other machine
    for name, content in files.items():
        (tmp_path / name[1:]).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name[1:]).write_bytes(content)
    for name in ("container", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    real = os.path.exists
    monkeypatch.setattr(module.os.path, "exists", lambda path: real(f"{tmp_path}{path}"))
    opened = open  # as the module does
    monkeypatch.setattr(
        module, "open", lambda path, mode: opened(f"{tmp_path}{path}", mode), raising=False
    )
    assert module._in_container() is inside


def test_in_a_container_it_does_nothing_unless_it_is_switched_on(
    python: Python, site: Path, port: int
) -> None:
    guards.install(site, {port: "darts-app"})
    assert (
        output_of(
            python(
                "-c",
                f"{BIND}print(bind({port}))",
                DARTSCTL_GUARD="",
                KUBERNETES_SERVICE_HOST="10.0.0.1",
            )
        )
        == "bound"
    )
    assert "PermissionError" in output_of(
        python(
            "-c",
            f"{BIND}print(bind({port}))",
            DARTSCTL_GUARD="on",
            KUBERNETES_SERVICE_HOST="10.0.0.1",
        )
    )


# --- it stays silent ---------------------------------------------------------------------------


def test_its_own_errors_are_silent(python: Python, site: Path, port: int) -> None:
    guards.install(site, {port: "darts-app"})
    code = (
        "import sys\n"
        "for words in [(), (None,), (None, None), (3, ('', [])), (object(), ('', PORT))]:\n"
        "    sys.audit('socket.bind', *words)"
    )
    assert output_of(python("-X", "dev", "-c", code.replace("PORT", str(port)))) == ""


@pytest.mark.parametrize("ports", ["no number=x", "=", "5000", ",,,"])
def test_broken_variables_are_silent(python: Python, site: Path, port: int, ports: str) -> None:
    guards.install(site, {port: "darts-app"})
    assert output_of(python("-c", "pass", DARTSCTL_GUARD_PORTS=ports)) == ""


@pytest.mark.parametrize("text", [None, "", "syntax error(", "raise RuntimeError", "\0"])
def test_a_damaged_or_missing_module_is_silent(
    python: Python, site: Path, port: int, text: str | None
) -> None:
    guards.install(site, {port: "darts-app"})
    if text is None:
        shutil.rmtree(site / "_dartsctl_guard")
    else:
        (site / "_dartsctl_guard" / "__init__.py").write_text(text)
    assert output_of(python("-c", "pass")) == ""


def test_loading_it_twice_changes_nothing(python: Python, site: Path, port: int) -> None:
    guards.install(site, {port: "darts-app"})
    code = (
        f"import importlib, site, sys; site.addsitedir({str(site)!r})\n"
        "importlib.reload(sys.modules['_dartsctl_guard'])"
    )
    assert output_of(python("-c", f"{BIND}{code}\nprint(bind({port}), bind({port + 1}))")).endswith(
        " bound"
    )


# --- install and remove ------------------------------------------------------------------------


def test_remove_leaves_the_virtual_environment_byte_for_byte_as_it_was(
    python: Python, app: Path, site: Path, port: int
) -> None:
    before = listing(app)
    guards.install(site, {port: "darts-app"})
    output_of(python("-c", "import json"))
    assert any("_dartsctl_guard/__pycache__" in name for name in listing(app)), (
        "its bytecode is a part of what has to go"
    )
    guards.install(site, {port: "darts-app", port + 1: "nginx"})
    output_of(python("-c", "import json"))
    assert guards.remove(site)
    output_of(python("-c", "import json"))
    assert listing(app) == before
    assert not guards.remove(site)


def test_installing_again_writes_nothing_where_nothing_has_changed(site: Path, port: int) -> None:
    assert guards.install(site, {port: "darts-app", 80: "nginx"})
    before = {path: path.stat().st_mtime_ns for path in site.rglob("*")}
    assert not guards.install(site, {80: "nginx", port: "darts-app"})
    assert {path: path.stat().st_mtime_ns for path in site.rglob("*")} == before


def test_a_changed_list_applies_to_the_next_start_even_within_the_same_second(
    python: Python, site: Path, port: int
) -> None:
    """Python trusts its byte code where the second and size of the source are the same."""
    for turn in range(4):
        own = port + turn % 2
        assert guards.install(site, {own: "darts-app"})
        answers = output_of(
            python("-c", f"{BIND}print(bind({own}).split()[0], bind({port + 1 - turn % 2}))")
        )
        assert answers == "PermissionError bound"


def test_an_installed_guard_can_be_read(site: Path, port: int) -> None:
    assert guards.read(site) is None
    assert not guards.is_installed(site)
    guards.install(site, {port: 'a "strange"\nnäme', 80: "nginx"})
    guard = guards.read(site)
    assert guard is not None
    assert (dict(guard.ports), guard.current) == ({80: "nginx", port: 'a "strange"\nnäme'}, True)
    assert guards.is_installed(site)


def test_an_older_module_is_outdated_and_is_updated(site: Path, port: int) -> None:
    guards.install(site, {port: "darts-app"})
    module = site / "_dartsctl_guard" / "__init__.py"
    module.write_text(
        module.read_text()
        .replace("VERSION = 3", "VERSION = 1")
        .replace("import sys", "import sys, os")
    )
    guard = guards.read(site)
    assert guard is not None
    assert (guard.version, guard.current, guard.damaged, dict(guard.ports)) == (
        1,
        False,
        False,
        {port: "darts-app"},
    )
    module.write_text(module.read_text().partition("\n")[0])
    guard = guards.read(site)
    assert guard is not None
    assert not guard.current
    assert guards.install(site, {port: "darts-app"})
    assert guards.read(site) == guards.Guard({port: "darts-app"}, 3, current=True, damaged=False)


def test_an_interpreter_that_starts_meanwhile_is_not_disturbed(
    python: Python, site: Path, port: int
) -> None:
    environ = {**os.environ, "PYTHONPATH": str(SOURCE)}
    with subprocess.Popen(
        [sys.executable, "-c", RESTLESS, site], stdout=subprocess.PIPE, text=True, env=environ
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        try:
            for _ in range(40):
                assert output_of(python("-c", "pass")) == ""
            assert worker.poll() is None, (
                "an interpreter that writes bytecode must not stop a removal"
            )
        finally:
            worker.kill()


def test_installs_at_the_same_time_do_no_harm(python: Python, site: Path, port: int) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom dartsctl.edges.project import guards\n"
        f"owners = {{{port}: 'darts-app', int(sys.argv[2]): 'nginx'}}\n"
        "sys.stdin.read()\n"
        "for _ in range(30): guards.install(Path(sys.argv[1]), owners)"
    )
    environ = {**os.environ, "PYTHONPATH": str(SOURCE)}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", code, site, str(80 + n)], stdin=subprocess.PIPE, env=environ
        )
        for n in range(4)
    ]
    for worker in workers:
        worker.communicate(timeout=60)
    assert [worker.returncode for worker in workers] == [0] * 4
    assert sorted(path.name for path in site.iterdir()) == ["_dartsctl_guard", "dartsctl_guard.pth"]
    assert [path.name for path in (site / "_dartsctl_guard").iterdir()] == ["__init__.py"]
    assert "reserved for production's darts-app" in output_of(
        python("-c", f"{BIND}print(bind({port}))")
    )


def _file(site: Path) -> Path:
    (site / "dartsctl_guard.pth").write_text("/somewhere\n")
    return site / "dartsctl_guard.pth"


def _folder(site: Path) -> Path:
    (site / "_dartsctl_guard").mkdir()
    (site / "_dartsctl_guard" / "__init__.py").write_text('"""Of somebody else."""\n')
    return site / "_dartsctl_guard"


def _link(site: Path) -> Path:
    elsewhere = site.parent / "another"
    elsewhere.mkdir()
    guards.install(elsewhere, {80: "nginx"})
    (site / "_dartsctl_guard").symlink_to(elsewhere / "_dartsctl_guard")
    return site / "_dartsctl_guard"


@pytest.mark.parametrize("make", [_file, _folder, _link])
def test_files_of_somebody_else_are_never_changed(
    site: Path, port: int, make: Callable[[Path], Path]
) -> None:
    theirs = make(site)
    before = listing(site)
    with pytest.raises(DartsctlError, match="dartsctl did not create this file") as refused:
        guards.install(site, {port: "darts-app"})
    with pytest.raises(DartsctlError, match="dartsctl did not create this file"):
        guards.remove(site)
    assert str(theirs) in refused.value.message
    assert listing(site) == before
    assert guards.read(site) is None


def test_a_folder_with_only_byte_code_is_reused(site: Path, port: int) -> None:
    (site / "_dartsctl_guard" / "__pycache__").mkdir(parents=True)
    assert guards.install(site, {port: "darts-app"})
    assert guards.remove(site)
    assert list(site.iterdir()) == []


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder in which this process may not write.

    As root it becomes another user for that, who must still be able to read the source.
    """
    folder = Path(tempfile.mkdtemp(prefix="dartsctl-test-"))
    folder.chmod(0o555)
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65534)
    try:
        if not os.access(guards.__file__, os.R_OK, effective_ids=True):
            pytest.skip("this checkout is readable only by its owner")
        yield folder
    finally:
        if was_root:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_an_unwritable_virtual_environment_is_reported_with_an_alternative(
    closed: Path, port: int
) -> None:
    with pytest.raises(DartsctlError, match=r"^cannot change .* Permission denied") as caught:
        guards.install(closed, {port: "darts-app"})
    assert "--venv" in caught.value.hint
    assert list(closed.iterdir()) == []
    assert not guards.remove(closed), "where there is none, nothing has to be written"


@needs_root
@pytest.mark.parametrize("kilobytes", [4, 8])
def test_an_install_on_a_full_disk_leaves_nothing(
    tmp_path: Path, port: int, kilobytes: int
) -> None:
    """With 8 KB there is room for the module, and none for the .pth."""
    with tiny_disk(tmp_path, kilobytes=kilobytes):
        with pytest.raises(DartsctlError, match=r"^cannot change .*: No space left on device"):
            guards.install(tmp_path, {port: "darts-app"})
        assert list(tmp_path.iterdir()) == []


# --- a damaged guard ---------------------------------------------------------------------------


def half_a_pth(site: Path) -> None:
    pth = site / "dartsctl_guard.pth"
    pth.write_text(pth.read_text()[:20])


def a_lost_pth(site: Path) -> None:
    (site / "dartsctl_guard.pth").write_bytes(b"\0" * 128)


def no_pth(site: Path) -> None:
    (site / "dartsctl_guard.pth").unlink()


def a_folder_for_a_pth(site: Path) -> None:
    no_pth(site)
    (site / "dartsctl_guard.pth").mkdir()
    (site / "dartsctl_guard.pth" / "file").write_text("")


def an_edited_pth(site: Path) -> None:
    (site / "dartsctl_guard.pth").write_text("import os\n")


def half_a_module(site: Path) -> None:
    module = site / "_dartsctl_guard" / "__init__.py"
    module.write_text(module.read_text()[:10])


def an_empty_module(site: Path) -> None:
    (site / "_dartsctl_guard" / "__init__.py").write_text("")


def an_edited_module(site: Path) -> None:
    module = site / "_dartsctl_guard" / "__init__.py"
    module.write_text(module.read_text().replace("import sys", "import sys  # edited"))


def a_deeply_nested_module(site: Path) -> None:
    module = site / "_dartsctl_guard" / "__init__.py"
    module.write_text(
        module.read_text().replace(
            'PORTS: "dict[int, str]" = {', 'PORTS: "dict[int, str]" = ' + "[" * 100_000
        )
    )


def a_huge_module(site: Path) -> None:
    (site / "_dartsctl_guard" / "__init__.py").write_bytes(b"x" * (10 << 20))


def no_module(site: Path) -> None:
    (site / "_dartsctl_guard" / "__init__.py").unlink()


def a_folder_for_a_module(site: Path) -> None:
    no_module(site)
    (site / "_dartsctl_guard" / "__init__.py").mkdir()


def a_pipe_for_a_module(site: Path) -> None:
    no_module(site)
    os.mkfifo(site / "_dartsctl_guard" / "__init__.py")


def a_file_for_a_package(site: Path) -> None:
    shutil.rmtree(site / "_dartsctl_guard")
    (site / "_dartsctl_guard").write_text("")


def half_of_both(site: Path) -> None:
    half_a_pth(site)
    half_a_module(site)


DAMAGES = [
    half_a_pth,
    a_lost_pth,
    no_pth,
    a_folder_for_a_pth,
    an_edited_pth,
    half_a_module,
    an_empty_module,
    an_edited_module,
    a_deeply_nested_module,
    a_huge_module,
    no_module,
    a_folder_for_a_module,
    a_pipe_for_a_module,
    a_file_for_a_package,
    half_of_both,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_guard_is_reported_and_repaired_by_install_and_by_remove(
    site: Path, port: int, damage: Callable[[Path], None]
) -> None:
    owners = {port: "darts-app"}
    guards.install(site, owners)
    whole = listing(site)
    for repair in (guards.install, lambda site, _owners: guards.remove(site)):
        guards.install(site, owners)
        damage(site)
        guard = guards.read(site)
        assert guard is not None
        assert guard.damaged
        assert repair(site, owners)
        assert listing(site) == (whole if repair is guards.install else {})


# --- other users of the host -------------------------------------------------------------------


@pytest.fixture
def anns(sudo: None) -> Iterator[Path]:
    """The packages of another user's, who has called sudo."""
    with public_folder(ANN) as folder:
        yield folder


def actions(site: Path, port: int) -> list[Callable[[], bool]]:
    return [lambda: guards.install(site, {port: "darts-app"}), lambda: guards.remove(site)]


@needs_root
def test_under_sudo_the_files_belong_to_the_owner_of_the_virtual_environment(
    anns: Path, port: int
) -> None:
    guards.install(anns, {port: "darts-app"})
    assert {path.stat().st_uid for path in anns.rglob("*")} == {ANN}


@needs_root
@pytest.mark.parametrize(
    "name", ["dartsctl_guard.pth", "_dartsctl_guard", "_dartsctl_guard/__init__.py", "temporary"]
)
def test_root_under_sudo_follows_no_link_of_the_caller(
    anns: Path, port: int, tmp_path: Path, name: str
) -> None:
    victim = Victim.at(tmp_path / "victim")

    def plant() -> None:
        if name == "temporary":  # the names that were once used
            for pid in (os.getpid(), os.getppid()):
                (anns / f".dartsctl_guard.pth.{pid}.tmp").symlink_to(victim.path)
            return
        (anns / name).parent.mkdir(exist_ok=True)
        (anns / name).symlink_to(victim.path.parent if name == "_dartsctl_guard" else victim.path)

    as_user(ANN, plant)
    before = listing(tmp_path)
    for act in actions(anns, port):
        with suppress(DartsctlError):
            act()
    assert victim.is_untouched()
    assert listing(tmp_path) == before


@needs_root
def test_root_changes_no_virtual_environment_of_a_user_who_has_not_called_sudo(
    anns: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUDO_UID")
    for act in actions(anns, port):
        with pytest.raises(UnsafeFile, match="belongs to another user"):
            act()
    assert list(anns.iterdir()) == []


def test_others_can_read_it_whatever_the_umask(site: Path, port: int) -> None:
    before = os.umask(0o077)
    try:
        guards.install(site, {port: "darts-app"})
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in site.rglob("*") if path.is_file()} == {0o644}
    assert (site / "_dartsctl_guard").stat().st_mode & 0o777 == 0o755


def test_whether_it_is_active_is_decided_without_executing_anything(
    app: Path, site: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    guards.install(site, {port: "darts-app"})
    python = app / "bin" / "python"
    python.unlink()
    python.write_text(f"#!/bin/sh\ntouch {app}/executed\n")
    python.chmod(0o755)
    for wish, active in (("on", True), ("off", False)):
        monkeypatch.setenv("DARTSCTL_GUARD", wish)
        assert guards.would_be_active(python, site) is active
    assert not (app / "executed").exists()
    monkeypatch.setenv("DARTSCTL_GUARD", "on")
    assert not guards.would_be_active(app / "bin" / "no-python", site)
    assert not guards.would_be_active(python, app / "lib" / "python3.7" / "site-packages")


@pytest.mark.parametrize(
    "variables",
    [{"DARTSCTL_GUARD": "on"}, {"DARTSCTL_GUARD": "off"}, {"KUBERNETES_SERVICE_HOST": "here"}],
)
def test_the_decision_is_that_of_the_interpreter(
    app: Path,
    site: Path,
    port: int,
    python: Python,
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guards.install(site, {port: "darts-app"})
    plain = {"PATH": os.environ["PATH"], **variables}
    is_active = (
        output_of(
            python("-c", "import _dartsctl_guard; print(_dartsctl_guard.ACTIVE)", environ=plain)
        )
        == "True"
    )
    monkeypatch.delenv("DARTSCTL_GUARD", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert guards.would_be_active(app / "bin" / "python", site) is is_active


# --- in a server's environment -----------------------------------------------------------------


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return tmp_path / "report"


def server(port: int, report: Path, **variables: str) -> dict[str, str]:
    """A server's environment with the guard in it; its leased port is 5021."""
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "DARTSCTL_GUARD"))
    }
    return guards.guarded_environment(
        {**plain, "PORT": "5021", "FLASK_RUN_PORT": "5021", **variables},
        owners={port: "darts-app"},
        leased=5021,
        report=report,
    )


def test_a_refused_server_is_told_its_own_port_and_the_variables(
    python: Python, port: int, report: Path
) -> None:
    done = python("-c", f"{BIND}print(bind({port}))", environ=server(port, report))
    assert output_of(done) == f"PermissionError 13 {brief(port)}"
    assert done.stderr.startswith(
        f"dartsctl guard: port {port} belongs to production's darts-app; "
        "this server's port is 5021 (FLASK_RUN_PORT, PORT)"
    )
    assert "off" not in done.stderr, "the other layers would stop it all the same"


def test_a_refused_port_is_reported_once(python: Python, port: int, report: Path) -> None:
    assert guards.read_report(report) == frozenset()
    output_of(
        python(
            "-c",
            f"{BIND}bind({port}), bind({port}), bind({port + 1})",
            environ=server(port, report),
        )
    )
    assert guards.read_report(report) == {port}
    assert re.fullmatch(rf"{port} \d+\n", report.read_text())
    assert report.stat().st_mode & 0o777 == 0o600
    guards.forget_report(report)
    guards.forget_report(report)
    assert not report.exists()


def test_an_unwritable_report_permits_nothing(python: Python, port: int, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for report in (tmp_path / "link", tmp_path / "no" / "folder"):
        assert "PermissionError" in output_of(
            python("-c", f"{BIND}print(bind({port}))", environ=server(port, report))
        )
        assert guards.read_report(report) == frozenset()
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    "make",
    [
        os.mkfifo,
        Path.mkdir,
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.write_text("9" * 6),
    ],
)
def test_a_report_that_is_not_our_file_is_neither_written_nor_waited_for(
    python: Python, port: int, report: Path, make: Callable[[Path], object]
) -> None:
    make(report)
    environ = guards.guarded_environment(
        dict(os.environ), owners={port: "darts-app"}, leased=5001, report=report
    )
    assert "reserved for production's darts-app" in output_of(
        python("-c", f"{BIND}print(bind({port}))", environ=environ)
    )
    assert guards.read_report(report) <= {port}
    guards.forget_report(report)


@needs_root
def test_a_report_of_another_user_is_ignored(report: Path) -> None:
    report.write_text("5000\n")
    os.chown(report, ANN, ANN)
    assert guards.read_report(report) == frozenset()


@pytest.mark.parametrize("text", ["", "x\n\n-3\n5000\n", "5000\n٣\n", "\udcff\n5000\n"])
def test_only_numbers_count_in_a_report(report: Path, text: str) -> None:
    report.write_text(text, errors="surrogateescape")
    assert guards.read_report(report) == ({5000} if "5000" in text else frozenset())


def test_children_inherit_it_and_the_program_does_not_notice_it(
    python: Python, port: int, report: Path, tmp_path: Path
) -> None:
    (tmp_path / "binder.py").write_text(BIND)
    code = (
        f"import subprocess, sys; code = 'import binder; print(binder.bind({port}))'\n"
        "subprocess.run([sys.executable, '-c', code], check=True)"
    )
    assert "reserved for production's" in output_of(
        python("-c", code, environ=server(port, report))
    )
    plain = server(port, report, DARTSCTL_GUARD="off")
    code = "import sys; print(sys.path, 'sitecustomize' in sys.modules)"
    assert output_of(python("-c", code, environ=server(port, report))) == output_of(
        python("-c", code, environ=plain)
    )


def test_off_leaves_the_environment_unchanged(port: int, report: Path) -> None:
    environ = {"DARTSCTL_GUARD": "off", "PYTHONPATH": "/x", "PATH": "/bin"}
    assert (
        guards.guarded_environment(environ, owners={port: "darts-app"}, leased=5021, report=report)
        == environ
    )


def test_containers_do_not_matter_to_a_server_of_dartsctl(
    python: Python, port: int, report: Path
) -> None:
    assert "PermissionError" in output_of(
        python(
            "-c",
            f"{BIND}print(bind({port}))",
            environ=server(port, report, KUBERNETES_SERVICE_HOST="10.0.0.1"),
        )
    )


def test_an_existing_pythonpath_is_kept_and_a_nested_server_gets_the_guard_once(
    port: int, report: Path
) -> None:
    once = server(port, report, PYTHONPATH=f"/x{os.pathsep}/y")
    assert once["PYTHONPATH"].split(os.pathsep) == [str(guards.FOLDER), "/x", "/y"]
    assert (
        guards.guarded_environment(once, owners={port: "darts-app"}, leased=5022, report=report)[
            "PYTHONPATH"
        ]
        == once["PYTHONPATH"]
    )
    assert server(port, report, PYTHONPATH="")["PYTHONPATH"] == str(guards.FOLDER), (
        "an empty entry would be the working folder"
    )


def test_a_service_may_have_any_name(python: Python, port: int, report: Path) -> None:
    environ = guards.guarded_environment(
        dict(os.environ), owners={port: "the, app=\n\0ä", port + 1: "b"}, leased=5021, report=report
    )
    answers = output_of(
        python(
            "-c",
            f"{BIND}print(bind({port}))\nprint(bind({port + 1}))",
            environ=environ,
            PYTHONUTF8="1",
        )
    ).splitlines()
    assert "production's the  app=  ä (" in answers[0]
    assert "production's b (" in answers[1]


def test_in_a_guarded_virtual_environment_the_servers_own_list_counts(
    python: Python, site: Path, port: int, report: Path
) -> None:
    guards.install(site, {port: "old-name", port + 1: "nginx"})
    done = python("-c", f"{BIND}print(bind({port}))", environ=server(port, report))
    assert output_of(done) == f"PermissionError 13 {brief(port)}"
    assert "production's darts-app; this server's port is 5021" in done.stderr


def test_isolated_from_pythonpath_both_lists_count(
    python: Python, site: Path, port: int, report: Path
) -> None:
    guards.install(site, {port: "old-name", port + 1: "nginx"})
    answers = output_of(
        python(
            "-I",
            "-c",
            f"{BIND}print(bind({port}))\nprint(bind({port + 1}))",
            environ=server(port, report),
        )
    ).splitlines()
    assert "production's darts-app (" in answers[0]
    assert "production's nginx (" in answers[1]
    assert guards.read_report(report) == {port, port + 1}


HIDDEN = {
    "runs": "import sys; print('hidden', __name__, __file__); sys.hidden = True",
    "fails": "print('hidden'); raise RuntimeError('its own')",
    "needs what is not there": "print('hidden'); import not_there_at_all",
    "imports itself": "print('hidden'); import sitecustomize",
}


@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN)
def test_a_shadowed_sitecustomize_runs_once_with_its_own_errors(
    python: Python, port: int, report: Path, tmp_path: Path, text: str
) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(text)
    code = (
        "import sys; module = sys.modules.get('sitecustomize')\n"
        "print(getattr(sys, 'hidden', False), getattr(module, '__file__', None), sys.path)"
    )
    with_guard = python("-c", code, environ=server(port, report, PYTHONPATH=str(folder)))
    without = python(
        "-c", code, environ=server(port, report, PYTHONPATH=str(folder), DARTSCTL_GUARD="off")
    )
    assert with_guard.stdout.count("hidden") == 1
    assert (with_guard.stdout, with_guard.stderr, with_guard.returncode) == (
        without.stdout,
        without.stderr,
        without.returncode,
    )
