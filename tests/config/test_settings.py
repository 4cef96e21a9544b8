"""Settings: where they are found, their defaults, and errors that name file, line and key."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from dartsctl.config.file import line_numbers
from dartsctl.config.load_settings import load
from dartsctl.config.settings import (
    ENFORCE,
    HANDOVER,
    ON_CONFLICT,
    ON_PORTS,
    ON_UNSAFE,
    SERVICES,
    Settings,
)
from dartsctl.errors import ExitCode, UsageError
from dartsctl.ports.allocation import DEV_RANGE, PRODUCTION_PORTS, PortRange
from fakes.settings_files import touch
from repository import literals


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a valid Compose project name."""
    folder = tmp_path / "shop"
    folder.mkdir()
    return folder


def settings_of(folder: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    (folder / "dartsctl.toml").write_text(text, encoding="utf-8")
    return load(folder, environ or {})


def error_in(folder: Path, text: str, environ: dict[str, str] | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        settings_of(folder, text, environ)
    assert caught.value.code is ExitCode.USAGE
    assert caught.value.hint
    return caught.value


# --- finding -----------------------------------------------------------------------------------


def test_without_a_file_everything_has_its_default(project: Path) -> None:
    settings = load(project, {})
    assert (settings.root, settings.source, settings.name) == (project, None, "shop")
    assert list(settings.environments) == ["dev", "prod"]
    dev, prod = settings.environments["dev"], settings.environments["prod"]
    assert (dev.project, prod.project) == ("shop-dev", "shop")
    assert (dev.files, dev.env_files, dev.profiles) == (None, None, ())
    assert (dev.production_ports, dev.on_conflict, dev.wait_timeout) == ("warn", None, None)
    assert settings.ports.dev_range == DEV_RANGE
    assert settings.ports.production == PRODUCTION_PORTS
    server = settings.server
    assert (server.directory, server.command, server.health, server.replaces) == (
        project,
        (),
        None,
        (),
    )
    assert (server.port_variables, server.services, server.enforce) == (
        ("FLASK_RUN_PORT", "FLASK_PORT", "PORT"),
        "required",
        "auto",
    )
    assert settings.origin("dev", "files") == "dev.files"


def test_the_file_is_found_upwards_and_its_folder_is_the_root(project: Path) -> None:
    (project / "dartsctl.toml").write_text("")
    below = project / "src" / "app"
    below.mkdir(parents=True)
    assert load(below, {}).root == project
    assert load(below, {}).source == project / "dartsctl.toml"


def test_the_nearest_folder_with_settings_wins(project: Path) -> None:
    (project / "dartsctl.toml").write_text('name = "outer"')
    inner = project / "inner"
    inner.mkdir()
    (inner / "pyproject.toml").write_text('[tool.dartsctl]\nname = "inner"')
    assert load(inner, {}).name == "inner"


def test_dartsctl_toml_wins_over_pyproject_in_one_folder(project: Path) -> None:
    (project / "pyproject.toml").write_text('[tool.dartsctl]\nname = "second"')
    assert settings_of(project, 'name = "first"').name == "first"


def test_a_pyproject_without_a_dartsctl_table_is_skipped(project: Path) -> None:
    (project / "dartsctl.toml").write_text('name = "outer"')
    for number, text in enumerate(
        ('[project]\nname = "dartsctl"', "[tool.ruff]", "tool = 3 # dartsctl", "broken [[[")
    ):
        inner = project / f"inner{number}"
        inner.mkdir()
        (inner / "pyproject.toml").write_text(text)
        assert load(inner, {}).name == "outer"


def test_an_error_in_pyproject_names_the_full_key(project: Path) -> None:
    (project / "pyproject.toml").write_text(
        '[project]\nname = "x"\n\n[tool.dartsctl.dev]\nfils = ["a.yml"]\n'
    )
    with pytest.raises(UsageError) as caught:
        load(project, {})
    assert caught.value.message == "pyproject.toml:5: tool.dartsctl.dev.fils: unknown key"
    assert caught.value.hint == "did you mean tool.dartsctl.dev.files?"


def test_the_dartsctl_entry_of_pyproject_must_be_a_table(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool]\ndartsctl = 3\n")
    with pytest.raises(
        UsageError,
        match=r"^pyproject.toml:2: tool.dartsctl: expected a table, got an integer$",
    ):
        load(project, {})


def test_the_flag_wins_over_the_variable_and_both_over_the_search(project: Path) -> None:
    for name in ("flag", "variable"):
        (project / name).mkdir()
        (project / name / "dartsctl.toml").write_text(f'name = "{name}"')
    (project / "dartsctl.toml").write_text('name = "found"')
    variable = {"DARTSCTL_PROJECT_DIR": str(project / "variable")}
    assert load(project, {}).name == "found"
    assert load(project, variable).name == "variable"
    assert load(project, variable, project_dir=project / "flag").name == "flag"
    assert load(project, {}, project_dir=Path("flag")).root == project / "flag"


def test_a_named_project_folder_is_not_searched_upwards(project: Path) -> None:
    (project / "dartsctl.toml").write_text('name = "outer"')
    (project / "bare").mkdir()
    assert load(project, {}, project_dir=project / "bare").name == "bare"


def test_a_named_project_folder_must_exist(project: Path) -> None:
    with pytest.raises(UsageError, match=rf"^--project-dir: no such folder: {project}/gone$"):
        load(project, {}, project_dir=project / "gone")
    with pytest.raises(
        UsageError, match=rf"^DARTSCTL_PROJECT_DIR: no such folder: {project}/gone$"
    ):
        load(project, {"DARTSCTL_PROJECT_DIR": "gone"})


# --- unreadable files --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "x"\n[dev]\nfiles = \n', "dartsctl.toml:3: Invalid value (column 9)"),
        ("[dev]\n[dev]\n", "dartsctl.toml:2: Cannot declare ('dev',) twice (column 5)"),
        (
            'name = "x"\n[dev]\nfiles = ["a"',
            "dartsctl.toml:3: Unclosed array at the end of the file",
        ),
    ],
)
def test_a_syntax_error_names_its_line(project: Path, text: str, message: str) -> None:
    assert error_in(project, text).message == message


