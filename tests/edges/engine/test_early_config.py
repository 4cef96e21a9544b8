"""A `config` that is started early: when it is, and when what it brings counts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from dartsctl.cli.deps import Common, deps_of
from dartsctl.config.environment import adhoc
from dartsctl.edges.engine import early_config
from dartsctl.edges.engine.early_config import FILE, RARELY, EarlyConfig, config_environ
from dartsctl.edges.state.folder import state_folder
from dartsctl.errors import TimedOut
from dartsctl.system.child import Child
from dartsctl.workflows.up.lock_project import locked_project
from fakes.deps import FakeClock, fake_deps
from fakes.machines import ANSWERS_VERSION, write_script
from own_children import own_children
from own_ports import free_ports
from two_users import ANN, needs_root

_OTHERS: set[int] = set()
WORDS = ["shop", "check", "--json"]


@dataclass(frozen=True)
class Project:
    """A folder with a Compose file, and a Compose that notes each call of it."""

    folder: Path

    @property
    def plugin(self) -> Path:
        return self.folder / "docker" / "cli-plugins" / "docker-compose"

    @property
    def file(self) -> Path:
        return self.folder / "compose.yml"

    @property
    def argv(self) -> tuple[str, ...]:
        options = ("--file", str(self.file), "--project-name", "shop")
        return (str(self.plugin), *options, "config", "--format", "json")

    @property
    def calls(self) -> list[list[str]]:
        """Return pid, GOGC, and the words of each call but those for the version."""
        log = self.folder / "log"
        return [line.split() for line in log.read_text().splitlines()] if log.exists() else []

    def answer(self, then: str) -> None:
        """Have the calls do `then` after they have noted themselves."""
        note = f'echo "$$ ${{GOGC-none}} $*" >> {self.folder}/log'
        write_script(self.plugin, f"{ANSWERS_VERSION}\n{note}\n{then}")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = Project(tmp_path / "shop")
    project.folder.mkdir(mode=0o700)
    project.file.write_text("services: {}\n")
    project.answer("""echo '{"name": "shop", "services": {"web": {"image": "web"}}}'""")
    monkeypatch.chdir(project.folder)
    monkeypatch.delenv("GOGC", raising=False)
    monkeypatch.setattr(early_config, "_FRESH", 100.0)  # however slow the machine is
    return project


def remembered(project: Project) -> bytes:
    """Return the content of FILE after a run of WORDS."""
    first = EarlyConfig(WORDS, b"")
    assert first.take(project.argv, config_environ(project.argv)) is None
    text = first.new_text(project.argv)
    assert text is not None
    return text


def started(project: Project) -> EarlyConfig:
    early = EarlyConfig(WORDS, remembered(project))
    early.start()
    return early


def output_of(child: Child) -> bytes:
    return b"".join(chunk for pipe, chunk in child.output() if pipe == child.stdout)


@pytest.fixture(autouse=True)
def others() -> None:
    """Remember the children that other tests have left."""
    _OTHERS.clear()
    _OTHERS.update(own_children())


def assert_no_child() -> None:
    assert own_children() <= _OTHERS


def test_the_call_of_the_last_run_with_these_words_is_started(project: Project) -> None:
    early = started(project)
    child = early.take(project.argv, config_environ(project.argv))
    assert child is not None
    assert b'"name": "shop"' in output_of(child)
    assert early.new_text(project.argv) is None  # remembered already
    early.end()
    assert_no_child()


def test_other_words_and_other_folders_have_calls_of_their_own(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = remembered(project)
    EarlyConfig(["shop", "check", "web"], text).start()
    elsewhere = project.folder / "below"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    EarlyConfig(WORDS, text).start()
    assert project.calls == []


def test_options_of_display_do_not_change_the_call(project: Project) -> None:
    early = EarlyConfig(["shop", "check", "--quiet", "--no-color"], remembered(project))
    early.start()
    child = early.take(project.argv, config_environ(project.argv))
    assert child is not None
    early.end()


@pytest.mark.parametrize("what", ["arguments", "variables", "folder"])
def test_another_call_ends_the_early_one(
    project: Project, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    project.answer("sleep 60")
    early = started(project)
    argv, environ = project.argv, config_environ(project.argv)
    if what == "arguments":
        argv = (*argv, "web")
    elif what == "variables":
        environ["TAG"] = "2"
    else:
        monkeypatch.chdir(project.folder.parent)
    assert early.take(argv, environ) is None
    assert_no_child()
    text = early.new_text(argv)
    if what == "arguments":
        assert text is not None
        assert text.count(b"config") == 1
        assert text.endswith(b"web")
    else:
        assert text is None


@pytest.mark.parametrize("change", ["compose.yml", ".env", "compose.override.yml"])
def test_a_file_that_has_changed_since_ends_the_early_call(project: Project, change: str) -> None:
    """As while `up` waits for another one of the project, which has the lock."""
    text = remembered(project)
    argv = project.argv
    if change == "compose.override.yml":
        options = b"--file\0" + bytes(project.file) + b"\0"
        text, argv = text.replace(options, b""), (argv[0], *argv[3:])
    early = EarlyConfig(WORDS, text)
    early.start()
    (project.folder / change).write_text("# another\n")
    assert early.take(argv, config_environ(argv)) is None
    assert_no_child()


def test_a_wait_for_another_dartsctl_ends_the_early_call(project: Project, tmp_path: Path) -> None:
    """Files that its own ones include may change meanwhile."""
    project.answer("sleep 60; true")
    (state_folder() / FILE).write_bytes(remembered(project))
    (state_folder() / FILE).chmod(0o600)
    early_config.start(WORDS)
    environment = adhoc(directory=project.folder, project="shop")
    deps = fake_deps(tmp_path, FakeClock(), forget_answers=deps_of(Common()).forget_answers)
    with (
        locked_project(environment, verb="up", within=1, deps=deps),
        pytest.raises(TimedOut),
        locked_project(environment, verb="up", within=0.01, deps=deps),
    ):
        pass
    assert_no_child()
    assert early_config.take(project.argv, config_environ(project.argv)) is None


@pytest.mark.parametrize("remembers", [0.0, 60.0])
@pytest.mark.parametrize("waits", [False, True])
def test_compose_is_asked_again_after_a_wait(
    project: Project, monkeypatch: pytest.MonkeyPatch, remembers: float, waits: bool
) -> None:
    """What was kept from picking the files, and what is remembered for one run."""
    monkeypatch.setenv("DOCKER_CONFIG", str(project.folder / "docker"))
    environment = adhoc(files=(project.file,), project="shop", directory=project.folder)
    deps = deps_of(Common(), remembers=remembers)
    assert deps.compose_on(environment).is_complete()
    before = len(project.calls)
    if waits:
        deps.forget_answers()
    deps.compose_on(environment).config()
    assert len(project.calls) == before + waits


def test_only_the_first_call_gets_it(project: Project) -> None:
    early = started(project)
    environ = config_environ(project.argv)
    child = early.take(project.argv, environ)
    assert child is not None
    output_of(child)
    assert early.take(project.argv, environ) is None
    assert early.new_text((*project.argv, "web")) is None
    early.end()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda project: project.file.chmod(0o666),
        lambda project: project.folder.chmod(0o777),
        lambda project: project.plugin.chmod(0o777),
        lambda project: (project.folder / ".env").mkdir(),
        lambda project: os.mkfifo(project.folder / ".env"),
        lambda project: (project.folder / ".env").symlink_to("nothing"),
        lambda project: project.file.unlink(),
    ],
    ids=["file", "folder", "program", "env folder", "pipe", "broken link", "no file"],
)
def test_nothing_is_started_with_what_others_can_change(project: Project, spoil: object) -> None:
    assert callable(spoil)
    text = remembered(project)
    spoil(project)
    EarlyConfig(WORDS, text).start()
    assert project.calls == []
    assert_no_child()


@needs_root
@pytest.mark.parametrize("names_files", [True, False])
@pytest.mark.parametrize("what", ["compose.yml", ".", "docker/cli-plugins/docker-compose", ".env"])
def test_nothing_is_started_with_a_file_of_another_user(
    project: Project, what: str, names_files: bool
) -> None:
    text = remembered(project)
    if not names_files:  # Compose finds the same one in the working folder
        text = text.replace(b"--file\0" + bytes(project.file) + b"\0", b"")
    (project.folder / ".env").touch()
    os.chown(project.folder / what, ANN, -1)
    EarlyConfig(WORDS, text).start()
    assert project.calls == []


def test_a_file_of_calls_that_others_can_change_is_not_read(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = state_folder() / FILE
    file.write_bytes(remembered(project))
    file.chmod(0o600)
    assert early_config._read(str(file)) == file.read_bytes()
    file.chmod(0o620)
    assert early_config._read(str(file)) == b""
    file.chmod(0o600)
    (file.parent / "second name").hardlink_to(file)
    assert early_config._read(str(file)) == b""


@pytest.mark.parametrize(
    "environ",
    [
        {"DARTSCTL_STATE_DIR": "/somewhere", "XDG_STATE_HOME": "/xdg", "HOME": "/home/ann"},
        {"XDG_STATE_HOME": "/xdg", "HOME": "/home/ann"},
        {"XDG_STATE_HOME": "relative", "HOME": "/home/ann"},
        {"HOME": "/home/ann/"},
    ],
)
def test_the_state_folder_is_where_the_others_look(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    for name in ("DARTSCTL_STATE_DIR", "XDG_STATE_HOME", "SUDO_UID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert early_config._place(os.environ) == str(state_folder() / FILE)


@pytest.mark.parametrize(
    "environ", [{"HOME": "/home/ann", "SUDO_UID": "1000"}, {"HOME": ""}, {"HOME": "/"}, {}]
)
def test_nothing_is_started_where_the_state_folder_depends_on_more(
    environ: dict[str, str],
) -> None:
    with pytest.raises(FileNotFoundError):
        early_config._place(environ)


def test_the_oldest_calls_are_forgotten(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    text = b""
    for number in range(40):
        early = EarlyConfig([f"env{number}", "check"], text)
        early.take(project.argv, {})
        text = early.new_text(project.argv) or b""
    assert text.count(b"\n") < 40
    assert text.startswith(os.fsencode(project.folder) + b"\0env39\0")


# The collector


def test_compose_collects_its_garbage_rarely(project: Project) -> None:
    assert config_environ(project.argv)["GOGC"] == RARELY
    assert "GOGC" not in early_config.plain_environ()


def test_a_collector_that_the_user_has_set_is_left_alone(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOGC", "50")
    assert config_environ(project.argv)["GOGC"] == "50"


@pytest.mark.parametrize("name", ["compose.yml", ".env"])
def test_a_collector_that_the_files_use_is_left_alone(project: Project, name: str) -> None:
    (project.folder / name).write_text("x-limit: ${GOGC:-100}\n")
    assert "GOGC" not in config_environ(project.argv)


@pytest.mark.compose
def test_a_collector_that_an_included_file_uses_is_as_the_user_has_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dartsctl.config.environment import adhoc
    from dartsctl.edges.engine.compose import Compose

    service = "{image: x, environment: {LIMIT: '${GOGC:-by default}'}}"
    (project.folder / "more.yml").write_text(f"services: {{web: {service}}}\n")
    project.file.write_text("include: [more.yml]\n")
    assert config_environ(project.argv)["GOGC"] == RARELY
    environment = adhoc(files=(project.file,), directory=project.folder)
    web = Compose(environment).config().model["services"]["web"]
    assert web["environment"]["LIMIT"] == "by default"


# The whole run


def run(project: Project, *words: str, **variables: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "dartsctl", *words],
        env={**os.environ, "DOCKER_CONFIG": str(project.folder / "docker"), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_each_check_makes_one_call_and_a_changed_one_is_made_anew(project: Project) -> None:
    port = free_ports(1)[0]
    project.answer(
        """
