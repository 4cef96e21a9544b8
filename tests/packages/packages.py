"""The wheel and the source distribution, built, installed and used as a user does: `make packages`.

Shells complete after the installation (edge-cases.md#83).

Needs a package registry and the dependency group `packages`, so pytest does not collect this file
by itself.
"""

from __future__ import annotations

import email
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from urllib.request import urlopen

import pexpect
import pytest

from dartsctl import __version__
from own_ports import free_ports
from repository import REPOSITORY, tracked

REQUIRED = os.environ.get("DARTSCTL_REQUIRE_ENGINE") == "1"
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
TOOLS = Path(sys.executable).parent
IGNORED = (
    ".env",
    ".env.production",
    "compose/nginx/certs/server.key",
    "compose/sample/instance/scores.db",
    "src/dartsctl/__pycache__/errors.cpython-311.pyc",
    "src/dartsctl/old.whl",
)
"""Files that .gitignore names and that may lie in the folder where somebody builds."""
SCRIPTS = {"src/dartsctl/": "dartsctl/", "compose/": "dartsctl/templates/compose/"}
TEMPLATES = ("dartsctl.toml", ".env.example", ".env.production.example")


@dataclass(frozen=True)
class Built:
    """What `uv build` made: the wheel of the source distribution, and that of the checkout."""

    sdist: Path
    wheel: Path
    from_checkout: Path

    @property
    def metadata(self) -> Message:
        """Return the wheel's METADATA."""
        with zipfile.ZipFile(self.wheel) as archive:
            name = f"dartsctl-{__version__}.dist-info/METADATA"
            return email.message_from_string(archive.read(name).decode())