def test_text_that_is_not_utf8_is_refused_with_its_line(project: Path) -> None:
    (project / "dartsctl.toml").write_bytes(b'name = "x"\n# caf\xe9\n')
    with pytest.raises(UsageError, match=r"^dartsctl.toml:2: not UTF-8 text$"):
        load(project, {})


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(project: Path) -> None:
    (project / "dartsctl.toml").write_bytes(
        b'\xef\xbb\xbfname = "x"\r\n[dev]\r\nprofiles = ["a"]\r\n'
    )
    settings = load(project, {})
    assert (settings.name, settings.origin("dev", "profiles")) == (
        "x",
        "dartsctl.toml:3: dev.profiles",
    )


def test_a_folder_named_like_the_file_is_refused(project: Path) -> None:
    (project / "dartsctl.toml").mkdir()
    with pytest.raises(
        UsageError, match=r"^cannot read .*dartsctl.toml: it is a folder, not a regular file$"
    ):
        load(project, {})


def test_the_lines_of_large_settings_are_numbered_in_linear_time() -> None:
    """Quadratic time took more than half a minute for a megabyte of lines."""
    text = "".join(f"k{number} = 1\n" for number in range(60_000))
    begun = time.process_time()
    lines = line_numbers(text)
    assert time.process_time() - begun < 5
    assert lines["k59999",] == 60_000


def test_a_named_pipe_is_refused_without_waiting(project: Path) -> None:
    os.mkfifo(project / "dartsctl.toml")
    with pytest.raises(
        UsageError, match=r"^cannot read .*dartsctl.toml: it is a named pipe, not a regular file$"
    ):
        load(project, {})


