"""`doctor --fix` on real stacks: nginx and an app, broken, repaired, and requested again."""

from __future__ import annotations

import signal
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from live.stack import LiveStack, Said
    from live.terminal import Terminal

pytest_plugins = ("live.stack", "live.terminal")
pytestmark = pytest.mark.engine

CANARY = "canary-8d2f6a91c4"
NGINX = """
    worker_processes 1;
    error_log stderr notice;
    events {}
    http {
        access_log off;
        proxy_connect_timeout 1s;
        server { listen 80; location / { proxy_pass http://app:5000; } }
    }
"""


def web(live: LiveStack, **more: Any) -> dict[str, Any]:
    from live.stack import sleeper

    mounts = ["./nginx.conf:/etc/nginx/nginx.conf:ro"]
    service = sleeper(
        f"127.0.0.1:{live.ports[0]}:80",
        image="dartsctl-test/nginx:1",
        volumes=mounts,
        depends_on=["app"],
        **more,
    )
    del service["command"]
    return service


def app(live: LiveStack, **more: Any) -> dict[str, Any]:
    from live.stack import sleeper

    serve = ["httpd", "-f", "-p", "5000", "-h", "/www"]
    return sleeper(
        f"127.0.0.1:{live.ports[1]}:5000",
        **{"command": serve, "environment": {"SECRET_KEY": "${SECRET_KEY}"}, **more},
    )


@pytest.fixture
def stack(live: LiveStack) -> LiveStack:
    """Start nginx, which looks `app` up once, and the app; both answer."""
    files(live)
    live.up("--env-file", "secret.env", "-f", "compose.json")
    answers(live, 200)
    return live


def files(live: LiveStack, wait: int = 20, **services: Any) -> None:
    (live.folder / "nginx.conf").write_text(textwrap.dedent(NGINX))
    (live.folder / "secret.env").write_text(f"SECRET_KEY={CANARY}\n")
    (live.folder / "secret.env").chmod(0o600)
    live.compose({"app": app(live), "web": web(live), **services})
    live.settings(f'env_files = ["secret.env"]\nwait_timeout = {wait}')


def status(live: LiveStack, place: int = 0) -> int:
    import http.client

    line = http.client.HTTPConnection("127.0.0.1", live.ports[place], timeout=5)
    try:
        line.request("GET", "/")
        return line.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        line.close()


def answers(live: LiveStack, wanted: int, place: int = 0) -> None:
    from live.stack import until

    until(
        lambda: status(live, place) == wanted, say=f"{live.ports[place]} does not answer {wanted}"
    )


def name_of(live: LiveStack, service: str) -> str:
    return f"{live.project}-{service}-1"


def stop(live: LiveStack, service: str) -> None:
    from live.stack import docker

    docker("stop", "-t", "0", name_of(live, service))


def identity(live: LiveStack, service: str) -> str:
    from live.stack import docker

    return docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", name_of(live, service)).strip()


def is_alive(pid: int) -> bool:
    return (
        Path(f"/proc/{pid}/stat").exists()
        and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    )


def fixed(live: LiveStack, *words: str, code: int = 0) -> dict[str, Any]:
    """Run `doctor --fix --yes --json`, check code and secrets, and return its document."""
    said: Said = live.run("doctor", *words, "--fix", "--yes", "--json")
    assert said.code == code, said.text
    assert CANARY not in said.text
    assert said.document["exit_code"] == code
    return said.document


def done(document: dict[str, Any]) -> list[tuple[str, str, bool]]:
    return [(step["action"], step["service"], step["ok"]) for step in document["steps"]]


# --- what is repaired -------------------------------------------------------------------------


