"""systemd units: what they contain, quoted as systemd reads it, and what systemd says of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dartsctl.errors import UsageError
from dartsctl.records import replace
from dartsctl.workflows.watch.units import UnitPlan, instructions, units

PLAN = UnitPlan(
    project="shop",
    environment="prod",
    root=Path("/srv/shop"),
    state=Path("/var/lib/deploy/dartsctl"),
    user="daemon",
    program=(sys.executable, "-P", "-m", "dartsctl"),
)
STRANGE = replace(
    PLAN,
    root=Path("/srv/my 100% \"shop\" $HOME"),
    state=Path("/var/lib/a b%c"),
    user="root",
    program=("/opt/my py$thon/bin/python", "-m", "dartsctl"),
    options=("--interval", "5 s"),
    groups=(),
    variables={"DOCKER_HOST": "unix:///run/a b.sock"},
)  # fmt: skip


def lines(plan: UnitPlan, name: str) -> list[str]:
    return units(plan)[name].splitlines()


def test_the_watch_restarts_whatever_happens_and_not_where_that_helps_nothing() -> None:
    text = lines(PLAN, "dartsctl-watch-shop.service")
    assert f"ExecStart={sys.executable} -P -m dartsctl watch --env prod" in text
    for line in (
        "Restart=always",
        "RestartPreventExitStatus=2 4",
        "StartLimitIntervalSec=0",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "After=network-online.target docker.service",
        "User=daemon",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "ReadWritePaths=/var/lib/deploy/dartsctl",
        "EnvironmentFile=-/etc/dartsctl/shop.env",
        "CapabilityBoundingSet=",
        "PrivateTmp=yes",
    ):
        assert line in text


def test_the_look_at_the_start_is_bounded_and_comes_with_every_start_of_the_engine() -> None:
    text = lines(PLAN, "dartsctl-boot-shop.service")
    assert f"ExecStart={sys.executable} -P -m dartsctl watch --once --all --within 5m" in text
    for line in ("Type=oneshot", "TimeoutStartSec=900", "WantedBy=docker.service"):
        assert line in text


def test_the_look_at_the_start_heals_as_the_watch_does() -> None:
    plan = replace(PLAN, options=("--interval", "5s", "--heal", "--reserve"))
    (start,) = [row for row in lines(plan, PLAN.boot_name) if row.startswith("ExecStart=")]
    assert start.endswith("watch --once --all --within 5m --heal")


def test_words_are_quoted_as_systemd_reads_them() -> None:
    text = lines(STRANGE, "dartsctl-watch-shop.service")
    assert (
        'ExecStart="/opt/my py$$thon/bin/python" -m dartsctl watch --env prod --interval "5 s"'
        in text
    )
    assert 'WorkingDirectory=/srv/my 100%% "shop" $HOME' in text
    assert 'ReadWritePaths="/var/lib/a b%%c"' in text
    assert 'Environment="DOCKER_HOST=unix:///run/a b.sock"' in text


def test_an_engine_elsewhere_does_not_wait_for_docker_service() -> None:
    for text in units(replace(PLAN, docker_service=False)).values():
        assert "docker.service" not in text


def test_only_a_watch_that_reserves_ports_may_bind_them_all_and_keep_others_out() -> None:
    text = lines(replace(PLAN, reserves=True), "dartsctl-watch-shop.service")
    gate = "CAP_BPF CAP_NET_ADMIN CAP_PERFMON"
    assert f"AmbientCapabilities=CAP_NET_BIND_SERVICE {gate}" in text
    assert "SystemCallFilter=@system-service bpf" in text
    root = lines(replace(PLAN, reserves=True, user="root"), "dartsctl-watch-shop.service")
    assert any(line.endswith(gate) for line in root)
    assert "SystemCallFilter=@system-service" in lines(PLAN, "dartsctl-watch-shop.service")


def test_a_folder_in_tmp_is_not_hidden() -> None:
    for text in units(replace(PLAN, state=Path("/tmp/state"))).values():  # noqa: S108
        assert "PrivateTmp" not in text


def test_a_path_that_no_unit_can_have_is_refused() -> None:
    with pytest.raises(UsageError, match="no systemd unit can have this path"):
        units(replace(PLAN, root=Path("/srv/a\nExecStart=/bin/sh")))


def test_the_instructions_make_the_file_for_secrets_private() -> None:
    text = "\n".join(instructions(STRANGE))
    assert "install -m 600 /dev/null /etc/dartsctl/shop.env" in text
    assert "test -d '/var/lib/a b%c' || install -d -m 700 -o root '/var/lib/a b%c'" in text


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    for plan in (PLAN, replace(STRANGE, program=PLAN.program, project="other")):
        files: list[str] = []
        for name, text in units(plan).items():
            (tmp_path / name).write_text(text)
            files.append(str(tmp_path / name))
        verified = subprocess.run(
            ["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False
        )
        own = [line for line in verified.stderr.splitlines() if "dartsctl-" in line]
        assert (verified.returncode, own) == (0, []), verified.stderr