def test_a_broken_link_and_a_circular_link_are_refused(project: Path) -> None:
    file = project / "dartsctl.toml"
    file.symlink_to("gone.toml")
    with pytest.raises(UsageError, match=r"^broken symbolic link: .*dartsctl.toml$"):
        load(project, {})
    file.unlink()
    file.symlink_to("dartsctl.toml")
    with pytest.raises(
        UsageError, match=r"^cannot read .*dartsctl.toml: Too many levels of symbolic links$"
    ):
        load(project, {})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file_is_refused(project: Path) -> None:
    (project / "dartsctl.toml").write_text("")
    (project / "dartsctl.toml").chmod(0)
    with pytest.raises(UsageError, match=r"^cannot read .*dartsctl.toml: Permission denied$"):
        load(project, {})


# --- every key ---------------------------------------------------------------------------------

COMPLETE = """\
name = "darts"
[dev]
files = ["compose/dev.yml", "../shared.yml"]
env_files = [".env", "/etc/darts.env"]
project = "darts-dev"
profiles = ["app"]
production_ports = "refuse"
on_conflict = "stop"
wait_timeout = 2.5
[prod]
files = ["compose/prod.yml"]
env_files = []
[environment.staging]
files = ["staging.yml"]
[ports]
dev_range = "6001-6099"
[ports.production]
web = [80, 443]
app = 5000
[server]
command = ["{python}", "run.py"]
directory = "src"
env_files = ["web.env"]
port_variables = ["PORT"]
health = "/health"
replaces = ["app"]
services = "optional"
enforce = "watch"
url_host = "localhost"
ready_timeout = 5
[server.env]
DB = "{postgres.host}"
"""


def test_every_key_is_read(project: Path) -> None:
    settings = settings_of(project, COMPLETE)
    dev, prod, staging = (settings.environments[name] for name in ("dev", "prod", "staging"))
    assert dev.files == (project / "compose/dev.yml", project.parent / "shared.yml")
    assert dev.env_files == (project / ".env", Path("/etc/darts.env"))
    assert (dev.project, dev.profiles, dev.production_ports) == ("darts-dev", ("app",), "refuse")
    assert (dev.on_conflict, dev.wait_timeout) == ("stop", 2.5)
    assert (prod.project, prod.env_files) == ("darts", ())
    assert (staging.project, staging.files) == ("darts-staging", (project / "staging.yml",))
    assert settings.ports.dev_range == PortRange(6001, 6099)
    assert settings.ports.production == {"web": (80, 443), "app": (5000,)}
    server = settings.server
    assert (server.command, server.directory, server.port_variables) == (
        ("{python}", "run.py"),
        project / "src",
        ("PORT",),
    )
    assert server.env_files == (project / "web.env",)
    assert (server.health, server.replaces, server.services, server.enforce) == (
        "/health",
        ("app",),
        "optional",
        "watch",
    )
    assert (server.url_host, server.ready_timeout, server.env) == (
        "localhost",
        5.0,
        {"DB": "{postgres.host}"},
    )
    assert (
        settings.origin("environment", "staging", "files")
        == "dartsctl.toml:14: environment.staging.files"
    )


def test_only_dev_may_have_no_services(tmp_path: Path) -> None:
    (tmp_path / "dartsctl.toml").write_text("[dev]\nfiles = []\n")
    assert load(tmp_path, {}).environments["dev"].files == ()
    for table in ("prod", "environment.qa"):
        (tmp_path / "dartsctl.toml").write_text(f"[{table}]\nfiles = []\n")
        with pytest.raises(UsageError, match="the list is empty"):
            load(tmp_path, {})


def test_this_repositorys_own_settings_are_valid() -> None:
    root = Path(__file__).parents[2]
    settings = load(root, {})
    assert settings.source == root / "dartsctl.toml"
    assert settings.ports.production == PRODUCTION_PORTS
    assert all(
        file.is_file()
        for environment in settings.environments.values()
        for file in environment.files or ()
    )


@pytest.mark.parametrize(
    ("folder", "name"),
    [("My Shop", "myshop"), ("_x", "x"), ("Käse.2", "kse2"), ("---", "project")],
)
def test_the_folders_name_becomes_a_project_name_as_compose_makes_one(
    tmp_path: Path, folder: str, name: str
) -> None:
    (tmp_path / folder).mkdir()
    assert load(tmp_path / folder, {}).name == name