def test_a_process_on_the_port_is_stopped_the_app_started_and_nginx_reloaded(
    stack: LiveStack,
) -> None:
    stop(stack, "app")
    pid = stack.listen(stack.ports[1])
    document = fixed(stack)
    assert done(document) == [
        ("free-ports", "", True),
        ("start", "app", True),
        ("reload-proxy", "web", True),
    ]
    assert document["diagnosis"]["findings"][0]["data"]["pid"] == pid
    assert document["verification"]["healthy"]
    assert (
        f"http://127.0.0.1:{stack.ports[0]}/ answers 200 (proxy)"
        in document["verification"]["answers"]
    )
    assert (status(stack), status(stack, 1)) == (200, 200)
    assert not is_alive(pid)
    history = stack.run("history", "--json").document["entries"]
    assert [row["action"] for row in history] == [
        "stop-process",
        "repair-free-ports",
        "repair-start",
        "repair-reload-proxy",
    ]


def test_a_dry_run_reports_what_the_repair_would_stop(stack: LiveStack) -> None:
    stop(stack, "app")
    pid = stack.listen(stack.ports[1])
    document = stack.run("doctor", "--fix", "--yes", "--dry-run", "--json").document
    assert [step["action"] for step in document["free_ports"]["plan"]] == ["stop-process"]
    assert f"(pid {pid})" in document["free_ports"]["plan"][0]["what"]
    said = stack.run("doctor", "--fix", "--yes", "--dry-run")
    assert f"(pid {pid}): SIGTERM" in said.err
    assert is_alive(pid)
    assert stack.run("history", "--json").document["entries"] == []


def test_repairing_dev_does_not_touch_production(live: LiveStack) -> None:
    from live.stack import sleeper

    files(live, wait=3)
    (live.folder / "dartsctl.toml").write_text(
        f'name = "{live.project}-app"\n[dev]\nproject = "{live.project}"\n'
        'files = ["compose.json"]\nenv_files = ["secret.env"]\n'
    )
    live.up("--env-file", "secret.env", "-f", "compose.json")
    stop(live, "app")
    production = live.of(f"{live.project}-app")
    live.compose(
        {"theirs": sleeper(f"127.0.0.1:{live.ports[1]}:80")},
        file="other/compose.json",
        name=production,
    )
    live.up("-f", "other/compose.json")
    said = live.run("doctor", "dev", "--fix", "--yes")
    assert said.code != 0, said.text
    assert live.containers(production) == {f"{production}-theirs-1": "running"}


@pytest.mark.parametrize(
    "labels",
    [(), ("--label", "com.docker.compose.project=others-a-shop")],
    ids=["of nobody", "of another project"],
)
def test_a_container_outside_the_stack_needs_a_person_or_a_policy(
    stack: LiveStack, labels: tuple[str, ...]
) -> None:
    from live.stack import docker

    stop(stack, "app")
    other = stack.container(
        *labels, "-p", f"127.0.0.1:{stack.ports[1]}:80", "dartsctl-test/busybox:1", "sleep", "600"
    )
    docker("start", name_of(stack, "app"), check=False)
    document = fixed(stack, code=3)
    assert done(document) == [
        ("free-ports", "", False),
        ("recreate", "app", False),
        ("reload-proxy", "web", False),
    ]
    assert (
        f"only a person or --on-conflict decides about containers outside this stack: {other}"
        in document["steps"][0]["result"]
    )
    assert docker("inspect", "-f", "{{.State.Status}}", other) == "running\n"
    assert done(fixed(stack, "--on-conflict", "stop")) == [
        ("free-ports", "", True),
        ("recreate", "app", True),
        ("reload-proxy", "web", True),
    ]
    assert status(stack) == 200
    assert docker("inspect", "-f", "{{.State.Status}}", other) == "exited\n"


def test_a_container_with_a_wanted_name_is_never_removed_by_yes(live: LiveStack) -> None:
    from live.stack import docker

    name = live.container(
        "dartsctl-test/busybox:1", "sleep", "600", name=f"{live.project}-others-a-app"
    )
    files(live, app=app(live, container_name=name))
    before = docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", name)
    document = fixed(live, code=3)
    assert done(document)[0] == ("free-ports", "", False)
    assert docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", name) == before
    assert live.containers() == {}, "nothing is started"


