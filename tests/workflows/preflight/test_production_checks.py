"""What production must not start with, on the real engine.

It is refused with 4 before anything is done, and shown by name, never by value.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from signing import make_pair

if TYPE_CHECKING:
    from live.stack import LiveStack, Said

pytest_plugins = ("live.stack",)
pytestmark = pytest.mark.engine

STRONG = "canary-9f2c4b7e1d8a6035"


def env_file(live: LiveStack, text: str, *, mode: int = 0o600) -> Path:
    path = live.folder / "prod.env"
    path.write_text(text)
    path.chmod(mode)
    return path


def stack(
    live: LiveStack,
    *published: str,
    environment: dict[str, str] | None = None,
    settings: str = "",
    **more: Any,
) -> None:
    """Write one service that needs DB_PASSWORD, and production's settings for it."""
    from live.stack import sleeper

    live.compose(
        {
            "web": sleeper(
                *published,
                environment={"DB_PASSWORD": "${DB_PASSWORD:-}", **(environment or {})},
                **more,
            )
        }
    )
    live.settings(f'env_files = ["prod.env"]\n{settings}')


def objections(result: Said) -> dict[str, str]:
    """Return the kind by name, from `--json`."""
    return {item["name"]: item["kind"] for item in result.document["objections"]}


# --- refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "verb",
    [("up",), ("up", "--dry-run"), ("up", "--skip-port-check"), ("check",), ("check", "--fix")],
)
def test_weak_secrets_are_refused_by_their_names_and_nothing_is_created(
    live: LiveStack, verb: tuple[str, ...]
) -> None:
    stack(live)
    env_file(live, "# mine\nDB_PASSWORD=canary-change-me\nAPI_TOKEN=canary\nTZ=canary-zone\n")
    result = live.run("prod", *verb)
    assert result.code == 4
    assert "DB_PASSWORD (prod.env:2) is still a placeholder" in result.err
    assert "API_TOKEN (prod.env:3) has fewer than 12 characters" in result.err
    assert "TZ" not in result.err
    assert "canary" not in result.text
    assert live.leftovers() == []


def test_restart_is_refused_too_and_the_running_containers_are_kept(live: LiveStack) -> None:
    stack(live)
    env_file(live, f"DB_PASSWORD={STRONG}\n")
    assert live.run("prod", "up").code == 0
    before = live.identities()
    env_file(live, "DB_PASSWORD=postgres\n")
    for verb in ("restart", "up"):
        result = live.run("prod", verb)
        assert result.code == 4
        assert "DB_PASSWORD (prod.env:1) is a well-known default" in result.err
    assert live.identities() == before
    assert set(live.containers().values()) == {"running"}


def test_the_json_document_has_every_objection_and_the_same_code(live: LiveStack) -> None:
    stack(live, environment={"BROKER": "amqp://guest:guest@mq/", "MODE": "plain"})
    path = env_file(live, "DB_PASSWORD=change-me\nSITE=https://darts.example.org\n", mode=0o644)
    for verb in ("check", "up"):
        result = live.run("prod", verb, "--json")
        assert result.code == result.document["exit_code"] == 4
        assert result.document["ok"] is False
        assert objections(result) == {
            "DB_PASSWORD": "placeholder",
            "SITE": "reserved-domain",
            str(path): "readable",
            "web.BROKER": "default",
        }
        assert [item["refused"] for item in result.document["objections"]] == [
            True,
            False,
            True,
            True,
        ]
        assert set(result.document["objections"][0]) == {
            "kind",
            "name",
            "where",
            "message",
            "refused",
        }


def test_a_port_conflict_is_listed_too_and_nothing_is_stopped_for_a_refused_stack(
    live: LiveStack,
) -> None:
    pid = live.listen(live.ports[0])
    stack(live, f"127.0.0.1:{live.ports[0]}:80")
    env_file(live, "DB_PASSWORD=change-me\n")
    for verb in (
        ("up",),
        ("check",),
        ("up", "--on-conflict", "stop", "--yes"),
        ("check", "--fix", "--on-conflict", "stop", "--yes"),
    ):
        result = live.run("prod", *verb)
        assert result.code == 4, verb
        assert "DB_PASSWORD" in result.err
        assert f"pid {pid}" in result.err
    os.kill(pid, 0)
    result = live.run("prod", "up", "--json")
    assert [len(result.document[key]) for key in ("objections", "conflicts")] == [1, 1]
    env_file(live, f"DB_PASSWORD={STRONG}\n")
    assert live.run("prod", "up").code == 3