# --- wrong values ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('name = "x"\nprot = 1\n', "dartsctl.toml:2: prot: unknown key", "did you mean prod?"),
        (
            "[dev]\n\nenv_file = []\n",
            "dartsctl.toml:3: dev.env_file: unknown key",
            "did you mean dev.env_files?",
        ),
        (
            "[server]\n[server.envs]\n",
            "dartsctl.toml:2: server.envs: unknown key",
            "did you mean server.env?",
        ),
        ("dev.fils = []\n", "dartsctl.toml:1: dev.fils: unknown key", "did you mean dev.files?"),
        (
            "dev = { project = 'x', fils = [] }\n",
            "dartsctl.toml:1: dev.fils: unknown key",
            "did you mean dev.files?",
        ),
        (
            "[dev]\nqqq = 1\n'a b' = 1\n",
            "dartsctl.toml:2: dev.qqq: unknown key",
            "known keys: project, files,",
        ),
        ('[dev]\n"a b" = 1\n', 'dartsctl.toml:2: dev."a b": unknown key', "known keys: "),
        (
            "[staging]\nfiles = []\n",
            "dartsctl.toml:1: staging: unknown key",
            "write another environment as [environment.staging]",
        ),
        (
            '[prod]\nproduction_ports = "warn"\n',
            "dartsctl.toml:2: prod.production_ports: unknown key",
            "known keys: ",
        ),
        ('[dev]\nunsafe = "warn"\n', "dartsctl.toml:2: dev.unsafe: unknown key", "known keys: "),
        (
            "[environment.qa]\nfils = []",
            "dartsctl.toml:2: environment.qa.fils: unknown key",
            "did you mean environment.qa.files?",
        ),
    ],
)
def test_an_unknown_key_names_its_line_and_the_nearest_known_one(
    project: Path, text: str, message: str, hint: str
) -> None:
    error = error_in(project, text)
    assert error.message == message
    assert error.hint.startswith(hint)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = 3", "1: name: expected a string, got an integer"),
        ("dev = 3", "1: dev: expected a table, got an integer"),
        ("[[dev]]", "1: dev: expected a table, got a list"),
        ("environment = []", "1: environment: expected a table, got a list"),
        (
            "[environment]\nqa = 1",
            "2: environment.qa: expected a table, got an integer",
        ),
        ("[environment.dev]", "1: environment.dev: the environment dev is built in"),
        ("[environment.QA]", "1: environment.QA: 'QA' is not an environment name"),
        ('[dev]\nfiles = "a.yml"', "2: dev.files: expected a list of strings, got a string"),
        ("[prod]\nfiles = []", "2: prod.files: the list is empty"),
        (
            '[dev]\nfiles = [\n "a",\n 1]',
            "2: dev.files: expected a string, got an integer",
        ),
        ('[dev]\nfiles = [""]', "2: dev.files: the list contains an empty string"),
        ('[dev]\nfiles = ["a\\u0000"]', "2: dev.files: the string contains a NUL character"),
        (
            "[dev]\nprofiles = 2024-01-01",
            "2: dev.profiles: expected a list of strings, got a date or time",
        ),
        (
            "[dev]\nenv_files = true",
            "2: dev.env_files: expected a list of strings, got true",
        ),
        (
            '[dev]\nproject = "Shop"',
            "2: dev.project: 'Shop' is not a project name; Compose accepts lower-case letters",
        ),
        ('[dev]\nproject = ""', "2: dev.project: '' is not a project name"),
        ('name = "Darts Server"', "1: name: 'Darts Server' is not a project name"),
        (
            '[dev]\non_conflict = "kill"',
            '2: dev.on_conflict: \'kill\' is not one of "ask", "fail", "stop", "remap", "wait"',
        ),
        ("[dev]\non_conflict = 1", '2: dev.on_conflict: an integer is not one of "ask"'),
        ('[prod]\nunsafe = "ignore"', '2: prod.unsafe: \'ignore\' is not one of "refuse", "warn"'),
        (
            '[dev]\nproduction_ports = "allow"',
            '2: dev.production_ports: \'allow\' is not one of "warn", "refuse"',
        ),
        ('[dev]\nwait_timeout = "1m"', "2: dev.wait_timeout: '1m' is not a number of seconds"),
        (
            "[dev]\nsettling_time = -1",
            "2: dev.settling_time: the number of seconds must be 0 or more: -1",
        ),
        ('[dev]\nsettling_time = "5s"', "2: dev.settling_time: '5s' is not a number of seconds"),
        ("[dev]\nwait_timeout = true", "2: dev.wait_timeout: true is not a number of seconds"),
        (
            "[dev]\nwait_timeout = 0",
            "2: dev.wait_timeout: the number of seconds must be greater than 0: 0",
        ),
        (
            "[dev]\nwait_timeout = nan",
            "2: dev.wait_timeout: the number of seconds must be greater than 0: nan",
        ),
        (
            "[dev]\nwait_timeout = inf",
            "2: dev.wait_timeout: the number of seconds must be greater than 0: inf",
        ),
        (
            '[server]\ncommand = "python run.py"',
            "2: server.command: expected a list, got a string",
        ),
        ("[server]\ncommand = []", "2: server.command: the list is empty"),
        ('[server]\ndirectory = ""', "2: server.directory: the string is empty"),
        (
            '[server]\nport_variables = ["A-B"]',
            "2: server.port_variables: 'A-B' is not a variable name",
        ),
        ('[server]\nhealth = "health"', "2: server.health: 'health' is not a URL path"),
        (
            '[server]\nservices = "maybe"',
            '2: server.services: \'maybe\' is not one of "required", "optional"',
        ),
        (
            '[server]\nenforce = "on"',
            '2: server.enforce: \'on\' is not one of "auto", "hook", "watch", "off"',
        ),
        (
            '[server]\nurl_host = "http://x:1"',
            "2: server.url_host: 'http://x:1' is not a URL host",
        ),
        (
            "[server]\nready_timeout = -1",
            "2: server.ready_timeout: the number of seconds must be greater than 0: -1",
        ),
        (
            "[server.env]\nPORT = 5672",
            "2: server.env.PORT: expected a string, got an integer",
        ),
        ('[server.env]\n"A B" = "x"', "2: server.env.\"A B\": 'A B' is not a variable name"),
    ],
)
def test_a_wrong_value_names_line_and_key(project: Path, text: str, message: str) -> None:
    assert error_in(project, text).message.startswith("dartsctl.toml:" + message)