def test_a_harmless_finding_is_reported_and_not_repaired(stack: LiveStack) -> None:
    from live.stack import docker, healthy, until

    worker = healthy(after="false")
    files(stack, worker=worker)
    stack.up("--env-file", "secret.env", "-f", "compose.json")
    until(
        lambda: (
            docker("inspect", "-f", "{{.State.Health.Status}}", name_of(stack, "worker")).strip()
            == "unhealthy"
        )
    )
    before = {name: identity(stack, name) for name in ("app", "web", "worker")}
    (finding,) = stack.run("doctor", "--json").document["findings"]
    assert (finding["cause"], finding["harmless"], finding["chain"][0]["text"]) == (
        "unhealthy",
        True,
        "no request fails because of it now",
    )
    document = fixed(stack, code=1)
    assert (document["plan"], [row["problem"] for row in document["by_hand"]]) == (
        [],
        [finding["sentence"]],
    )
    assert {name: identity(stack, name) for name in before} == before


def test_an_app_that_was_stopped_is_started(stack: LiveStack) -> None:
    stop(stack, "app")
    before = identity(stack, "web")
    assert done(fixed(stack)) == [("start", "app", True), ("reload-proxy", "web", True)]
    assert status(stack) == 200
    assert identity(stack, "web") == before, "a reload, not a restart"


def test_a_stale_address_is_a_reload_and_nothing_else(stack: LiveStack) -> None:  # edge-cases.md#69
    from live.stack import docker

    docker("rm", "-f", name_of(stack, "app"))
    stack.container(
        "--network", f"{stack.project}_default", "dartsctl-test/busybox:1", "sleep", "600"
    )  # takes the address
    stack.up("--env-file", "secret.env", "-f", "compose.json")
    answers(stack, 200, place=1)
    assert status(stack) in (502, 504)
    before = identity(stack, "app"), identity(stack, "web")
    assert done(fixed(stack)) == [("reload-proxy", "web", True)]
    assert status(stack) == 200
    assert (identity(stack, "app"), identity(stack, "web")) == before


def test_an_nginx_that_is_down_is_started(stack: LiveStack) -> None:
    stop(stack, "web")
    before = identity(stack, "app")
    assert done(fixed(stack)) == [("start", "web", True)]
    assert status(stack) == 200
    assert identity(stack, "app") == before


def test_several_causes_are_one_plan_with_the_proxy_last(stack: LiveStack) -> None:
    stop(stack, "web")
    stop(stack, "app")
    pid = stack.listen(stack.ports[1])
    document = fixed(stack)
    assert done(document) == [
        ("free-ports", "", True),
        ("start", "app", True),
        ("start", "web", True),
    ]
    assert status(stack) == 200
    assert not is_alive(pid)


def test_a_stack_without_containers_is_started(live: LiveStack) -> None:
    files(live)
    assert done(fixed(live)) == [("up", "", True)]
    assert status(live) == 200


def test_a_healthy_stack_is_left_alone(stack: LiveStack) -> None:
    before = stack.identities()
    document = fixed(stack)
    assert (document["plan"], document["steps"], document["verification"]["healthy"]) == (
        [],
        [],
        True,
    )
    said = stack.run("doctor", "--fix", "--report", "incident.md")
    assert said.code == 0
    assert "nothing to repair" in said.err
    assert stack.identities() == before
    assert not (stack.folder / "incident.md").exists(), "nothing to report"


# --- what is not ------------------------------------------------------------------------------


def test_an_app_that_ends_again_ends_the_verification_at_once(stack: LiveStack) -> None:
    stop(stack, "app")
    files(stack, wait=300, app=app(stack, command=["sh", "-c", "echo no database; exit 3"]))
    begin = time.monotonic()
    said = stack.run("doctor", "--fix", "--yes")
    assert said.code == 1
    assert time.monotonic() - begin < 110, "waiting longer would not help"
    assert "still wrong: app has ended with exit code 3" in said.out
    assert "error: 1 problem is left" in said.err
    assert said.err.rstrip().endswith("next: dartsctl doctor")


