"""`check` on the real engine: every verdict, every kind of holder, and taken names.

It never changes anything.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from own_images import BUSYBOX
from own_ports import free_ports

if TYPE_CHECKING:
    from live.stack import LiveStack, Said

pytest_plugins = ("live.stack",)
pytestmark = pytest.mark.engine


def verdicts(result: Said) -> dict[str, str]:
    """Return the verdict by published port from --json; replicas have the same verdict here."""
    return {row["published"]: row["verdict"] for row in result.document["bindings"]}


def holders(result: Said) -> list[dict[str, Any]]:
    """Return all holders of all conflicts."""
    return [holder for conflict in result.document["conflicts"] for holder in conflict["holders"]]


# --- the answer itself -------------------------------------------------------------------------


def test_a_stack_whose_ports_are_free_is_clear_and_the_table_says_so(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose(
        {"web": sleeper(f"{live.ports[0]}:80"), "db": sleeper(f"127.0.0.1:{live.ports[1]}:5432")}
    )
    result = live.run("check", "-f", "compose.json")
    assert result.code == 0
    assert re.search(rf"^web +\*:{live.ports[0]} +80/tcp +free$", result.out, re.MULTILINE)
    assert re.search(
        rf"^db +127\.0\.0\.1:{live.ports[1]} +5432/tcp +free$", result.out, re.MULTILINE
    )
    assert "no conflicts; 2 bindings checked against engine" in result.err
    assert live.leftovers() == []


def test_every_conflict_is_reported_at_once_and_nothing_is_created(live: LiveStack) -> None:
    from live.stack import sleeper

    pids = [live.listen(port) for port in live.ports[:2]]
    live.compose(
        {
            "web": sleeper(f"{live.ports[0]}:80"),
            "db": sleeper(f"{live.ports[1]}:5432"),
            "free": sleeper(f"{live.ports[2]}:1"),
        }
    )
    result = live.run("check", "-f", "compose.json")
    assert result.code == 3
    for pid in pids:
        assert f"pid {pid}" in result.err
    assert re.search(rf"^web +\*:{live.ports[0]} +80/tcp +CONFLICT$", result.out, re.MULTILINE)
    assert re.search(rf"^free +\*:{live.ports[2]} +1/tcp +free$", result.out, re.MULTILINE)
    assert live.leftovers() == []


_MANY_SOCKETS = """
import socket, sys, time
held = []
for port in range(int(sys.argv[1]), int(sys.argv[2]) + 1):
    held.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    held[-1].bind(("0.0.0.0", port))