@pytest.mark.parametrize(
    "value", ["0", "65536", "-1", '"http"', '"5000"', "true", "5000.0", "[80, 0]", "[[80]]", "{}"]
)
def test_an_invalid_port_number_is_refused(project: Path, value: str) -> None:  # edge-cases.md#86
    error = error_in(project, f"[ports.production]\nnginx = {value}\n")
    assert error.message.startswith("dartsctl.toml:2: ports.production.nginx: ")
    assert error.message.endswith(" is not a port number (1-65535)")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ('"5099-5001"', "the port range ends before it starts: 5099-5001"),
        ('"1000-2000"', "the port range is not within 1024-65535: 1000-2000"),
        ('"60000-65536"', "the port range is not within 1024-65535: 60000-65536"),
        ('"5001"', "'5001' is not a port range"),
        ('"http"', "'http' is not a port range"),
        ('"-5-10"', "'-5-10' is not a port range"),
        ("5001", "expected a port range, got an integer"),
        ("[5001, 5099]", "expected a port range, got a list"),
        ('"5060-5061"', "browsers block every port of the range: 5060-5061"),  # edge-cases.md#63
    ],
)
def test_an_unusable_dev_range_is_refused(project: Path, value: str, problem: str) -> None:
    message = error_in(project, f"[ports]\ndev_range = {value}\n").message
    assert message.startswith(f"dartsctl.toml:2: ports.dev_range: {problem}")