def test_a_cause_without_a_repair_is_reported_with_advice(stack: LiveStack) -> None:
    stop(stack, "app")
    stack.compose(
        {
            "app": app(stack, command=["httpd", "-f", "-p", "127.0.0.1:5000", "-h", "/www"]),
            "web": web(stack),
        }
    )
    stack.up("--env-file", "secret.env", "-f", "compose.json")
    before = stack.identities()
    said = stack.run("doctor", "--fix", "--yes")
    assert said.code == 1
    assert "by hand: make app listen on 0.0.0.0:5000" in said.err
    assert "hint: make app listen on 0.0.0.0:5000" in said.err
    assert stack.identities() == before


def test_a_container_of_production_is_never_stopped_by_yes(live: LiveStack) -> None:
    from live.stack import docker, sleeper

    production = live.of(f"{live.project}-production")
    live.compose({"front": sleeper(f"127.0.0.1:{live.ports[1]}:80")}, file="production.json")
    live.up("-p", production, "-f", "production.json")
    (live.folder / "nginx.conf").write_text(textwrap.dedent(NGINX))
    live.compose({"app": app(live, environment={}), "web": web(live)})
    (live.folder / "dartsctl.toml").write_text(
        f'name = "x"\n[prod]\nproject = "{production}"\nfiles = ["production.json"]\n'
        f'env_files = []\n[dev]\nproject = "{live.project}"\nfiles = ["compose.json"]\n'
        "env_files = []\nwait_timeout = 10\n"
    )
    said = live.run("doctor", "dev", "--fix", "--yes")
    assert said.code == 3, said.text
    assert f"{production}-front-1" in said.err
    assert docker("inspect", "-f", "{{.State.Status}}", f"{production}-front-1") == "running\n"
    assert live.containers() == {}, "nothing is started"


def test_an_unsafe_stack_that_up_refuses_is_not_started_by_a_repair(stack: LiveStack) -> None:
    stop(stack, "app")
    (stack.folder / "secret.env").chmod(0o644)
    document = fixed(stack, code=4)
    assert document["steps"][0]["ok"] is False
    assert "accessible to all users" in document["steps"][0]["result"]
    assert stack.containers()[name_of(stack, "app")] == "exited"


# --- agreeing ---------------------------------------------------------------------------------


def test_without_a_terminal_or_yes_nothing_is_done_and_the_flag_is_named(
    stack: LiveStack,
) -> None:
    stop(stack, "app")
    pid = stack.listen(stack.ports[1])
    said = stack.run("doctor", "--fix", "--report", "incident.md")
    assert said.code == 7
    assert said.err.rstrip().endswith("next: dartsctl doctor --fix --yes")
    assert [line.split()[0] for line in said.out.splitlines() if line[:1].isdigit()] == [
        "1",
        "2",
        "3",
    ], "the plan is shown first"
    document = stack.run("doctor", "--fix", "--json").document
    assert (document["exit_code"], document["hint"]) == (7, "dartsctl doctor --fix --yes")
    assert is_alive(pid)
    assert stack.containers()[name_of(stack, "app")] == "exited"
    assert not (stack.folder / "incident.md").exists()


def test_a_dry_run_shows_the_plan_and_does_nothing(stack: LiveStack) -> None:
    stop(stack, "app")
    pid = stack.listen(stack.ports[1])
    said = stack.run("doctor", "--fix", "--yes", "--dry-run", "--json")
    assert (said.code, said.document["dry_run"], said.document["steps"]) == (1, True, [])
    assert [step["action"] for step in said.document["plan"]] == [
        "free-ports",
        "start",
        "reload-proxy",
    ]
    assert "start app" in stack.run("doctor", "--fix", "--dry-run").out
    assert is_alive(pid)
    assert stack.containers()[name_of(stack, "app")] == "exited"
    assert stack.run("history", "--json").document["entries"] == []


