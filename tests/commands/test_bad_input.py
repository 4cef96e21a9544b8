"""Bad input: one clear sentence, the next command, the right exit code, and no traceback."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from live.stack import LiveStack, Said

pytest_plugins = ("live.stack",)

OK = {"services": {"a": {"image": "dartsctl-test/busybox:1"}}}


def one_error(result: Said, code: int) -> str:
    """Return the error of a call that ended with `code`: one line, and a next command or a hint."""
    errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert result.code == code, result
    assert len(errors) == 1, result.err
    assert result.out == ""
    steps = [line for line in result.err.splitlines() if line.startswith(("next: ", "hint: "))]
    assert [line for line in steps if len(line) > 8], result.err
    return errors[0]


# --- Compose files: every row of engine-rules.md#compose-config --------------------------------

REFUSED: dict[str, tuple[str, int, str, str]] = {
    # the file, the exit code, words of the sentence, words of the hint
    "required-variable": (
        '{services: {a: {image: x, ports: ["${X:?X must be set}"]}}}',
        1,
        "service a: ports: required variable X is not set: X must be set",
        "set X",
    ),
    "env-file-missing": (
        "{services: {a: {image: x, env_file: nope.env}}}",
        1,
        "service a: env_file: no such file: ",
        "nope.env",
    ),
    "broken-yaml": ("services:\n  a:\n    image: x\n   ports: a: b\n", 1, "c.yml", "indentation"),
    "unknown-key": (
        '{services: {a: {image: x, prots: ["1:1"]}}}',
        1,
        "service a: unknown key: prots",
        "did you mean ports?",
    ),
    "port-too-high": (
        '{services: {a: {image: x, ports: ["99999:80"]}}}',
        1,
        'service a: ports: "99999:80": "99999" is not a host port',
        "write ports as",
    ),
    "ranges-of-different-length": (
        '{services: {a: {image: x, ports: ["21000-21002:80-81"]}}}',
        1,
        "is not a pair of ranges of one length",
        "write ports as",
    ),
    "name-as-address": (
        '{services: {a: {image: x, ports: ["localhost:21000:80"]}}}',
        1,
        '"localhost" is not an IP address',
        "write ports as",
    ),
    "unknown-protocol": (
        '{services: {a: {image: x, ports: ["21000:80/http"]}}}',
        1,
        '"http" is not a protocol',
        "write ports as",
    ),
    "include-missing": (
        "{include: [nope.yaml], services: {a: {image: x}}}",
        1,
        "nope.yaml",
        "check the path",
    ),
    "extends-missing": (
        "{services: {a: {extends: {file: nope.yaml, service: b}}}}",
        1,
        "nope.yaml",
        "check the path",
    ),
    "depends-on-unknown": (
        "{services: {a: {image: x, depends_on: [zz]}}}",
        1,
        "service a: depends_on: service zz does not exist",
        "depends_on",
    ),
    "name-and-replicas": (
        "{services: {a: {image: x, container_name: name, deploy: {replicas: 2}}}}",
        1,
        "service a: `container_name` and several replicas exclude each other",
        "container_name",
    ),
    "empty-file": ("", 1, "it has no services", "services:"),
}


@pytest.mark.engine
@pytest.mark.parametrize("case", REFUSED)
def test_what_compose_refuses_is_reported_in_one_sentence_with_the_next_step(
    live: LiveStack, case: str
) -> None:  # edge-cases.md#57
    text, code, sentence, hint = REFUSED[case]
    (live.folder / "c.yml").write_text(text)
    result = live.run("check", "-f", "c.yml", "-p", live.project)
    error = one_error(result, code)
    assert sentence in error
    assert hint in result.err
    document = live.run("check", "-f", "c.yml", "-p", live.project, "--json")
    assert (document.code, document.document["exit_code"], document.document["ok"]) == (
        code,
        code,
        False,
    )


def test_a_path_cannot_inject_code_into_a_proposed_command(live: LiveStack) -> None:
    folder = live.folder / "$(touch pasted)"
    folder.mkdir()
    result = live.run("check", "--no-engine", "-f", folder / "nope.yml")
    assert result.code == 2
    command = result.err.partition("next: ")[2].rpartition(": ")[2]
    subprocess.run(["sh", "-c", command], cwd=live.folder, capture_output=True, check=True)
    assert [entry.name for entry in live.folder.iterdir()] == [folder.name]


@pytest.mark.engine
def test_compose_files_that_are_not_there_are_a_usage_error(live: LiveStack) -> None:
    assert f"no such file: {live.folder / 'nope.yml'}" in one_error(
        live.run("check", "-f", "nope.yml"), 2
    )
    assert "is a folder" in one_error(live.run("check", "-f", "."), 2)
    assert f"no Compose file in {live.folder}" in one_error(live.run("check"), 2)
    (live.folder / "docker-compose.dev.yml").write_text("services: {}")
    result = live.run("check")
    assert "picks none of the files in" in one_error(result, 2)
    assert "next: dartsctl check -f docker-compose.dev.yml\n" in result.err
    (live.folder / "docker-compose.dev.yml").unlink()
    (live.folder / "c.json").write_text(json.dumps(OK))
    assert f"no such file: {live.folder / 'nope.env'}" in one_error(
        live.run("check", "-f", "c.json", "--env-file", "nope.env"), 2
    )


@pytest.mark.engine
def test_an_unknown_service_gets_a_suggestion(live: LiveStack) -> None:
    live.compose({"darts-app": OK["services"]["a"], "nginx": OK["services"]["a"]})
    live.settings()
    for verb in ("check", "up", "config"):
        result = live.run("prod", verb, "dart-app")
        assert "no such service: dart-app" in one_error(result, 1)
        assert "did you mean darts-app?" in result.err
    command = live.run("prod", "up", "zzz").err.rpartition("next: ")[2]
    assert command.startswith("docker compose --file ")
    shown = subprocess.run(
        shlex.split(command), cwd=live.folder, capture_output=True, text=True, check=True
    )
    assert sorted(shown.stdout.split()) == ["darts-app", "nginx"]


@pytest.mark.engine
def test_a_file_without_services_has_nothing_to_start(live: LiveStack) -> None:
    (live.folder / "c.json").write_text('{"services": {}}')
    result = live.run("check", "-f", "c.json", "-p", live.project)
    assert result.code == 1, "as with Compose's own `up`"
    assert "nothing to start: no service of the Compose files is enabled" in result.err


@pytest.mark.engine
@pytest.mark.parametrize("name", ["Darts", "-x", "a b", "ä", ""])
def test_a_project_name_that_compose_would_refuse_is_a_usage_error(
    live: LiveStack, name: str
) -> None:
    (live.folder / "c.json").write_text(json.dumps(OK))
    one_error(live.run("check", "-f", "c.json", f"--project={name}"), 2)


# --- settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[prod\nfiles = []", ("dartsctl.toml",)),
        ('[prod]\nfilse = ["a.yml"]', ("dartsctl.toml:2", "filse", "files")),
        ("[prod]\nfiles = 3", ("dartsctl.toml:2", "prod.files")),
        ('[prod]\nfiles = ["nope.yml"]\nenv_files = []', ("dartsctl.toml:2", "nope.yml")),
        ('[ports]\ndev_range = "5099-5001"', ("dartsctl.toml:2", "dev_range")),
        ("[ports.production]\nweb = 65536", ("dartsctl.toml:2", "65536")),
        ('[dev]\nproject = "x"\n[prod]\nproject = "x"', ("dartsctl.toml", "project")),
    ],
)
def test_broken_settings_are_named_with_file_line_and_key(
    live: LiveStack, text: str, words: tuple[str, ...]
) -> None:
    (live.folder / "dartsctl.toml").write_text(text)
    for verb in (("prod", "up"), ("prod", "check", "--json")):
        result = live.run(*verb)
        assert result.code == 2
        assert all(word in result.text for word in words), result.text


def test_production_without_the_env_file_that_it_needs_is_refused(live: LiveStack) -> None:
    needy = {"services": {"web": {"image": "x", "environment": {"KEY": "${KEY:?}"}}}}
    (live.folder / "prod.json").write_text(json.dumps(needy))
    (live.folder / "dartsctl.toml").write_text('[prod]\nfiles = ["prod.json"]\n')
    assert ".env.production" in one_error(live.run("prod", "up"), 4)
    (live.folder / ".env.production.example").write_text("A=change-me\n")
    result = live.run("prod", "up")
    assert "cp " in result.err
    assert ".env.production.example" in result.err


def test_no_stack_and_several_stacks_are_answered_with_the_lines_to_write(live: LiveStack) -> None:
    (live.folder / ".env.production").write_text("")
    result = live.run("prod", "up")
    assert "no Compose file for prod" in one_error(result, 2)
    assert "[prod]" in result.err
    for name in ("compose.prod.yml", "docker-compose-prod.yml"):
        (live.folder / name).write_text("services: {}")
    result = live.run("prod", "up")
    one_error(result, 2)
    assert "compose.prod.yml" in result.err
    assert "docker-compose-prod.yml" in result.err


# --- words -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("chekc",), "check"),
        (("prod", "upp"), "up"),
        (("prdo", "up"), "prod"),
        (("prod", "up", "--wait-timout", "3"), "--wait-timeout"),
    ],
)
def test_an_unknown_word_gets_a_suggestion(
    live: LiveStack, words: tuple[str, ...], sentence: str
) -> None:
    result = live.run(*words)
    one_error(result, 2)
    assert (
        re.search(rf"[Dd]id you mean '?{sentence}", result.err)
        or f"options: {sentence}" in result.err
    ), result.err


def test_an_environment_that_only_the_settings_know_is_suggested(live: LiveStack) -> None:
    live.settings(environment="staging")
    result = live.run("stagin", "up")
    assert "Did you mean 'staging'" in one_error(result, 2)


@pytest.mark.parametrize(
    "words",
    [
        ("prod", "up", "--wait-timeout", "0"),
        ("prod", "up", "--wait-timeout", "soon"),
        ("prod", "up", "--scale", "web"),
        ("prod", "up", "--scale", "web=-1"),
        ("prod", "up", "--scale", "web=1000000000"),
        ("prod", "up", "--scale", "web=\u00b2"),
        ("dev", "stop", "9" * 5000),
        ("prod", "up", "--pull", "sometimes"),
        ("prod", "down", "--timeout", "-1"),
        ("run", "--port", "0", "--", "true"),
        ("run", "--port", "65536", "--", "true"),
        ("run", "--port", "http", "--", "true"),
        ("dev", "stop", "http"),
        ("run",),
    ],
)
def test_an_invalid_value_is_a_usage_error(
    live: LiveStack, words: tuple[str, ...]
) -> None:  # edge-cases.md#86
    (live.folder / "compose.json").write_text(json.dumps(OK))
    live.settings()
    one_error(live.run(*words), 2)


def test_a_production_port_for_a_server_is_refused_with_who_reserves_it(live: LiveStack) -> None:
    error = one_error(live.run("run", "--port", "5000", "--", "true"), 4)
    assert "5000" in error
    assert "reserved for production by dartsctl's default list" in error


def test_a_group_without_a_verb_shows_its_help(live: LiveStack) -> None:
    for words in ((), ("prod",)):
        result = live.run(*words)
        assert result.code == 2
        assert "Usage: dartsctl" in result.text


# --- Docker ------------------------------------------------------------------------------------


@pytest.mark.engine
@pytest.mark.parametrize("verb", ["check", "up", "ps", "restart", "down"])
def test_an_engine_that_is_down_is_reported_with_how_to_start_it(
    live: LiveStack, verb: str
) -> None:
    (live.folder / "compose.json").write_text(json.dumps(OK))
    live.settings()
    with socket.socket(
        socket.AF_UNIX
    ) as dead:  # a socket file without a listener, as after a crash
        dead.bind(str(live.folder / "dead.sock"))
    for place in ("none.sock", "dead.sock"):
        result = live.run("prod", verb, DOCKER_HOST=f"unix://{live.folder}/{place}")
        one_error(result, 5)


def test_an_engine_that_never_answers_is_given_up_after_a_deadline(
    tmp_path: Path,
) -> None:  # edge-cases.md#41
    from dartsctl.edges.engine.connect import engine_at
    from dartsctl.errors import DockerUnavailable

    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen()
        with pytest.raises(DockerUnavailable, match=r"did not answer within"):
            engine_at(f"unix://{tmp_path}/silent.sock", deadline=0.2).containers()


@pytest.mark.engine
@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"),
    reason="only root can become somebody without rights",
)
def test_without_permission_for_the_engine_the_group_is_named(
    live: LiveStack, tmp_path: Path
) -> None:
    from dartsctl.edges.engine.installation import NothingKnown, find_compose
    from live.stack import Said

    plugins = tmp_path / "docker" / "cli-plugins"
    plugins.mkdir(parents=True)
    shutil.copy(find_compose(os.environ, NothingKnown()).command[0], plugins / "docker-compose")
    (live.folder / "compose.json").write_text(json.dumps(OK))
    for folder in (tmp_path.parent, *tmp_path.parents[1:-2]):
        folder.chmod(folder.stat().st_mode | 0o011)
    tmp_path.chmod(0o755)
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "nowhere"),
        "DOCKER_CONFIG": str(plugins.parent),
        "DOCKER_HOST": os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }

    def as_nobody(*words: str) -> Said:
        argv = [
            "setpriv",
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
            sys.executable,
            *words,
        ]
        done = subprocess.run(
            argv,
            cwd=live.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    if as_nobody("-c", "import dartsctl.cli.app").code:
        pytest.skip("this checkout or its virtual environment is readable for its owner alone")
    for words in (("check", "-f", "compose.json"), ("check", "-f", "compose.json", "-q")):
        result = as_nobody("-m", "dartsctl", *words)
        assert "permission denied by the Docker engine" in one_error(result, 5)
        assert "usermod -aG docker" in result.err


# --- the place ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "check",
        "prod up",
        "ports",
        "run -- true",
        "dev url",
        "check --project-dir /",
        "init",
        "doctor",
        "guard status",
        "trust",
    ],
)
def test_a_deleted_working_folder_is_reported(live: LiveStack, words: str) -> None:
    script = f"mkdir gone; cd gone; rmdir ../gone; exec {sys.executable} -m dartsctl {words}"
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=live.folder,
        env=live.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "the working folder no longer exists" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("check", "-f"),
        ("check", "--env-file"),
        ("prod", "check", "--project-dir"),
        ("guard", "status", "--venv"),
    ],
)
@pytest.mark.parametrize("name", ["x" * 300, "x/" * 3000])
def test_a_name_that_no_file_system_takes_is_reported(
    live: LiveStack, words: tuple[str, ...], name: str
) -> None:
    result = live.run(*words, name)
    assert result.code in (1, 2), result
    assert result.err.startswith("error: "), result


@pytest.mark.parametrize(
    ("name", "value"),
    [("DARTSCTL_DEV_FILES", "x" * 300), ("DARTSCTL_PROJECT_DIR", "x" * 300), ("PORT", "9" * 5000)],
)
def test_a_variable_that_is_too_long_for_its_purpose_is_reported(
    live: LiveStack, name: str, value: str
) -> None:
    result = live.run("dev", "--no-services", "--dry-run", env={name: value})
    assert result.code in (0, 1, 2), result


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_without_its_variables_is_a_usage_error(live: LiveStack, shell: str) -> None:
    """edge-cases.md#83."""
    result = live.run(env={"_DARTSCTL_COMPLETE": f"complete_{shell}"})
    assert result.code in (0, 2), result


def test_a_reader_that_has_gone_is_no_error(live: LiveStack) -> None:  # edge-cases.md#85
    """Like `dartsctl ports --json | head -1`, with a reader that ends before the first line."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        process = subprocess.Popen(
            [sys.executable, "-m", "dartsctl", "ports", "--json"],
            cwd=live.folder,
            env=live.environ,
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
        )
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert err == ""


@pytest.mark.skipif(
    os.geteuid() == 0 and not shutil.which("setpriv"), reason="root writes everywhere"
)
def test_a_state_folder_that_cannot_be_created_is_reported(live: LiveStack) -> None:
    (live.folder / "file").write_text("")
    result = live.run("run", "--", "true", DARTSCTL_STATE_DIR=str(live.folder / "file" / "state"))
    one_error(result, 1)
    assert "state" in result.err