@pytest.mark.parametrize(
    ("span", "ports"),
    [
        ("4990-5099", ["5000 (darts-app)"]),
        ("5000-6000", ["5000 (darts-app)", "5432 (postgres)", "5672 (rabbitmq)"]),
    ],
)
def test_a_dev_range_with_production_ports_is_refused(
    project: Path, span: str, ports: list[str]
) -> None:
    message = error_in(project, f'[ports]\ndev_range = "{span}"\n').message
    problem, _, listed = message.rpartition(": ")
    assert problem == (
        f"dartsctl.toml:2: ports.dev_range: the dev range {span} contains production ports"
    )
    assert sorted(listed.split(", ")) == ports


def test_a_production_port_in_the_default_dev_range_is_reported_on_its_own_line(
    project: Path,
) -> None:
    error = error_in(project, '[ports.production]\nnginx = 80\n"my app" = [81,\n 5050]\n')
    assert (
        error.message
        == 'dartsctl.toml:3: ports.production."my app": port 5050 lies in the dev range 5001-5099'
    )


def test_an_empty_production_table_replaces_the_built_in_allocation(project: Path) -> None:
    assert settings_of(project, "[ports.production]\n").ports.production == {}


def test_two_environments_never_share_a_project_name(project: Path) -> None:
    touch(project, "compose.prod.yaml")
    error = error_in(project, 'name = "darts"\n[dev]\nproject = "darts"\n')
    assert error.message == (
        "dartsctl.toml:3: dev.project: dev and prod have the same project name, 'darts', "
        "and would replace each other's containers"
    )
    assert error.hint == 'give prod another name: project = "darts-prod"'
    both = error_in(project, '[prod]\nproject = "a"\n', {"DARTSCTL_DEV_PROJECT": "a"})
    assert (both.message.partition(": dev and")[0], both.details) == (
        "dartsctl.toml:2: prod.project",
        ("DARTSCTL_DEV_PROJECT",),
    )
    third = error_in(project, 'name = "a"\n[environment.qa]\nproject = "a-dev"\n')
    assert third.message.startswith("dartsctl.toml:3: environment.qa.project: dev and qa have")


def test_without_a_production_here_its_project_name_is_free(project: Path) -> None:
    settings = settings_of(project, 'name = "darts"\n[dev]\nproject = "darts"\n')
    assert settings.environments["dev"].project == "darts"
    assert (settings.production_project, settings.other_projects("dev")) == ("", {})


def test_a_message_never_shows_a_value_of_the_servers_environment(project: Path) -> None:
    error = error_in(project, '[server.env]\nSECRET_KEY = ["canary-4711"]\n')
    assert error.message == "dartsctl.toml:2: server.env.SECRET_KEY: expected a string, got a list"
    assert "canary" not in error.hint + "".join(error.details)


# --- variables ---------------------------------------------------------------------------------


def test_variables_win_over_the_file(project: Path) -> None:
    environ = {
        "DARTSCTL_DEV_RANGE": "7001-7099",
        "DARTSCTL_DEV_FILES": os.pathsep.join(["a.yml", "/b.yml", ""]),
        "DARTSCTL_PROD_FILES": "p.yml",
        "DARTSCTL_DEV_PROJECT": "other-dev",
        "DARTSCTL_PROD_PROJECT": "other",
        "DARTSCTL_ON_CONFLICT": "wait",
        "DARTSCTL_WAIT_TIMEOUT": "7",
        "DARTSCTL_SETTLING_TIME": "0",
    }
    settings = settings_of(project, COMPLETE, environ)
    dev, prod, staging = (settings.environments[name] for name in ("dev", "prod", "staging"))
    assert settings.ports.dev_range == PortRange(7001, 7099)
    assert (dev.files, prod.files) == ((project / "a.yml", Path("/b.yml")), (project / "p.yml",))
    assert (dev.project, prod.project, staging.project) == ("other-dev", "other", "darts-staging")
    assert {environment.on_conflict for environment in (dev, prod, staging)} == {"wait"}
    assert {environment.wait_timeout for environment in (dev, prod, staging)} == {7.0}
    assert {environment.settling_time for environment in (dev, prod, staging)} == {0.0}
    assert settings.origin("dev", "files") == "DARTSCTL_DEV_FILES"
    assert settings.origin("dev", "profiles") == "dartsctl.toml:6: dev.profiles"