def test_each_step_needs_a_confirmation_and_a_no_ends_the_repair(
    stack: LiveStack, terminal: Callable[..., Terminal]
) -> None:
    stop(stack, "app")
    screen = terminal("doctor", "--fix")
    screen.sees("start app: app has ended")
    screen.sees("(y/N)")
    screen.child.send("y")  # an answer by itself: an Enter after it would answer the next question
    screen.sees("reload the configuration of web")
    screen.sees("(y/N)")
    screen.types("n")
    assert screen.ends() == 7
    assert "not done: the answer was no" in screen.seen, screen.seen
    assert stack.containers()[name_of(stack, "app")] == "running"


def test_ctrl_c_at_a_question_does_nothing_and_reports_it(
    stack: LiveStack, terminal: Callable[..., Terminal]
) -> None:
    stop(stack, "app")
    screen = terminal("doctor", "--fix")
    screen.sees("(y/N)")
    screen.interrupts()
    assert screen.ends() == 130
    assert screen.seen.count("not done: interrupted") == 2
    assert stack.containers()[name_of(stack, "app")] == "exited"


def test_ctrl_c_leaves_no_step_unreported(live: LiveStack) -> None:
    from live.stack import ended, until

    check = {
        "test": ["CMD-SHELL", "test -e /never"],
        "interval": "1s",
        "timeout": "1s",
        "retries": 1,
        "start_period": "300s",
    }
    files(live, wait=100, app=app(live, healthcheck=check))
    live.up("--env-file", "secret.env", "-f", "compose.json")
    stop(live, "app")
    repair = live.start("doctor", "--fix", "--yes", "--report", "incident.md")
    assert repair.stdout is not None
    assert any("waiting: " in line for line in repair.stdout)
    repair.send_signal(signal.SIGINT)
    code, text = ended(repair)
    assert code == 130, text
    assert "start app" in text
    assert "interrupted; the table above shows what was done" in text
    report = (live.folder / "incident.md").read_text()
    assert "| start app | done" in report
    assert "Repaired" not in report
    until(lambda: live.containers()[name_of(live, "app")] == "running")


# --- the report -------------------------------------------------------------------------------


def test_the_report_is_complete_without_secrets_and_private(stack: LiveStack) -> None:
    stop(stack, "app")
    files(
        stack,
        app=app(stack, command=["sh", "-c", "echo $$SECRET_KEY; exec httpd -f -p 5000 -h /www"]),
    )
    stack.up("--env-file", "secret.env", "-f", "compose.json")
    stop(stack, "app")
    (stack.folder / "incident.md").write_text("an older one\n")
    said = stack.run("doctor", "--fix", "--yes", "--report", "incident.md")
    assert said.code == 0, said.text
    assert "the report is in incident-2.md" in said.err
    report = stack.folder / "incident-2.md"
    assert report.stat().st_mode & 0o777 == 0o600
    text = report.read_text()
    for words in (
        "## Symptom",
        "answers 50",
        "## Cause 1: app has ended",
        "## Timeline",
        "| start app | done",
        "## Verification",
        "Repaired and verified.",
    ):
        assert words in text
    assert CANARY not in text + said.text
    assert (stack.folder / "incident.md").read_text() == "an older one\n"


def test_a_report_of_the_diagnosis_alone_changes_nothing(stack: LiveStack) -> None:
    stop(stack, "app")
    said = stack.run("doctor", "--report", "incident.md")
    assert said.code == 1
    text = (stack.folder / "incident.md").read_text()
    assert "## Cause 1: app has ended" in text
    assert "Timeline" not in text
    assert stack.containers()[name_of(stack, "app")] == "exited"


def test_a_report_that_cannot_be_written_prevents_the_repair(stack: LiveStack) -> None:
    stop(stack, "app")
    said = stack.run("doctor", "--fix", "--yes", "--report", "no-such-folder/incident.md")
    assert said.code == 1
    assert "nothing was done" in said.err
    assert stack.containers()[name_of(stack, "app")] == "exited"


# --- the incident -----------------------------------------------------------------------------