def test_every_missing_variable_is_named_at_once_with_what_else_is_wrong(live: LiveStack) -> None:
    from live.stack import sleeper

    needs = {name: f"${{{name}:?set it}}" for name in ("A_PASSWORD", "B_TOKEN", "C_HOST", "D_KEY")}
    live.compose({"web": sleeper(environment=needs)})
    live.settings('env_files = ["prod.env"]')
    env_file(live, "B_TOKEN=change-me\nC_HOST=\n", mode=0o640)
    for verb in ("check", "up", "restart"):
        result = live.run("prod", verb, env={"D_KEY": STRONG})
        assert result.code == 4
        assert "A_PASSWORD is required, but not set" in result.err
        assert "C_HOST is required, but not set" in result.err
        assert "B_TOKEN (prod.env:1) is still a placeholder" in result.err
        assert "accessible to its group (mode 0640)" in result.err
        assert "D_KEY" not in result.err
    assert live.run("prod", "check", "--json").document["exit_code"] == 4


def test_elsewhere_a_missing_variable_stays_composes_own_error(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose({"web": sleeper(environment={"A": "${A_PASSWORD:?set it}"})})
    live.settings(environment="dev")
    result = live.run("dev", "check")
    assert result.code == 1
    assert "required variable A_PASSWORD is not set: set it\n" in result.err


def test_what_the_environment_overrides_is_judged_instead_of_the_file(live: LiveStack) -> None:
    stack(live)
    env_file(live, "DB_PASSWORD=change-me\n")
    assert live.run("prod", "check", env={"DB_PASSWORD": STRONG}).code == 0
    env_file(live, f"DB_PASSWORD={STRONG}\n")
    result = live.run("prod", "check", env={"DB_PASSWORD": "postgres"})
    assert result.code == 4
    assert "DB_PASSWORD (the environment) is a well-known default" in result.err


def test_values_of_the_example_beside_it_are_refused_where_they_are_secrets(
    live: LiveStack,
) -> None:
    stack(live)
    (live.folder / "prod.env.example").write_text(
        f"DB_PASSWORD={STRONG}\nTZ=Europe/Berlin\nLEVEL=info\n"
    )
    env_file(live, f"DB_PASSWORD={STRONG}\nTZ=Europe/Berlin\nLEVEL=info\n")
    assert objections(live.run("prod", "check", "--json")) == {"DB_PASSWORD": "example"}
    (live.folder / "prod.env.example").write_text("broken 'line\n")
    assert live.run("prod", "check").code == 0


def test_secrets_written_into_the_compose_files_are_named_by_their_service(live: LiveStack) -> None:
    (live.folder / "inner.env").write_text("INNER_SECRET=admin\n")
    environment = {
        "POSTGRES_PASSWORD": "${NOWHERE:-postgres}",
        "WITH_DOLLAR_KEY": "canary-$$9f2c4b7e",
    }
    stack(live, environment=environment, env_file=["inner.env"])
    env_file(live, "")
    result = live.run("prod", "check", "--json")
    assert objections(result) == {"web.POSTGRES_PASSWORD": "default", "web.INNER_SECRET": "default"}


@pytest.mark.parametrize("verb", ["check", "up"])
def test_a_file_that_only_compose_can_read_is_refused(live: LiveStack, verb: str) -> None:
    stack(live)
    env_file(live, "DB_PASSWORD: change-me\n")  # Compose accepts a colon as well
    result = live.run("prod", verb)
    assert result.code == 4
    assert "prod.env:1" in result.err
    assert "could not be checked" in result.err
    assert "change-me" not in result.err


# --- allowed -----------------------------------------------------------------------------------


def test_a_good_file_that_its_owner_alone_may_read_starts(live: LiveStack) -> None:
    stack(live, settings="wait_timeout = 60")
    env_file(live, f"DB_PASSWORD={STRONG}\nTZ=Europe/Berlin\nDEBUG=False\n", mode=0o644)
    result = live.run("prod", "up")
    assert result.code == 4
    assert f"chmod 600 {live.folder}/prod.env" in result.err
    (live.folder / "prod.env").chmod(0o600)
    result = live.run("prod", "up")
    assert result.code == 0, result.err
    assert "canary" not in result.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused_unless_sudo_is_theirs_or_the_folder_is_trusted(
    live: LiveStack,
) -> None:
    stack(live)
    path = env_file(live, f"DB_PASSWORD={STRONG}\n")
    os.chown(path, 1234, 1234)
    result = live.run("prod", "check")
    assert result.code == 4
    assert "belongs to another user (1234)" in result.err
    assert live.run("prod", "check", env={"SUDO_UID": "1234", "SUDO_GID": "1234"}).code == 0
    assert live.run("trust").code == 0
    assert live.run("prod", "check").code == 0


def test_unsafe_warn_only_warns(live: LiveStack) -> None:
    stack(live, settings='unsafe = "warn"')
    env_file(live, "DB_PASSWORD=change-me\n", mode=0o644)
    result = live.run("prod", "check", "--json")
    assert result.code == 0
    assert result.document["ok"] is True
    assert [item["refused"] for item in result.document["objections"]] == [False, False]
    result = live.run("prod", "up")
    assert result.code == 0, result.err
    assert "warning: DB_PASSWORD (prod.env:1) is still a placeholder" in result.err


def test_other_environments_are_not_judged(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose({"web": sleeper(environment={"SECRET_KEY": "secret"})})
    env_file(live, "DB_PASSWORD=change-me\n", mode=0o644)
    for name in ("dev", "staging"):
        live.settings('env_files = ["prod.env"]', environment=name)
        result = live.run(name, "check", "--json")
        assert (result.code, result.document["objections"]) == (0, [])
    result = live.run("check", "-f", "compose.json", "--env-file", "prod.env", "--json")
    assert (result.code, result.document["objections"]) == (0, [])


def test_what_is_no_regular_file_is_left_to_compose(live: LiveStack) -> None:
    stack(live, environment={"OTHER": "x"})
    live.settings('env_files = ["/dev/null"]')
    assert live.run("prod", "check").code == 0


# --- certificates ------------------------------------------------------------------------------


def front_door(live: LiveStack, *, read_only: bool = True, settings: str = "") -> Path:
    """Write a stack of nginx with its https port and a folder for certificates."""
    from live.stack import sleeper

    folder = live.folder / "certs"
    folder.mkdir(exist_ok=True)
    mount = {
        "type": "bind",
        "source": str(folder),
        "target": "/etc/nginx/certs",
        "read_only": read_only,
    }
    live.compose({"nginx": sleeper(f"127.0.0.1:{live.ports[0]}:443", volumes=[mount])})
    live.settings(settings)
    return folder


def test_a_missing_certificate_is_refused_and_the_command_in_the_hint_makes_it(
    live: LiveStack,
) -> None:
    folder = front_door(live)
    result = live.run("prod", "up")
    assert result.code == 4
    assert f"{folder} contains no certificate with its key; nginx reads it there" in result.err
    hint = result.err.splitlines()[-1].removeprefix("next: ")
    assert hint == f"dartsctl init --certificate {folder}"
    assert live.run(*hint.split()[1:], "--yes").code == 0
    result = live.run("prod", "up")
    assert result.code == 0, result.err
    (folder / "tls.key").unlink()
    assert objections(live.run("prod", "check", "--json")) == {str(folder): "no-certificate"}


def test_an_expired_or_mismatched_certificate_is_refused(live: LiveStack) -> None:
    folder = front_door(live)
    make_pair(folder, days=-1)
    result = live.run("prod", "check")
    assert result.code == 4
    assert (
        f"{folder}/tls.crt expired on {time.strftime('%Y-%m-')}" in result.err
        or "tls.crt expired on" in result.err
    )
    subprocess.run(
        ["openssl", "genrsa", "-out", folder / "tls.key", "2048"], capture_output=True, check=True
    )
    result = live.run("prod", "check", "--json")
    assert objections(result) == {str(folder / "tls.crt"): "mismatch"}


def test_a_certificate_that_expires_soon_is_a_warning(live: LiveStack) -> None:
    folder = front_door(live)
    make_pair(folder, days=13)
    result = live.run("prod", "check")
    assert result.code == 0
    assert "warning: " in result.err
    assert f"{folder}/tls.crt expires on " in result.err
    assert live.run("prod", "up").code == 0


def test_a_folder_that_the_stack_fills_itself_may_be_empty(live: LiveStack) -> None:
    front_door(live, read_only=False)
    assert live.run("prod", "check").code == 0


def test_certificates_on_a_remote_engines_host_are_reported_as_unchecked() -> None:
    from dartsctl.stack.engine_rules import EngineRules
    from dartsctl.stack.model import Mount, PortEntry, Service, Stack
    from dartsctl.workflows.preflight.production_checks import ProductionEnvFiles, objections_to

    nginx = Service(
        "nginx",
        ports=(PortEntry(443, "tcp", "443"),),
        mounts=(Mount("/no/such/certs", "/etc/nginx/certs", read_only=True),),
    )
    stack = Stack("shop", {"nginx": nginx}, {})
    (objection,) = objections_to(
        ProductionEnvFiles((), (), {}, {}),
        stack,
        EngineRules(kind="remote", endpoint="ssh://elsewhere"),
        written=dict,
        now=0,
    )
    assert (objection.kind, objection.is_warning) == ("unchecked", True)
    assert "ssh://elsewhere" in objection.sentence
    assert [
        objection.kind
        for objection in objections_to(
            ProductionEnvFiles((), (), {}, {}), stack, EngineRules(), written=dict, now=0
        )
    ] == ["no-certificate"]


# --- nothing is shown --------------------------------------------------------------------------


def test_no_value_of_any_env_file_is_in_any_output(live: LiveStack) -> None:
    """Good and weak values in files, examples, the environment and the model; every verb."""
    from live.stack import sleeper

    values = {
        "GOOD_PASSWORD": "canary01-9f2c4b7e",
        "WEAK_PASSWORD": "canary02",
        "PLACE_SECRET": "canary03-change-me",
        "PLACE_HOLDER": "change-me-canary04",
        "BROKER_URL": "amqp://canary05:canary06@mq/canary07",
        "EXAMPLE_KEY": "canary08-of-the-example",
        "ORDINARY": "canary09",
    }
    env_file(live, "".join(f"{name}={value}\n" for name, value in values.items()), mode=0o644)
    (live.folder / "prod.env.example").write_text(
        "EXAMPLE_KEY=canary08-of-the-example\nNEW_TOKEN=canary10\n"
    )
    environment = {
        **{name: f"${{{name}}}" for name in values},
        "INLINE_SECRET": "canary11",
        "OTHER_URL": "redis://:canary12@h",
    }
    live.listen(live.ports[0])
    live.compose({"web": sleeper(f"127.0.0.1:{live.ports[0]}:80", environment=environment)})
    outputs = []
    verbs = {
        "refuse": (("check",), ("check", "--json"), ("up", "-v"), ("up", "--json"), ("restart",)),
        "warn": (
            ("check", "-v"),
            ("check", "--json"),
            ("up",),
            ("up", "--dry-run", "--json"),
            ("up", "--skip-port-check"),
            ("config",),
            ("ps",),
        ),
    }
    for unsafe, lines in verbs.items():
        live.settings(f'env_files = ["prod.env"]\nunsafe = "{unsafe}"')
        outputs += [live.run("prod", *words, env={"SOME_TOKEN": "canary13"}) for words in lines]
    outputs += [
        live.run("init", *form)
        for form in (("--dry-run",), ("--dry-run", "--json"), ("--yes", "-v"))
    ]
    env_file(live, "A='canary14\n")
    outputs += [
        live.run("prod", *words) for words in (("check",), ("up", "--json"), ("config",), ("down",))
    ]
    assert {result.code for result in outputs} >= {0, 1, 3, 4}
    for result in outputs:
        assert "canary" not in result.text, result


def test_a_crash_report_holds_no_value_either(live: LiveStack, own_state_folder: Path) -> None:
    """A crash in the middle of the checks, as a bug would cause it."""
    stack(live)
    env_file(live, "DB_PASSWORD=canary-9f2c4b7e\nWEAK_TOKEN=canary\n")
    (live.folder / "sitecustomize.py").write_text(
        "import dartsctl.config.secrets as secrets\n"
        "def judge_model(*all, **more): raise RuntimeError('a bug')\n"
        "secrets.judge_model = judge_model\n"
    )
    result = live.run("prod", "check", PYTHONPATH=str(live.folder))
    assert result.code == 70
    (report,) = (own_state_folder / "reports").iterdir()
    assert "a bug" in report.read_text()
    assert "canary" not in result.text + report.read_text()