def test_an_empty_variable_counts_as_unset_and_other_variables_are_ignored(project: Path) -> None:
    settings = settings_of(
        project,
        "",
        {"DARTSCTL_DEV_RANGE": "", "DARTSCTL_STATE_DIR": "/x", "DARTSCTL_WHATEVER": "1"},
    )
    assert settings.ports.dev_range == DEV_RANGE


@pytest.mark.parametrize(
    ("variable", "text", "problem"),
    [
        ("DARTSCTL_DEV_RANGE", "http", "'http' is not a port range"),
        (
            "DARTSCTL_DEV_RANGE",
            "4999-5001",
            "the dev range 4999-5001 contains production ports: 5000 (darts-app)",
        ),
        ("DARTSCTL_WAIT_TIMEOUT", "soon", "'soon' is not a number of seconds"),
        ("DARTSCTL_WAIT_TIMEOUT", "-1", "the number of seconds must be greater than 0: -1.0"),
        ("DARTSCTL_ON_CONFLICT", "kill", "'kill' is not one of"),
        ("DARTSCTL_DEV_PROJECT", "Dev", "'Dev' is not a project name"),
        ("DARTSCTL_DEV_PROJECT", "shop", "dev and prod have the same project name, 'shop'"),
        ("DARTSCTL_PROD_FILES", os.pathsep, "the list is empty"),
    ],
)
def test_an_error_in_a_variable_names_the_variable(
    project: Path, variable: str, text: str, problem: str
) -> None:
    touch(project, "compose.prod.yaml")
    assert error_in(project, "", {variable: text}).message.startswith(f"{variable}: {problem}")


@pytest.mark.parametrize(
    ("choices", "module", "name"),
    [
        (ON_PORTS, "config/settings.py", "ProductionPorts"),
        (ON_UNSAFE, "config/settings.py", "Unsafe"),
        (ON_CONFLICT, "config/settings.py", "OnConflict"),
        (SERVICES, "config/settings.py", "Services"),
        (ENFORCE, "server/request.py", "Enforcement"),
        (HANDOVER, "server/handover.py", "HandoverMode"),
    ],
)
def test_the_choices_of_a_setting_are_the_words_of_its_type(
    choices: tuple[str, ...], module: str, name: str
) -> None:
    assert choices == literals(module, name)


# --- lines -------------------------------------------------------------------------------------


def test_line_numbers_ignore_text_that_only_looks_like_a_key() -> None:
    text = '''\
# name = "comment"
a = """
[not.a.header]
b = 1
"""
c = [ # [x]
  "d = 1", ']',
  { e = 1 },
]
f = \'\'\'
g = 1
\'\'\'
[ "h i" . j ]
k . "l\\u002em" = "]"
[[n]]
  o = 1979-05-27T07:32:00Z # ["
'p"' = "\\"["
q = {r = "}", s = [1,
2]}
t=1'''
    assert line_numbers(text) == {
        ("a",): 2,
        ("c",): 6,
        ("f",): 10,
        ("h i",): 13,
        ("h i", "j"): 13,
        ("h i", "j", "k"): 14,
        ("h i", "j", "k", "l.m"): 14,
        ("n",): 15,
        ("n", "o"): 16,
        ("n", 'p"'): 17,
        ("n", "q"): 18,
        ("n", "t"): 20,
    }


def test_the_doctor_settings_are_read(tmp_path: Path) -> None:
    (tmp_path / "dartsctl.toml").write_text(
        '[doctor]\nproxy = "edge"\nurl = "https://darts.example.org/login?x=1"\n'
    )
    doctor = load(tmp_path, {}).doctor
    assert (doctor.proxy, doctor.url) == ("edge", "https://darts.example.org/login?x=1")