print("ready", flush=True)
time.sleep(600)
"""


def test_thousands_of_ports_in_a_row_are_one_row_until_somebody_has_some_of_them(
    live: LiveStack,
) -> None:
    from live.stack import sleeper

    live.compose({"turn": sleeper("6000-9999:6000-9999/udp")})
    (free,) = live.run("check", "-f", "compose.json", "--json").document["bindings"]
    assert (free["published"], free["target"], free["count"], free["verdict"]) == (
        "6000-9999",
        6000,
        4000,
        "free",
    )

    squatter = live.spawn([sys.executable, "-c", _MANY_SOCKETS, "9000", "9299"])
    assert squatter.stdout is not None
    assert squatter.stdout.readline() == "ready\n"
    result = live.run("check", "-f", "compose.json")
    assert result.code == 3
    assert re.findall(r"^turn +\*:(\S+) +(\S+)/udp +(\w+)$", result.out, re.MULTILINE) == [
        ("6000-8999", "6000-8999", "free"),
        ("9000-9299", "9000-9299", "CONFLICT"),
        ("9300-9999", "9300-9999", "free"),
    ]
    assert result.err.count(f"pid {squatter.pid}") == 1
    assert len(result.err.splitlines()) < 10


def test_a_range_is_warned_about_once(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose({"turn": sleeper("40000-40004:40000-40004/udp", "40005:40005/udp")})
    result = live.run("check", "-f", "compose.json")
    assert result.err.count("where any outgoing connection may take it") == 1
    assert "turn: ports 40000-40005 lie in" in result.err


def test_the_json_document_keeps_its_contract(live: LiveStack) -> None:
    from live.stack import sleeper

    pid = live.listen(live.ports[0])
    live.compose(
        {
            "web": sleeper(f"127.0.0.1:{live.ports[0]}:80", f"{live.ports[1]}:81/udp"),
            "worker": sleeper(f"{live.ports[2]}:80", network_mode="none"),
        }
    )
    result = live.run("check", "-f", "compose.json", "--json")
    document = result.document
    assert result.code == document["exit_code"] == 3
    assert document["schema"] == 1
    assert document["ok"] is False
    assert document["project"] == live.project
    assert document["files"] == [str(live.folder / "compose.json")]
    assert document["engine"]["local_sockets_checked"] is True
    assert document["engine"]["version"]
    assert {
        "service",
        "replica",
        "published",
        "target",
        "count",
        "protocol",
        "addresses",
        "host_network",
        "verdict",
        "note",
    } == set(document["bindings"][0])
    assert verdicts(result) == {str(live.ports[0]): "conflict", str(live.ports[1]): "free"}
    assert [(row["service"], bool(row["reason"])) for row in document["not_bound"]] == [
        ("worker", True)
    ]
    (conflict,) = document["conflicts"]
    assert conflict["service"] == "web"
    assert conflict["endpoints"] == [
        {"address": "127.0.0.1", "port": live.ports[0], "count": 1, "protocol": "tcp"}
    ]
    (holder,) = conflict["holders"]
    assert holder["kind"] == "process"
    assert holder["pid"] == pid
    assert holder["user"] == "root" or os.getuid()
    assert str(live.ports[0]) in holder["command"]
    assert holder["cwd"] == str(live.folder)
    assert holder["evidence"] == f"listens on 127.0.0.1:{live.ports[0]}/tcp"
    assert document["collisions"] == []
    assert all(set(row) == {"code", "service", "message"} for row in document["warnings"])


# --- the project's own containers --------------------------------------------------------------


def test_a_running_stack_is_no_conflict_with_itself(live: LiveStack) -> None:  # edge-cases.md#36
    from live.stack import sleeper

    live.compose(
        {
            "web": sleeper(f"{live.ports[0]}:80"),
            "pool": sleeper(f"{live.ports[1]}-{live.ports[3]}:80", scale=2),
        }
    )
    live.up()
    result = live.run("check", "-f", "compose.json", "--json")
    assert result.code == 0
    assert set(verdicts(result).values()) == {"held"}


def test_a_container_that_moves_to_another_port_needs_only_the_new_one(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose({"web": sleeper(f"{live.ports[0]}:80")})
    live.up()
    live.compose({"web": sleeper(f"{live.ports[1]}:80")})
    assert live.run("check", "-f", "compose.json").code == 0
    live.listen(live.ports[1])
    assert live.run("check", "-f", "compose.json").code == 3


def test_two_services_may_swap_their_ports_in_one_up(live: LiveStack) -> None:
    from live.stack import sleeper

    first, second = (f"{port}:80" for port in live.ports[:2])
    live.compose({"a": sleeper(first), "b": sleeper(second)})
    live.up()
    live.compose({"a": sleeper(second), "b": sleeper(first)})
    result = live.run("check", "-f", "compose.json", "--json")
    assert result.code == 0
    assert set(verdicts(result).values()) == {"free"}
    live.up()  # and the engine agrees


def test_a_wider_address_conflicts_where_the_old_one_did_not(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose({"web": sleeper(f"127.0.0.1:{live.ports[0]}:80")})
    live.up()
    live.listen(live.ports[0], "127.0.0.5")
    live.compose({"web": sleeper(f"{live.ports[0]}:80")})
    assert live.run("check", "-f", "compose.json").code == 3


def test_an_orphan_keeps_its_port_and_is_named_as_the_projects_own(
    live: LiveStack,
) -> None:  # edge-cases.md#38
    from live.stack import sleeper

    live.compose({"old": sleeper(f"{live.ports[0]}:80")})
    live.up()
    live.compose({"new": sleeper(f"{live.ports[0]}:80")})
    result = live.run("check", "-f", "compose.json", "--json")
    assert result.code == 3
    holder = holders(result)[0]
    assert (holder["container"], holder["orphan"]) == (f"{live.project}-old-1", True)
    live.settings()
    result = live.run("prod", "check")
    assert f"held by {live.project}-old-1 (running), an orphan of this project" in result.err
    assert "next: dartsctl prod up --remove-orphans" in result.err

    services = {"new": sleeper(f"{live.ports[0]}:80"), "old": sleeper(profiles=["tools"])}
    live.compose(services)
    result = live.run("prod", "check", "--json")
    assert holders(result)[0]["orphan"] is False, "its service is only behind a profile"
    assert "hint" not in result.document


def test_a_paused_container_of_the_project_is_in_the_way(live: LiveStack) -> None:
    from live.stack import docker, sleeper

    live.compose({"web": sleeper(f"{live.ports[0]}:80")})
    live.up()
    docker("pause", f"{live.project}-web-1")
    result = live.run("check", "-f", "compose.json")
    assert result.code == 3
    assert f"docker unpause {live.project}-web-1" in result.err


# --- holders -----------------------------------------------------------------------------------


def test_a_container_of_another_project_is_named_with_its_project_and_files(
    live: LiveStack,
) -> None:  # edge-cases.md#37
    from live.stack import sleeper

    live.compose(
        {"web": sleeper(f"{live.ports[0]}:80")},
        file="theirs/compose.json",
        name=live.of(f"{live.project}-other"),
    )
    live.up("-f", "theirs/compose.json")
    live.compose({"web": sleeper(f"127.0.0.1:{live.ports[0]}:80")})
    result = live.run("check", "-f", "compose.json", "--json")
    assert result.code == 3
    (holder,) = holders(result)
    assert holder["kind"] == "container"
    assert (holder["project"], holder["service"]) == (f"{live.project}-other", "web")
    assert holder["working_dir"] == str(live.folder / "theirs")
    assert "docker lists" in holder["evidence"]
    people = live.run("check", "-f", "compose.json").err
    other = f"{live.project}-other"
    assert (
        f"held by container {other}-web-1 of project {other} (running),"
        f" files in {live.folder / 'theirs'}"
    ) in people


def test_a_server_on_the_hosts_network_is_reported_as_its_container(
    live: LiveStack,
) -> None:  # edge-cases.md#53
    from live.stack import sleeper, until

    name = live.container("--network", "host", BUSYBOX, "httpd", "-f", "-p", str(live.ports[0]))
    live.compose({"web": sleeper(f"{live.ports[0]}:80")})
    result = until(
        lambda: (answer := live.run("check", "-f", "compose.json", "--json")).code == 3 and answer
    )
    (holder,) = holders(result)
    assert (holder["kind"], holder["container"]) == ("container", name)
    assert "on the host's network" in holder["evidence"]


def test_two_servers_that_share_a_port_by_reuseport_are_both_named(
    live: LiveStack,
) -> None:  # edge-cases.md#7
    from live.stack import sleeper

    pids = {live.listen(live.ports[0], "127.0.0.1", "tcp", "reuse-port") for _ in range(2)}
    live.compose({"web": sleeper(f"{live.ports[0]}:80")})
    result = live.run("check", "-f", "compose.json", "--json")
    assert result.code == 3
    assert {holder["pid"] for holder in holders(result)} == pids


def test_a_listener_on_the_other_family_alone_still_blocks_an_entry_without_address(
    live: LiveStack,
) -> None:  # edge-cases.md#2
    from live.stack import sleeper

    live.listen(live.ports[0], "::1")
    live.compose({"web": sleeper(f"{live.ports[0]}:80")})
    assert live.run("check", "-f", "compose.json").code == 3
    live.compose({"web": sleeper(f"127.0.0.1:{live.ports[0]}:80")})
    assert live.run("check", "-f", "compose.json").code == 0


def test_udp_conflicts_with_udp_alone(live: LiveStack) -> None:  # edge-cases.md#6
    from live.stack import sleeper

    pid = live.listen(live.ports[0], "127.0.0.1", "udp")
    live.compose({"dns": sleeper(f"127.0.0.1:{live.ports[0]}:53/udp")})
    result = live.run("check", "-f", "compose.json", "--json")
    assert result.code == 3
    assert holders(result)[0]["pid"] == pid
    live.compose({"dns": sleeper(f"127.0.0.1:{live.ports[0]}:53/tcp")})
    assert live.run("check", "-f", "compose.json").code == 0


def test_an_environment_whose_secrets_stand_in_a_command_line_is_shown_masked(
    live: LiveStack,
) -> None:
    import sys

    from live.stack import sleeper, until

    server = f"socket.create_server(('127.0.0.1', {live.ports[0]}))"
    script = f"import socket, time; s = {server}; time.sleep(600)"
    live.spawn(
        [
            sys.executable,
            "-c",
            script,
            "--db-password=canary-5d21",
            "--api-token",
            "canary-77aa",
            "postgres://u:canary-9f@host/db",
        ]
    )
    live.compose({"web": sleeper(f"{live.ports[0]}:80")})
    until(lambda: live.run("check", "-f", "compose.json").code == 3)
    for words in ((), ("--json",)):
        result = live.run("check", "-f", "compose.json", *words)
        assert result.code == 3
        assert "canary" not in result.text


# --- ranges and replicas -----------------------------------------------------------------------


def test_a_range_is_a_conflict_only_when_too_few_of_its_numbers_are_left(
    live: LiveStack,
) -> None:  # edge-cases.md#48
    from live.stack import sleeper

    live.compose({"pool": sleeper(f"127.0.0.1:{live.ports[0]}-{live.ports[1]}:80")})
    assert live.run("check", "-f", "compose.json").code == 0
    first = live.listen(live.ports[0])
    assert live.run("check", "-f", "compose.json").code == 0
    second = live.listen(live.ports[1])
    result = live.run("check", "-f", "compose.json", "--json")
    assert result.code == 3
    assert result.document["conflicts"][0]["reason"] == "range_exhausted"
    assert {holder["pid"] for holder in holders(result)} == {first, second}


def test_replicas_of_a_fixed_port_can_never_start(live: LiveStack) -> None:  # edge-cases.md#49
    from live.stack import sleeper

    live.compose({"web": sleeper(f"{live.ports[0]}:80", deploy={"replicas": 2})})
    result = live.run("check", "-f", "compose.json", "--json")
    assert result.code == 3
    assert {conflict["reason"] for conflict in result.document["conflicts"]} == {"same_stack"}
    assert "replicas-fixed-port" in {row["code"] for row in result.document["warnings"]}


def test_two_services_that_want_one_port_are_both_named(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose(
        {"a": sleeper(f"{live.ports[0]}:80"), "b": sleeper(f"127.0.0.1:{live.ports[0]}:80")}
    )
    result = live.run("check", "-f", "compose.json", "--json")
    assert result.code == 3
    assert {
        conflict["service"]: conflict["holders"][0]["service"]
        for conflict in result.document["conflicts"]
    } == {"a": "b", "b": "a"}


def test_a_service_scaled_to_zero_needs_no_port(live: LiveStack) -> None:  # edge-cases.md#55
    from live.stack import sleeper

    live.listen(live.ports[0])
    live.compose({"web": sleeper(f"{live.ports[0]}:80", scale=0)})
    assert live.run("check", "-f", "compose.json").code == 0


@pytest.mark.parametrize("others", [0, 40], ids=["alone", "among many ports"])
def test_a_listener_on_ipv6_beside_a_binding_on_ipv4_makes_localhost_ambiguous(
    live: LiveStack, others: int
) -> None:
    from live.stack import sleeper

    port = live.ports[0]
    code = (
        "import socket, time; server = socket.socket(socket.AF_INET6);"
        f" server.bind(('::1', {port})); server.listen();"
        " print('ready', flush=True); time.sleep(600)"
    )
    server = live.spawn([sys.executable, "-c", code])
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"
    more = [f"127.0.0.1:{number}:{target}" for target, number in enumerate(free_ports(others), 81)]
    live.compose({"web": sleeper(f"127.0.0.1:{port}:80", *more)})
    result = live.run("check", "-f", "compose.json")
    assert result.code == 0
    assert result.err.count("is ambiguous") == 1
    assert f"web: localhost:{port} is ambiguous: 127.0.0.1:{port} is this service" in result.err
    assert f"(pid {server.pid}" in result.err


def test_a_port_that_an_override_appended_is_refused_with_the_lines_to_write(
    live: LiveStack,
) -> None:
    from live.stack import sleeper

    port = live.ports[0]
    live.compose({"web": sleeper(f"127.0.0.1:{port}:80")}, file="base.json")
    live.compose({"web": {"ports": [f"0.0.0.0:{port}:80"]}}, file="open.json")
    live.settings(files=("base.json", "open.json"), environment="dev")
    result = live.run("dev", "up")
    assert result.code == 3
    assert f"wanted by service web: 127.0.0.1:{port}:80 [base.json]" in result.err
    assert f"wanted by service web: 0.0.0.0:{port}:80 [open.json]" in result.err
    assert "ports: !override" in result.err
    assert "hint: change `ports` in open.json, then `dartsctl dev up`" in result.err
    assert "free what" not in result.err
    assert live.leftovers() == []


# --- names -------------------------------------------------------------------------------------


def test_a_container_name_that_another_container_has_is_a_conflict(live: LiveStack) -> None:
    from live.stack import sleeper

    name = live.container(BUSYBOX, "sleep", "600")
    live.compose({"web": sleeper(container_name=name)})
    result = live.run("check", "-f", "compose.json", "--json")
    assert result.code == 3
    (collision,) = result.document["collisions"]
    assert (collision["kind"], collision["container"], collision["wanted_by"]) == (
        "container-name",
        name,
        "web",
    )
    assert (
        f"service web wants the container name {name}"
        in live.run("check", "-f", "compose.json").err
    )


def test_a_project_name_under_which_other_files_run_is_refused_unless_it_is_asked_for_by_name(
    live: LiveStack,
) -> None:
    from live.stack import sleeper

    live.compose({"web": sleeper()}, file="production/compose.json")
    live.up("-f", "production/compose.json")
    live.compose({"web": sleeper()})
    result = live.run("check", "-f", "compose.json", "--json")
    assert result.code == result.document["exit_code"] == 4
    (collision,) = result.document["collisions"]
    assert collision["kind"] == "project-name"
    assert collision["files"] == [str(live.folder / "production" / "compose.json")]
    assert live.run("check", "-f", "compose.json", "-p", live.project).code == 0


# --- which part of the stack -------------------------------------------------------------------


def test_a_profile_counts_only_when_it_is_on(live: LiveStack) -> None:  # edge-cases.md#52
    from live.stack import sleeper

    live.listen(live.ports[0])
    live.compose({"web": sleeper(), "debug": sleeper(f"{live.ports[0]}:80", profiles=["debug"])})
    assert live.run("check", "-f", "compose.json").code == 0
    assert live.run("check", "-f", "compose.json", "--profile", "debug").code == 3


def test_an_env_file_decides_about_a_port(live: LiveStack) -> None:
    from live.stack import sleeper

    live.listen(live.ports[0])
    live.compose({"web": sleeper("${WEB_PORT}:80")})
    (live.folder / "busy.env").write_text(f"WEB_PORT={live.ports[0]}\n")
    (live.folder / "free.env").write_text(f"WEB_PORT={live.ports[1]}\n")
    assert live.run("check", "-f", "compose.json", "--env-file", "busy.env").code == 3
    assert live.run("check", "-f", "compose.json", "--env-file", "free.env").code == 0
    without = live.run("check", "-f", "compose.json")
    assert without.code == 0
    assert "unset variables (WEB_PORT)" in without.err


def test_a_named_service_brings_what_it_depends_on_and_nothing_else(
    live: LiveStack,
) -> None:  # edge-cases.md#56
    from live.stack import sleeper

    live.listen(live.ports[0])
    live.listen(live.ports[1])
    live.compose(
        {
            "web": sleeper(depends_on=["db"]),
            "db": sleeper(f"{live.ports[0]}:80"),
            "other": sleeper(f"{live.ports[1]}:80"),
        }
    )
    result = live.run("check", "-f", "compose.json", "web", "--json")
    assert result.code == 3
    assert {row["service"] for row in result.document["bindings"]} == {"db"}
    assert (
        live.run("check", "-f", "compose.json", "other", "--json").document["conflicts"][0][
            "service"
        ]
        == "other"
    )


def test_files_are_merged_in_order_and_the_folders_own_file_is_found(
    live: LiveStack,
) -> None:  # edge-cases.md#51
    from live.stack import sleeper

    live.compose({"web": sleeper(f"{live.ports[0]}:80")}, file="compose.yml")
    live.compose({"web": {"ports": [f"127.0.0.1:{live.ports[0]}:80"]}}, file="over.yml")
    assert live.run("check").code == 0
    result = live.run("check", "-f", "compose.yml", "-f", "over.yml", "--json")
    assert result.code == 3, "merged port lists are added up, and both entries exclude each other"
    assert result.document["conflicts"][0]["reason"] == "same_stack"


# --- without an engine -------------------------------------------------------------------------


def test_without_the_engine_files_and_sockets_are_judged_alone(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose({"web": sleeper(f"{live.ports[0]}:80")})
    dead = f"unix://{live.folder}/no-engine.sock"
    result = live.run("check", "-f", "compose.json", "--no-engine", DOCKER_HOST=dead)
    assert result.code == 0
    assert "without asking an engine" in result.err
    pid = live.listen(live.ports[0])
    result = live.run("check", "-f", "compose.json", "--no-engine", DOCKER_HOST=dead)
    assert result.code == 3
    assert f"pid {pid}" in result.err
    assert live.run("check", "-f", "compose.json", DOCKER_HOST=dead).code == 5


# --- an environment of the settings ------------------------------------------------------------


def test_prod_check_reports_the_drift_from_the_documented_allocation(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose({"web": sleeper(f"{live.ports[0]}:80"), "db": sleeper(f"{live.ports[1]}:80")})
    live.settings(f"[ports.production]\nweb = {live.ports[0]}\ncache = {live.ports[2]}\n")
    result = live.run("prod", "check", "--json")
    assert result.code == 0
    drift = [row["message"] for row in result.document["warnings"] if row["code"] == "drift"]
    assert drift == [
        f"port {live.ports[1]} is published and not in [ports.production]",
        f"port {live.ports[2]} is in [ports.production] and not published",
    ]


def test_dev_check_warns_of_a_production_port(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose({"web": sleeper(f"{live.ports[0]}:80")})
    live.settings(f"[ports.production]\ndarts-app = {live.ports[0]}\n", environment="dev")
    result = live.run("dev", "check")
    assert result.code == 0
    assert f"port {live.ports[0]} belongs to production's darts-app" in result.err


# --- secrets -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "verb", [("check",), ("check", "--json"), ("config",), ("config", "--json")]
)
def test_no_value_of_an_environment_or_an_env_file_is_ever_shown(
    live: LiveStack, verb: tuple[str, ...]
) -> None:
    from live.stack import sleeper

    live.listen(live.ports[0])
    (live.folder / "secret.env").write_text(
        "DB_PASSWORD=canary-env-file-1\nPLAIN_WORD=canary-env-file-2\n"
    )
    (live.folder / "secret.env").chmod(0o600)
    (live.folder / "service.env").write_text("INSIDE=canary-service-env-3\n")
    service = sleeper(
        f"{live.ports[0]}:80",
        environment={
            "URL": "postgres://app:${DB_PASSWORD}@db/app",
            "OTHER": "canary-literal-4",
            "PLAIN": "${PLAIN_WORD}",
        },
        env_file=["service.env"],
        labels={"hint": "canary-label-5"},
        command=["sleep", "600", "--password=canary-command-6", "${DB_PASSWORD}"],
    )
    live.compose({"web": service})
    live.settings('env_files = ["secret.env"]')
    result = live.run("prod", *verb, SOME_TOKEN="canary-environment-7")
    assert result.code == (0 if "config" in verb else 3)
    assert "canary" not in result.text


@pytest.mark.parametrize("source", ["env-file", "default-env-file", "environment"])
def test_a_secret_in_composes_own_complaint_is_masked(live: LiveStack, source: str) -> None:
    from live.stack import sleeper

    live.compose({"web": sleeper("${WEB_PASSWORD}:80")})
    line = "WEB_PASSWORD=canary-not-a-port\n"
    live.settings('env_files = ["secret.env"]' if source == "env-file" else "")
    (
        live.folder / {"env-file": "secret.env", "default-env-file": ".env"}.get(source, "unused")
    ).write_text(line)
    variables = {"WEB_PASSWORD": "canary-not-a-port"} if source == "environment" else {}
    for verb in ("check", "up", "config"):
        result = live.run("prod", verb, env=variables)
        assert result.code == 1
        assert "not a host port; WEB_PASSWORD is a value of 17 characters" in result.err
        assert "canary" not in result.text