name=a; case "$*" in *two*) name=b; esac
echo '{"name": "'$name'", "services": {"web": {"image": "web", "ports": [{"target": 80,
"published": "PORT", "protocol": "tcp", "host_ip": "127.0.0.1"}]}}}'
""".replace("PORT", str(port))
    )
    other = project.folder / "two.yml"
    other.write_text("services: {}\n")
    words = ("check", "--json", "--no-engine")
    for count in (1, 2, 3):
        code, output = run(project, *words)
        assert (code, '"project": "a"' in output) == (0, True), output
        assert len(project.calls) == count
    variables = {"COMPOSE_FILE": str(other)}  # Compose reads it: the arguments stay the same
    assert run(project, *words, **variables)[0] == 0
    assert len(project.calls) == 4
    assert {call[1] for call in project.calls} == {RARELY}


AT_THE_START = """
import os, signal, sys
from dartsctl.edges.engine import early_config
from dartsctl.system import interrupts
interrupts.watch()
def interrupt(_frame, event, function):
    if event == "c_return" and function is os.posix_spawn:
        os.kill(os.getpid(), int(sys.argv[1]))
sys.setprofile(interrupt)
early_config.start(sys.argv[2:])
os._exit(0)
"""


@pytest.mark.parametrize(
    ("number", "redirection", "code"),
    [(signal.SIGINT, "", 130), (signal.SIGINT, "2>&-", 130), (signal.SIGTERM, "", -15)],
)
def test_a_signal_while_the_early_call_starts_ends_it(
    project: Project, number: int, redirection: str, code: int
) -> None:
    project.answer("sleep 60; true")
    (state_folder() / FILE).write_bytes(remembered(project))
    (state_folder() / FILE).chmod(0o600)
    script = f'exec "$@" {redirection}'
    argv = ["sh", "-c", script, "sh", sys.executable, "-c", AT_THE_START, str(number), *WORDS]
    done = subprocess.run(argv, cwd=project.folder, timeout=50, check=False)
    assert done.returncode == code
    assert not _processes_of(project.plugin)


def _processes_of(program: Path) -> list[str]:
    done = subprocess.run(["ps", "-eo", "args", "ww"], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if str(program) in line]


INTERRUPTED = """
import sys, time
from dartsctl.edges.engine import early_config
from dartsctl.system import interrupts
interrupts.watch()
early_config.start(sys.argv[1:])
print("started", flush=True)
while True: time.sleep(0.1)
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -15), (signal.SIGHUP, -1)]
)
def test_a_signal_ends_the_early_call(project: Project, number: int, code: int) -> None:
    project.answer("exec sleep 60")
    (state_folder() / FILE).write_bytes(remembered(project))
    (state_folder() / FILE).chmod(0o600)
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, *WORDS], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        deadline = time.monotonic() + 30
        while not project.calls and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(number)
    assert process.returncode == code
    pid = int(project.calls[0][0])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_early_call_that_nobody_needs_ends_before_the_server_starts(project: Project) -> None:
    """The settings do without a stack since the last run."""
    project.answer("sleep 60; true")
    text = remembered(project).replace(b"shop\0check", b"dev")
    (state_folder() / FILE).write_bytes(text)
    (state_folder() / FILE).chmod(0o600)
    server = project.folder / "server"
    write_script(server, f"ps -eo args ww > {project.folder}/ps")
    settings = f'[dev]\nfiles = []\n[server]\ncommand = ["{server}"]\n'
    (project.folder / "dartsctl.toml").write_text(settings)
    code, output = run(project, "dev")
    assert code == 0, output
    assert str(project.plugin) not in (project.folder / "ps").read_text()
