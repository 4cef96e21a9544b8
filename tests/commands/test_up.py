"""`up` and `restart` on the real engine: what is started, what is undone, how failures end."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from own_images import BUSYBOX

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)
pytestmark = pytest.mark.engine

SLOW = "test -e /never"
SLOW_CHECK = {
    "test": ["CMD-SHELL", SLOW],
    "interval": "1s",
    "timeout": "1s",
    "retries": 1,
    "start_period": "300s",
}
"""A health check that never succeeds."""


def started_at(name: str) -> str:
    from live.stack import docker

    return docker("inspect", "-f", "{{.State.StartedAt}}", name)


# --- up, and ready -----------------------------------------------------------------------------


def test_up_starts_the_stack_and_returns_when_it_is_healthy(live: LiveStack) -> None:
    from live.stack import docker, healthy, sleeper

    live.compose(
        {"web": healthy(f"{live.ports[0]}:80", after="test -e /up", retries=60), "db": sleeper()}
    )
    live.settings()
    up = live.spawn(
        [sys.executable, "-m", "dartsctl", "prod", "up"], stderr=subprocess.PIPE, env=live.environ
    )
    assert up.stderr is not None
    assert any("waiting for web (starting)" in line for line in up.stderr)
    docker("exec", f"{live.project}-web-1", "touch", "/up")
    out, err = up.communicate(timeout=60)
    assert (up.returncode, out) == (0, ""), err
    assert f"{live.project} is up: 2 containers ready" in err
    assert "healthy" in docker(
        "ps", "--filter", f"name={live.project}-web-1", "--format", "{{.Status}}"
    )


def test_a_second_up_changes_nothing(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose({"web": sleeper(f"{live.ports[0]}:80")})
    live.settings()
    assert live.run("prod", "up").code == 0
    before = live.identities()
    assert live.run("prod", "up").code == 0
    assert live.identities() == before
    assert live.run("prod", "up", "--force-recreate").code == 0
    assert live.identities() != before


def test_a_block_of_ports_is_bound_kept_and_recreated(live: LiveStack) -> None:
    from live.stack import sleeper

    first = live.ports[0]
    block = f"127.0.0.1:{first}-{first + 9}:8000-8009"
    live.compose({"web": sleeper(block)})
    live.settings()
    assert live.run("prod", "up").code == 0
    (held,) = live.run("prod", "check", "--json").document["bindings"]
    assert (held["published"], held["count"], held["verdict"]) == (
        f"{first}-{first + 9}",
        10,
        "held",
    )
    before = live.identities()
    live.compose({"web": sleeper(block, environment={"NEW": "1"})})
    (freed,) = live.run("prod", "check", "--json").document["bindings"]
    assert freed["verdict"] == "free"
    assert live.run("prod", "up").code == 0
    assert live.identities().isdisjoint(before)

    live.compose({"rival": sleeper(block)}, file="rival.json", name=f"{live.project}-rival")
    result = live.run("check", "-f", "rival.json", "--json")
    (conflict,) = result.document["conflicts"]
    assert (conflict["published"], conflict["count"]) == (f"{first}-{first + 9}", 10)
    assert conflict["endpoints"] == [
        {"address": "127.0.0.1", "port": first, "count": 10, "protocol": "tcp"}
    ]
    assert [holder["container"] for holder in conflict["holders"]] == [f"{live.project}-web-1"]


def test_a_one_shot_that_ended_well_is_done_and_one_that_failed_is_named_with_its_code(
    live: LiveStack,
) -> None:  # edge-cases.md#74
    from live.stack import sleeper

    waits = {"depends_on": {"migrate": {"condition": "service_completed_successfully"}}}
    live.compose({"web": sleeper(**waits), "migrate": sleeper(command=["true"])})
    live.settings()
    assert live.run("prod", "up").code == 0
    fails = ["sh", "-c", "echo no such column; exit 9"]
    live.compose({"web": sleeper(**waits), "migrate": sleeper(command=fails)})
    result = live.run("prod", "up")
    assert result.code == 1
    assert (
        "error: `up` failed: web waits for migrate to end well, and it ended with exit code 9"
        in result.err
    )
    assert "no such column" in result.err, "its log is read before it is removed"


def test_only_the_named_service_and_what_it_needs_is_started(
    live: LiveStack,
) -> None:  # edge-cases.md#56
    from live.stack import sleeper

    live.listen(live.ports[0])
    live.compose(  # without ports only its services tell it from the stacks of other tests
        {
            "named": sleeper(depends_on=["needed"]),
            "needed": sleeper(),
            "other": sleeper(f"{live.ports[0]}:80"),
        }
    )
    live.settings()
    assert live.run("prod", "up", "named").code == 0
    assert list(live.containers()) == [f"{live.project}-named-1", f"{live.project}-needed-1"]


def test_scale_build_and_profile_reach_compose(live: LiveStack) -> None:
    from live.stack import docker, sleeper

    (live.folder / "Dockerfile").write_text(f"FROM {BUSYBOX}\nRUN echo built > /made\n")
    web = sleeper(f"127.0.0.1:{live.ports[0]}-{live.ports[3]}:80")
    web["build"], web["image"] = ".", f"{live.project}:built"
    live.compose({"web": web, "debug": sleeper(profiles=["debug"])})
    live.settings()
    try:
        result = live.run("prod", "up", "--build", "--scale", "web=2", "--profile", "debug")
        assert result.code == 0, result.err
        assert len([name for name in live.containers() if "-web-" in name]) == 2
        assert f"{live.project}-debug-1" in live.containers()
        assert docker("exec", f"{live.project}-web-1", "cat", "/made") == "built\n"
        # --scale counts for the preflight too
        web["ports"] = [f"127.0.0.1:{live.ports[4]}:80"]
        live.compose({"web": web})
        assert live.run("prod", "up", "--scale", "web=2").code == 3
    finally:
        live.close()
        docker("image", "rm", f"{live.project}:built", check=False)


def test_remove_orphans_frees_an_orphans_port_for_its_successor(
    live: LiveStack,
) -> None:  # edge-cases.md#38
    from live.stack import sleeper

    live.compose({"old": sleeper(f"{live.ports[0]}:80")})
    live.settings()
    assert live.run("prod", "up").code == 0
    live.compose({"new": sleeper(f"{live.ports[0]}:80")})
    assert live.run("prod", "up").code == 3
    assert live.containers() == {f"{live.project}-old-1": "running"}
    assert live.run("prod", "up", "--remove-orphans").code == 0
    assert live.containers() == {f"{live.project}-new-1": "running"}


def test_an_environment_that_only_the_settings_name_is_a_group_of_verbs(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose({"web": sleeper(f"{live.ports[0]}:80")})
    live.settings(environment="staging")
    assert "staging" in live.run("staging", "--help").out
    assert live.run("staging", "up").code == 0
    assert live.containers() == {f"{live.project}-web-1": "running"}
    assert (
        live.run(
            "--project-dir", live.folder, "staging", "check", "--json", cwd=live.folder.parent
        ).document["environment"]
        == "staging"
    )
    assert live.run("staging", "down").code == 0
    assert live.leftovers() == []


def built(live: LiveStack, *steps: str, **more: Any) -> dict[str, Any]:
    """Return a service whose image is built with these steps, each time anew."""
    from live.stack import sleeper

    marker = f"LABEL test={live.project}"
    (live.folder / "Dockerfile").write_text("\n".join([f"FROM {BUSYBOX}", marker, *steps]) + "\n")
    return sleeper(build=".", image=f"{live.project}:built", **more)


def test_a_build_has_no_deadline_and_the_health_deadline_follows_the_chain(live: LiveStack) -> None:
    from live.stack import docker, healthy

    image_check = "HEALTHCHECK --interval=1s --start-period=5m CMD true"
    web = built(live, "RUN sleep 8", image_check, healthcheck={"disable": True})
    live.compose({"web": web})
    live.settings("wait_timeout = 8")
    try:
        limit = live.run("prod", "up", "--dry-run", "--json").document["health_deadline"]
        assert (limit["seconds"], limit["given"]) == (8, True)
        result = live.run("prod", "up", DOCKER_BUILDKIT="0")
        assert result.code == 0, result.err
        assert "is up: 1 container ready" in result.err

        del web["healthcheck"]
        web["depends_on"] = {"db": {"condition": "service_healthy"}}
        live.compose({"web": web, "db": healthy()})
        live.settings()
        limit = live.run("prod", "up", "--dry-run", "--json").document["health_deadline"]
        # db: 2 x (1 s + 20 s); the image of web: 5 min and 3 x (1 s + 30 s)
        assert limit["path"] == [
            {"service": "db", "seconds": 42},
            {"service": "web", "seconds": 393},
        ]
        assert (limit["seconds"], limit["given"], limit["unknown"]) == (435, False, [])
    finally:
        live.close()
        docker("image", "rm", f"{live.project}:built", check=False)


def test_ctrl_c_in_a_build_leaves_nothing(live: LiveStack) -> None:
    from live.stack import docker, ended, sleeper

    live.compose({"web": built(live, "RUN sleep 300"), "db": sleeper()})
    live.settings()
    up = live.start("prod", "up", DOCKER_BUILDKIT="0")
    assert up.stdout is not None
    assert any("Running in" in line for line in up.stdout)
    up.send_signal(signal.SIGINT)
    code, text = ended(up)
    assert code == 130
    assert "interrupted; removed what this `up` had created (nothing)" in text
    assert live.leftovers() == []
    assert not docker("image", "ls", "-q", f"{live.project}:built")


# --- refused before it begins ------------------------------------------------------------------


def test_a_conflict_stops_up_before_anything_is_created(live: LiveStack) -> None:
    from live.stack import sleeper

    pids = [live.listen(port) for port in live.ports[:2]]
    live.compose(
        {
            "web": sleeper(f"{live.ports[0]}:80"),
            "db": sleeper(f"{live.ports[1]}:80"),
            "free": sleeper(),
        },
        volumes={"data": {}},
    )
    live.settings()
    result = live.run("prod", "up")
    assert result.code == 3
    assert result.out == ""
    assert f"2 services of {live.project} cannot start; nothing was changed" in result.err
    assert all(f"pid {pid}" in result.err for pid in pids)
    assert result.err.rstrip().endswith("dartsctl prod up"), "the last line is the next command"
    assert live.leftovers() == []


def test_another_stacks_project_is_refused_before_it_is_replaced(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose({"web": sleeper()}, file="production/compose.json")
    live.up("-f", "production/compose.json")
    before = live.identities()
    live.compose({"web": sleeper(environment={"NEW": "1"})})
    live.settings()
    result = live.run("prod", "up")
    assert result.code == 4
    assert str(live.folder / "production" / "compose.json") in result.err
    assert f"--project {live.project}" in result.err
    assert live.identities() == before
    assert live.run("prod", "up", "--project", live.project).code == 0
    assert live.identities() != before


def test_a_dry_run_has_no_side_effects_and_says_what_would_be_run(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose({"web": sleeper(f"{live.ports[0]}:80")})
    live.settings()
    result = live.run("prod", "up", "--dry-run", "--build")
    assert result.code == 0
    assert "would run:" in result.out
    assert "up --detach --build" in result.out
    document = live.run("--dry-run", "prod", "up", "--json").document
    assert (document["dry_run"], document["exit_code"], document["ok"]) == (True, 0, True)
    assert live.leftovers() == []
    live.listen(live.ports[0])
    assert live.run("prod", "up", "--dry-run").code == 3


# --- --json ------------------------------------------------------------------------------------


def test_json_is_one_document_whatever_the_end(live: LiveStack) -> None:
    from live.stack import healthy, sleeper

    live.compose({"web": healthy(f"{live.ports[0]}:80")})
    live.settings()
    good = live.run("prod", "up", "--json")
    assert (good.code, good.document["exit_code"], good.document["ok"]) == (0, 0, True)
    assert good.document["services"][0]["condition"] == "ready"
    down = live.run("prod", "down", "--json")
    assert (down.code, down.document["ok"]) == (0, True)

    pid = live.listen(live.ports[1])
    live.compose({"web": sleeper(f"{live.ports[1]}:80")})
    conflict = live.run("prod", "up", "--json")
    assert (conflict.code, conflict.document["exit_code"], conflict.document["ok"]) == (3, 3, False)
    assert conflict.document["conflicts"][0]["holders"][0]["pid"] == pid
    late = live.run("prod", "up", "--json", "--skip-port-check")
    assert (late.code, late.document["exit_code"], late.document["ok"]) == (3, 3, False)
    assert late.document["conflicts"][0]["holders"][0]["pid"] == pid

    live.compose({"web": sleeper(image="dartsctl-test/there-is-none:1", pull_policy="never")})
    missing = live.run("prod", "up", "--json")
    assert (missing.code, missing.document["exit_code"], missing.document["ok"]) == (1, 1, False)
    assert missing.document["hint"]

    live.compose({"web": healthy(after="false")})
    unhealthy = live.run("prod", "up", "--json")
    assert (unhealthy.code, unhealthy.document["exit_code"], unhealthy.document["ok"]) == (
        6,
        6,
        False,
    )


# --- the engine refuses after all --------------------------------------------------------------


def test_without_the_port_check_the_engines_error_is_a_conflict_and_only_new_containers_are_removed(
    live: LiveStack,
) -> None:
    from live.stack import sleeper

    live.compose({"db": sleeper(f"{live.ports[1]}:80")})
    live.settings()
    assert live.run("prod", "up").code == 0
    before = live.identities()
    pid = live.listen(live.ports[0])
    live.compose(
        {
            "db": sleeper(f"{live.ports[1]}:80"),
            "web": sleeper(f"{live.ports[0]}:80"),
            "worker": sleeper(networks=["second"]),
        },
        networks={"second": {}},
    )
    result = live.run("prod", "up", "--skip-port-check")
    assert result.code == 3
    assert f"web cannot publish *:{live.ports[0]}/tcp" in result.err
    assert f"pid {pid}" in result.err
    assert live.identities() == before
    assert live.leftovers() == [f"{live.project}-db-1", f"network {live.project}_default"]


def test_a_port_that_is_taken_after_the_preflight_is_a_conflict_with_its_holder(
    live: LiveStack,
) -> None:  # edge-cases.md#59
    from live.stack import ended, healthy, sleeper, until

    live.compose(
        {
            "db": healthy(after="test -e /go", retries=60),
            "web": sleeper(
                f"{live.ports[0]}:80", depends_on={"db": {"condition": "service_healthy"}}
            ),
        }
    )
    live.settings()
    up = live.start("prod", "up")
    until(
        lambda: live.containers().get(f"{live.project}-db-1") == "running"
    )  # the preflight is over
    pid = live.listen(live.ports[0])
    subprocess.run(["docker", "exec", f"{live.project}-db-1", "touch", "/go"], check=True)
    code, text = ended(up)
    assert code == 3
    assert "a port was taken after the preflight" in text
    assert f"pid {pid}" in text
    assert live.leftovers() == []


def test_a_missing_image_is_a_clear_error_and_nothing_is_left(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose(
        {
            "web": sleeper(image="dartsctl-test/there-is-none:1", pull_policy="never"),
            "db": sleeper(),
        }
    )
    live.settings()
    result = live.run("prod", "up")
    assert result.code == 1
    assert "image not available" in result.err
    assert "there-is-none" in result.err
    assert "--build or --pull" in result.err
    assert live.leftovers() == []


def test_a_missing_command_is_reported_and_the_other_containers_are_removed(
    live: LiveStack,
) -> None:
    from live.stack import sleeper

    live.compose({"web": sleeper(command=["/no/such/program"], init=False), "db": sleeper()})
    live.settings()
    result = live.run("prod", "up")
    assert result.code == 1
    assert "/no/such/program" in result.err
    assert live.leftovers() == []


def test_the_error_of_an_up_never_shows_a_secret(live: LiveStack) -> None:
    from live.stack import sleeper

    (live.folder / "secret.env").write_text("DEPLOY_TOKEN=canary-program\n")
    (live.folder / "secret.env").chmod(0o600)
    live.compose({"web": sleeper(command=["/bin/${DEPLOY_TOKEN}"], init=False)})
    live.settings('env_files = ["secret.env"]')
    for words in ((), ("--json",)):
        result = live.run("prod", "up", *words)
        assert result.code == 1
        assert "canary" not in result.text


# --- up, but not well --------------------------------------------------------------------------


def test_an_unhealthy_service_ends_with_6_and_is_kept(live: LiveStack) -> None:
    from live.stack import healthy

    live.compose({"web": healthy(after="echo it hurts; false")})
    live.settings()
    result = live.run("prod", "up")
    assert result.code == 6
    assert "web is unhealthy" in result.err
    assert "dartsctl prod logs web" in result.err
    assert live.containers() == {f"{live.project}-web-1": "running"}


def test_a_service_that_others_wait_for_and_that_is_unhealthy_ends_with_6(live: LiveStack) -> None:
    from live.stack import healthy, sleeper

    live.compose(
        {
            "db": healthy(after="echo no disk; false"),
            "web": sleeper(depends_on={"db": {"condition": "service_healthy"}}),
        }
    )
    live.settings()
    result = live.run("prod", "up")
    assert result.code == 6
    assert "db is unhealthy" in result.err
    assert "its health check reports: no disk" in result.err
    assert "web is not started: it waits for db to be healthy" in result.err
    assert f"{live.project} is only partly up: web was not started" in result.err
    assert "is up, but not healthy" not in result.err
    assert result.err.rstrip().endswith("next: dartsctl prod logs db")


def test_waiting_for_the_health_of_a_service_without_a_health_check_is_told(
    live: LiveStack,
) -> None:
    from live.stack import sleeper

    waits = {"depends_on": {"db": {"condition": "service_healthy"}}}
    live.compose({"db": sleeper(), "web": sleeper(**waits)})
    live.settings()
    result = live.run("prod", "up")
    assert result.code == 1
    assert "web waits for db to be healthy, and db has no health check" in result.err
    assert live.leftovers() == []


@pytest.mark.parametrize("dependent", [False, True])
def test_the_deadline_ends_the_wait_for_health(live: LiveStack, dependent: bool) -> None:
    from live.stack import sleeper

    services = {"db": sleeper(healthcheck=SLOW_CHECK)}
    if dependent:
        services["web"] = sleeper(depends_on={"db": {"condition": "service_healthy"}})
    live.compose(services)
    live.settings()
    begin = time.monotonic()
    result = live.run("prod", "up", "--wait-timeout", "8")
    assert result.code == 6
    assert time.monotonic() - begin < 100
    assert "db is starting" in result.err
    assert "health deadline: 8 s, as --wait-timeout or wait_timeout says" in result.err
    if dependent:
        assert "web is not started: it waits for db to be healthy" in result.err
        assert f"{live.project} is only partly up: web was not started within 8 s" in result.err
        assert "`dartsctl prod up` starts the rest" in result.err
        assert live.containers()[f"{live.project}-web-1"] == "created"
    else:
        assert f"{live.project} is up, but not healthy within 8 s" in result.err


def test_a_replaced_container_that_cannot_start_is_kept_with_its_error(
    live: LiveStack,
) -> None:  # edge-cases.md#32
    from live.stack import sleeper

    live.compose({"web": sleeper()})
    live.settings()
    assert live.run("prod", "up").code == 0
    live.compose({"web": sleeper(command=["/no/such/program"], init=False)})
    result = live.run("prod", "up")
    assert result.code == 1
    assert "/no/such/program" in result.err
    ps = live.run("prod", "ps")
    assert "created" in ps.out
    assert "/no/such/program" in ps.out


# --- interrupted -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "where"),
    [
        (signal.SIGINT, "compose-waits"),
        (signal.SIGTERM, "compose-waits"),
        (signal.SIGINT, "we-wait"),
        (signal.SIGHUP, "we-wait"),
    ],
)
def test_a_signal_during_up_leaves_nothing_of_a_new_stack(
    live: LiveStack, number: signal.Signals, where: str
) -> None:  # edge-cases.md#85
    from live.stack import ended, sleeper, until

    services = {"db": sleeper(f"{live.ports[0]}:80", healthcheck=SLOW_CHECK)}
    if where == "compose-waits":
        services["web"] = sleeper(depends_on={"db": {"condition": "service_healthy"}})
    live.compose(services)
    live.settings()
    up = live.start("prod", "up")
    if where == "we-wait":
        assert up.stdout is not None
        assert any("waiting for db" in line for line in up.stdout)
    else:
        until(lambda: live.containers().get(f"{live.project}-db-1") == "running")
    up.send_signal(number)
    code, text = ended(up)
    assert code == 130
    assert re.search(
        rf"interrupted; removed what this `up` had created \(.*{live.project}-db-1.*\)", text
    )
    assert live.leftovers() == []


def test_a_signal_during_an_up_of_a_running_stack_leaves_what_was_there(live: LiveStack) -> None:
    from live.stack import ended, sleeper

    live.compose({"db": sleeper()})
    live.settings()
    assert live.run("prod", "up").code == 0
    before = live.identities()
    live.compose({"db": sleeper(), "web": sleeper(healthcheck=SLOW_CHECK)})
    up = live.start("prod", "up")
    assert up.stdout is not None
    assert any("waiting for web" in line for line in up.stdout)
    up.send_signal(signal.SIGINT)
    assert ended(up)[0] == 130
    assert live.identities() == before


def test_a_second_ctrl_c_ends_it_at_once(live: LiveStack) -> None:
    from live.stack import ended, sleeper, until

    live.compose(
        {
            "db": sleeper(healthcheck=SLOW_CHECK),
            "web": sleeper(depends_on={"db": {"condition": "service_healthy"}}),
        }
    )
    live.settings()
    up = live.start("prod", "up")
    until(lambda: live.containers().get(f"{live.project}-db-1") == "running")
    begin = time.monotonic()
    up.send_signal(signal.SIGINT)
    up.send_signal(signal.SIGINT)
    assert ended(up)[0] == 130
    assert time.monotonic() - begin < 50


def compose_calls(project: str) -> list[int]:
    """Return the pids of the Compose processes that work on the project."""
    pids = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            words = (
                (folder / "cmdline").read_bytes().split(b"\0") if folder.name.isdecimal() else []
            )
            if project.encode() in words and b"--project-name" in words:
                pids.append(int(folder.name))
    return pids


def test_a_killed_dartsctl_leaves_no_compose_running(live: LiveStack) -> None:
    from live.stack import healthy, sleeper, until

    after_db = {"db": {"condition": "service_healthy"}}
    live.compose({"db": healthy(after=f"sleep 15; {SLOW}"), "web": sleeper(depends_on=after_db)})
    live.settings()
    up = live.start("prod", "up")
    until(
        lambda: live.containers().get(f"{live.project}-db-1") == "running",
        say="Compose waits for the database",
    )
    assert compose_calls(live.project)
    up.send_signal(signal.SIGKILL)
    up.wait()
    until(lambda: not compose_calls(live.project), seconds=10, say="Compose still runs")


# --- restart -----------------------------------------------------------------------------------


def test_restart_stops_and_starts_the_same_containers(live: LiveStack) -> None:
    from live.stack import healthy, sleeper

    # After a restart by SIGKILL this engine sometimes cannot exec into a container with an init,
    # so the container gets time to end.
    live.compose({"web": healthy(f"{live.ports[0]}:80", stop_grace_period="10s"), "db": sleeper()})
    live.settings()
    assert live.run("prod", "up").code == 0
    before, web, db = (
        live.identities(),
        started_at(f"{live.project}-web-1"),
        started_at(f"{live.project}-db-1"),
    )
    result = live.run("prod", "restart", "web")
    assert result.code == 0, result.err
    assert live.identities() == before
    assert started_at(f"{live.project}-web-1") != web
    assert started_at(f"{live.project}-db-1") == db


def test_restart_of_a_stack_that_is_not_up_says_so(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose({"web": sleeper()})
    live.settings()
    result = live.run("prod", "restart", "--json")
    assert (result.code, result.document["ok"]) == (1, False)
    assert "has no containers to restart" in result.document["error"]
    assert result.document["hint"] == "dartsctl prod up"
    assert live.leftovers() == []