def run(*words: str | Path, folder: Path, **variables: str) -> str:
    """Run a program to its end, and return what it printed. It knows nothing of the checkout."""
    done = subprocess.run(
        [*map(str, words)],
        cwd=folder,
        env=outside(folder, **variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def outside(folder: Path, **variables: str) -> dict[str, str]:
    """Return the environment of somebody who has no checkout, with a home of its own."""
    kept = ("DOCKER_", "PIP_", "UV_", "LANG", "HTTP", "http", "no_proxy", "NO_PROXY", "SSL_")
    environ = {name: value for name, value in os.environ.items() if name.startswith(kept)}
    path = [part for part in os.environ["PATH"].split(":") if Path(part) != TOOLS]
    home = {"HOME": str(folder), "DARTSCTL_STATE_DIR": str(folder / ".state")}
    home["DOCKER_CONFIG"] = os.environ.get("DOCKER_CONFIG", str(Path.home() / ".docker"))
    return environ | {"PATH": ":".join(path), "TERM": "xterm"} | home | variables


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    source = tmp_path_factory.mktemp("source")
    for file in tracked():
        copy = source / file.relative_to(REPOSITORY)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, copy)
    for name in IGNORED:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("must not leave this folder\n")
    folder = tmp_path_factory.mktemp("built")
    run(TOOLS / "uv", "build", "--out-dir", folder / "dist", source, folder=folder)
    run(TOOLS / "uv", "build", "--wheel", "--out-dir", folder / "direct", source, folder=folder)
    (sdist,) = (folder / "dist").glob("*.tar.gz")
    (wheel,) = (folder / "dist").glob("*.whl")
    (direct,) = (folder / "direct").glob("*.whl")
    return Built(sdist, wheel, direct)


# --- the files ----------------------------------------------------------------------------------


def test_the_source_distribution_builds_the_same_wheel_as_the_checkout(built: Built) -> None:
    assert built.wheel.read_bytes() == built.from_checkout.read_bytes()


def test_the_wheel_has_the_package_with_its_types_the_templates_and_the_licence_only(
    built: Built,
) -> None:
    expected = {f"dartsctl/templates/{name}" for name in TEMPLATES}
    for file in tracked("src/dartsctl", "compose"):
        name = file.relative_to(REPOSITORY).as_posix()
        for folder, place in SCRIPTS.items():
            if name.startswith(folder):
                expected.add(place + name.removeprefix(folder))
    records = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    expected |= {f"dartsctl-{__version__}.dist-info/{name}" for name in records}
    with zipfile.ZipFile(built.wheel) as archive:
        assert set(archive.namelist()) == expected
    assert {"dartsctl/py.typed", "dartsctl/templates/compose/prod.yml"} <= expected


def test_no_file_that_git_ignores_is_in_the_source_distribution(built: Built) -> None:
    check = ["git", "check-ignore", *IGNORED]
    named = subprocess.run(check, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert tuple(named.stdout.split()) == IGNORED
    known = {file.relative_to(REPOSITORY).as_posix() for file in tracked()} | {"PKG-INFO"}
    with tarfile.open(built.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names - known == set()
    assert {"pyproject.toml", "src/dartsctl/__main__.py", "tests/conftest.py"} <= names


def test_the_metadata_is_that_of_the_project_and_the_description_renders(built: Built) -> None:
    run(TOOLS / "twine", "check", "--strict", built.sdist, built.wheel, folder=built.sdist.parent)
    metadata = built.metadata
    assert metadata["License-Expression"] == PROJECT["license"]
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    every = {re.sub(r"\s", "", text) for text in metadata.get_all("Requires-Dist", [])}
    required = {text for text in every if "extra==" not in text}
    assert set(metadata.get_all("Provides-Extra", [])) == PROJECT["optional-dependencies"].keys()
    declared = {re.split(r"(?=[<>=])", text, maxsplit=1)[0] for text in PROJECT["dependencies"]}
    assert {re.split(r"[<>=]", text)[0] for text in required} == declared
    assert metadata.get_payload() == (REPOSITORY / "README.md").read_text()


# --- installed ----------------------------------------------------------------------------------


def by_pip(wheel: Path, folder: Path) -> Path:
    run(sys.executable, "-m", "venv", folder / "venv", folder=folder)
    pip = (folder / "venv/bin/python", "-m", "pip", "--disable-pip-version-check")
    run(*pip, "install", "--quiet", wheel, folder=folder)
    assert "No broken requirements" in run(*pip, "check", folder=folder)
    return folder / "venv/bin/dartsctl"


def by_pipx(wheel: Path, folder: Path) -> Path:
    places = {"PIPX_HOME": str(folder / "pipx"), "PIPX_BIN_DIR": str(folder / "bin")}
    python = ("--python", sys.executable)
    run(TOOLS / "pipx", "install", *python, wheel, folder=folder, **places)
    return folder / "bin/dartsctl"


def by_uv(wheel: Path, folder: Path) -> Path:
    places = {"UV_TOOL_DIR": str(folder / "tools"), "UV_TOOL_BIN_DIR": str(folder / "bin")}
    python = ("--python", sys.executable)
    run(TOOLS / "uv", "tool", "install", *python, wheel, folder=folder, **places)
    return folder / "bin/dartsctl"


INSTALLERS = {"pip": by_pip, "pipx": by_pipx, "uv tool": by_uv}


@pytest.fixture(scope="session")
def install(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function that installs the wheel in one of the ways, once, and returns the program."""
    programs: dict[str, Path] = {}

    def installed(way: str) -> Path:
        if way not in programs:
            folder = tmp_path_factory.mktemp("installed")
            programs[way] = INSTALLERS[way](built.wheel, folder)
        return programs[way]

    return installed


@pytest.fixture
def program(install: Callable[[str], Path]) -> Path:
    return install("uv tool")


@pytest.mark.parametrize("way", INSTALLERS)
def test_the_installed_program_starts_alone_and_as_a_module(
    way: str, install: Callable[[str], Path], tmp_path: Path
) -> None:
    program = install(way)
    python = program.resolve().read_text().splitlines()[0].removeprefix("#!").split()[0]
    where = "import dartsctl; print(dartsctl.__file__)"
    assert str(REPOSITORY) not in run(python, "-c", where, folder=tmp_path)
    for words in ([program], [python, "-m", "dartsctl"]):
        assert run(*words, "--version", folder=tmp_path) == f"dartsctl {__version__}\n"
        assert run(*words, "--help", folder=tmp_path).startswith("Usage: dartsctl ")
        assert run(*words, "history", folder=tmp_path)


def test_init_writes_the_templates_of_the_wheel(program: Path, tmp_path: Path) -> None:
    run(program, "init", "--stack", "--yes", folder=tmp_path)
    templates = REPOSITORY / "compose"
    for name in ("prod.yml", "services.yml", "nginx/nginx.conf", "nginx/make-certificate.sh"):
        written = tmp_path / "compose" / name
        assert written.read_bytes() == (templates / name).read_bytes()
        assert os.access(written, os.X_OK) == os.access(templates / name, os.X_OK)


APP = {
    "compose.yaml": """
services:
  cache:
    image: dartsctl-test/busybox:1
    command: nc -ll -p 6379 -e cat
    init: true
    ports: ["127.0.0.1:{port}:6379"]
""",
    "requirements.txt": "flask\n",
    "run.py": """
import os

from shop import create_app

create_app().run(port=int(os.environ["PORT"]))
""",
    "shop/__init__.py": """
from flask import Flask


def create_app() -> Flask:
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: "the shop is open")
    return app
""",
}
SETTINGS = """
[dev]
files = ["compose.yaml"]
env_files = []

[prod]
files = ["compose.yaml"]
env_files = ["env"]
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """The repository of somebody else's Flask app, with its own virtual environment."""
    folder = tmp_path / "the shop"
    for name, text in APP.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text.format(port=free_ports(1)[0]) if "{port}" in text else text)
    uv = (TOOLS / "uv", "--quiet")
    run(*uv, "venv", "--python", sys.executable, ".venv", folder=folder)
    run(*uv, "pip", "install", "--requirement", "requirements.txt", folder=folder)
    return folder


@pytest.fixture
def page(app: Path, program: Path) -> Iterator[str]:
    """What the app's server answers, started by `dartsctl dev`. Ctrl-C ends it."""
    process = subprocess.Popen(
        [program, "dev"],
        cwd=app,
        env=outside(app),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    shown = ""
    try:
        assert process.stdout is not None
        for line in process.stdout:
            shown += line
            if url := re.match(r"dartsctl: (http://\S+)", line):
                with urlopen(url[1], timeout=60) as answer:  # noqa: S310 - of this machine
                    yield answer.read().decode()
                break
        else:
            pytest.fail(f"no URL:\n{shown}")
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        run(program, "dev", "down", folder=app)


@pytest.mark.engine
def test_an_app_that_is_not_ours_is_checked_set_up_and_served(
    app: Path, program: Path, request: pytest.FixtureRequest
) -> None:
    assert "1 binding checked" in run(program, "check", folder=app)
    assert "dartsctl.toml" in run(program, "init", "--yes", folder=app)
    assert "run.py" in (app / "dartsctl.toml").read_text()
    assert request.getfixturevalue("page") == "the shop is open"


# --- completion ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_in_use_completes_a_verb_after_the_installation(
    shell: str, program: Path, tmp_path: Path
) -> None:
    if not shutil.which(shell):
        assert not REQUIRED, f"no {shell}"
        pytest.skip(f"no {shell}")
    # a first start of fish reads every manual page, unless it has done so
    (tmp_path / ".local/share/fish/generated_completions").mkdir(parents=True)
    path = f"{program.parent}:{outside(tmp_path)['PATH']}"
    install = "dartsctl --install-completion; true"  # without `true` dartsctl replaces the shell
    said = run(shell, "-i", "-c", install, folder=tmp_path, PATH=path)
    assert f"installed completion for {shell}" in said
    child = pexpect.spawn(
        shell,
        ["-i"],
        cwd=str(tmp_path),
        env=outside(tmp_path, PATH=path, TERM="dumb"),
        encoding="utf-8",
        timeout=60,
    )
    child.send("echo re''ady\r")
    child.expect("ready")
    child.send("dartsctl pr\t")
    child.expect("dartsctl prod ")
    child.send("ch\t")
    child.expect("check ")
    child.close(force=True)


# --- the lowest versions ------------------------------------------------------------------------


@pytest.fixture(scope="session")
def lowest(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with the lowest version of each library that it declares."""
    folder = tmp_path_factory.mktemp("lowest")
    uv = (TOOLS / "uv", "--quiet")
    python = ("--python", sys.executable)
    resolve = (*uv, "pip", "compile", "--resolution", "lowest-direct", *python)
    versions = run(*resolve, REPOSITORY / "pyproject.toml", folder=folder)
    for text in PROJECT["dependencies"]:
        name, _, version = re.split(r"[,<]", text)[0].partition(">=")
        assert re.search(rf"(?m)^{name}=={re.escape(version)}(\.0)*$", versions), text
    (folder / "lowest.txt").write_text(versions)
    run(*uv, "venv", *python, ".venv", folder=folder)
    run(*uv, "pip", "install", "--constraint", "lowest.txt", built.wheel, folder=folder)
    return folder / ".venv/bin/dartsctl"


@pytest.mark.engine
def test_with_the_lowest_versions_tables_questions_and_errors_work(lowest: Path, app: Path) -> None:
    (app / "dartsctl.toml").write_text(SETTINGS)
    (app / "env").write_text("SECRET_KEY=changeme\n")
    (app / "env").chmod(0o600)
    (port,) = re.findall(r"127\.0\.0\.1:(\d+):", (app / "compose.yaml").read_text())
    with socket.create_server(("127.0.0.1", int(port))):
        code, shown = at_a_terminal(lowest, "dev", "check", folder=app)
        assert (code, "CONFLICT" in shown) == (3, True), shown
        assert f"pid {os.getpid()}" in shown
        code, shown = at_a_terminal(lowest, "dev", "up", folder=app, answer="\x03")
        assert (code, "(arrow keys)" in shown) == (130, True), shown
    code, shown = at_a_terminal(lowest, "prod", "check", folder=app)
    assert (code, "SECRET_KEY" in shown) == (4, True), shown
    code, shown = at_a_terminal(lowest, "check", "--unknown", folder=app)
    assert (code, "No such option" in shown) == (2, True), shown
    code, shown = at_a_terminal(lowest, "--show-completion", folder=app)
    assert code in (0, 2), shown
    remote = {"DOCKER_HOST": "tcp://127.0.0.1:9"}
    code, shown = at_a_terminal(lowest, "dev", "up", folder=app, **remote)
    assert code == 5, shown


def at_a_terminal(
    program: Path, *words: str, folder: Path, answer: str = "", **variables: str
) -> tuple[int, str]:
    """Run dartsctl in a terminal, send the answer to a question, return exit code and output."""
    child = pexpect.spawn(
        str(program),
        [*words],
        cwd=str(folder),
        env=outside(folder, PROMPT_TOOLKIT_NO_CPR="1", **variables),
        dimensions=(60, 300),
        encoding="utf-8",
        timeout=60,
    )
    shown = ""
    if answer:
        child.expect(r"\(arrow keys\)")
        shown += f"{child.before}{child.after}"
        child.send(answer)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus is not None
    return child.exitstatus, shown + str(child.before)