@pytest.mark.parametrize(
    "url", ["darts.example.org", "ftp://a/", "https://", "https://me:hunter2@a/", "https://a b/"]
)
def test_the_url_of_the_doctor_is_complete_and_without_user(tmp_path: Path, url: str) -> None:
    (tmp_path / "dartsctl.toml").write_text(f'[doctor]\nurl = "{url}"\n')
    with pytest.raises(UsageError, match=r"dartsctl\.toml:2: doctor\.url") as caught:
        load(tmp_path, {})
    assert "hunter2" not in caught.value.message + caught.value.hint


def test_the_watch_settings_are_read(project: Path) -> None:
    watch = settings_of(
        project,
        """[watch]
notify = ["mailtos://a@example.org", "ntfy://x"]
escalate = ["json://localhost"]
escalate_after = "1h30m"
remind = 0
heartbeat = "https://hc.example.org/ping/x"
heartbeat_interval = "30s"
interval = 10
metrics = 9464
heal = true
reserve = true
certificate_days = 0
disk_percent = 95
""",
    ).watch
    assert watch.notify == ("mailtos://a@example.org", "ntfy://x")
    assert watch.escalate == ("json://localhost",)
    assert (watch.escalate_after, watch.remind, watch.heartbeat_interval) == (5400, 0, 30)
    assert (watch.interval, watch.metrics, watch.heal, watch.reserve) == (10, 9464, True, True)
    assert (watch.certificate_days, watch.disk_percent) == (0, 95)
    assert (watch.open_after, watch.close_after) == (20, 15)
    assert "example.org" not in repr(watch), "URLs may contain secrets"


def test_the_urls_of_the_watch_may_come_from_variables(project: Path) -> None:
    environ = {"DARTSCTL_WATCH_NOTIFY": "a://x  b://y", "DARTSCTL_WATCH_HEARTBEAT": "https://h/"}
    watch = settings_of(project, '[watch]\nnotify = ["c://z"]', environ).watch
    assert (watch.notify, watch.heartbeat) == (("a://x", "b://y"), "https://h/")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('remind = "soon"', "'soon' is not a length of time"),
        ('remind = "-2h"', "'-2h' is not a length of time"),
        ("remind = true", "true is not a length of time"),
        ('remind = "400d"', "must be between 0 s and 365 d"),
        ("remind = inf", "must be between 0 s and 365 d"),
        ("remind = nan", "must be between 0 s and 365 d"),
        ("interval = 0.01", "must be between 1 s and 365 d"),
        ("interval = 0", "must be between 1 s and 365 d"),
        ("metrics = 70000", "70000 is not a port number"),
        ('heal = "yes"', "'yes' is not true or false"),
        ("reserve = 1", "is not true or false"),
        ("disk_percent = 101", "101 is not a whole number from 1 to 100"),
        ("certificate_days = 1.5", "1.5 is not a whole number from 0 to 3650"),
        ("notify = 'ntfy://x'", "expected a list of strings, got a string"),
        ("notifi = []", "unknown key"),
    ],
)
def test_a_wrong_watch_setting_names_its_line(project: Path, line: str, problem: str) -> None:
    error = error_in(project, f"[watch]\n{line}\n")
    assert error.message.startswith("dartsctl.toml:2: watch")
    assert problem in error.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('name = "darts"\n[dev]\nfiles = ["dev.yml"]', "darts"),
        ('name = "darts"\n[dev]\nproject = "darts"\nfiles = ["dev.yml"]', ""),
        ('[dev]\nfiles = ["dev.yml"]', ""),
        ('[prod]\nfiles = ["prod.yml"]', "shop"),
    ],
    ids=["a name", "dev's own", "only the folder", "production"],
)
def test_production_is_spared_where_the_settings_say_its_project_also_from_another_folder(
    project: Path, text: str, expected: str
) -> None:
    assert settings_of(project, text).production_project == expected
