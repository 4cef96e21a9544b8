"""`init` as it ends: what is missing, what the checks say, what comes next; and a second run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fakes.machines import ANSWERS_VERSION, write_script
from live.project_files import read_files, write_files

if TYPE_CHECKING:
    from fakes.machines import Machine
    from live.in_process import RunHere

pytest_plugins = ("live.stack", "live.in_process")

pytestmark = pytest.mark.compose

DEV = {"compose.yaml": "services: {web: {image: busybox}}\n", "app.py": ""}


def last_line(text: str) -> str:
    return text.splitlines()[-1]


def test_check_names_what_is_missing_and_writes_nothing(run_here: RunHere, tmp_path: Path) -> None:
    files = {**DEV, ".env.example": "API_TOKEN=change-me\n"}
    write_files(tmp_path, files)
    said = run_here(None, "init", "--check")
    assert said.code == 1
    assert said.out.startswith("create  .env  from .env.example")
    assert last_line(said.err) == "next: dartsctl init"
    assert read_files(tmp_path).keys() == files.keys()
    document = run_here(None, "init", "--check", "--json").document
    assert (document["ok"], document["exit_code"], document["check"]) == (False, 1, True)
    assert read_files(tmp_path).keys() == files.keys()


@pytest.mark.engine
def test_after_init_nothing_is_missing_and_a_second_run_changes_nothing(
    run_here: RunHere, tmp_path: Path
) -> None:
    write_files(tmp_path, DEV)
    first = run_here(None, "init", "--yes")
    assert first.code == 0
    assert "found: dev: compose.yaml" in first.err
    written = read_files(tmp_path)
    said = run_here(None, "init")  # no terminal: it would fail if it had to ask
    assert said.code == 0
    assert f"nothing to do: all files exist in {tmp_path}" in said.err
    assert last_line(said.err) == "next: dartsctl dev"
    said = run_here(None, "init", "--check")
    assert (said.code, said.out) == (0, "")
    assert f"nothing is missing in {tmp_path}" in said.err
    assert read_files(tmp_path) == written


def test_what_production_would_refuse_is_one_line_and_a_persons_task_comes_next(
    run_here: RunHere, tmp_path: Path
) -> None:
    production = "services: {web: {image: busybox, environment: {SITE: '${DOMAIN:?the name}'}}}\n"
    write_files(tmp_path, {"compose.prod.yaml": production})
    said = run_here(None, "init", "--yes")
    assert said.code == 0
    refusal, hint = said.err.splitlines()[-2:]
    assert refusal.startswith("prod check: production is unsafe: 1 problem: DOMAIN is required")
    assert hint.startswith("hint: do what is left to you, beginning with: set DOMAIN in .env.prod")
    assert run_here(None, "init", "--check").code == 1


def test_a_dry_run_shows_the_diffs_and_writes_nothing(run_here: RunHere, tmp_path: Path) -> None:
    write_files(tmp_path, {**DEV, ".env.example": "SECRET_KEY=change-me\nTZ=Europe/Berlin\n"})
    before = read_files(tmp_path)
    said = run_here(None, "init", "--dry-run")
    assert said.code == 0
    assert '  + # files = ["compose.yaml"]  # by its name' in said.out
    assert "  + SECRET_KEY=***  (new secret)\n  + TZ=Europe/Berlin\n" in said.out
    assert read_files(tmp_path) == before


def test_minimal_settings_have_no_comments(run_here: RunHere, tmp_path: Path) -> None:
    write_files(tmp_path, {**DEV, "stacks/site.yaml": DEV["compose.yaml"]})
    words = ("--prod-file", "stacks/site.yaml")
    assert run_here(None, "init", "--yes", "--minimal", *words).code == 0
    settings = read_files(tmp_path)["dartsctl.toml"].decode()
    assert settings.startswith('[prod]\nfiles = ["stacks/site.yaml"]\n')
    assert "#" not in settings


def test_minimal_writes_no_settings_where_none_are_needed(
    run_here: RunHere, tmp_path: Path
) -> None:
    write_files(tmp_path, DEV)
    said = run_here(None, "init", "--yes", "--minimal")
    assert said.code == 0
    assert "found: no settings are needed: everything has its conventional name" in said.err
    assert read_files(tmp_path).keys() == DEV.keys()


def test_a_file_of_comments_alone_is_not_missing(run_here: RunHere, tmp_path: Path) -> None:
    write_files(tmp_path, DEV)
    said = run_here(None, "init", "--check")
    assert (said.code, said.out) == (0, "")
    assert f"nothing is missing in {tmp_path}" in said.err


def test_the_app_alone_gets_settings_without_services(run_here: RunHere, tmp_path: Path) -> None:
    write_files(tmp_path, {"app.py": ""})
    said = run_here(None, "init", "--yes")
    assert (said.code, last_line(said.err)) == (0, "next: dartsctl dev")
    assert (
        b"\n[dev]\nfiles = []  # no Compose file: the server alone\n"
        in read_files(tmp_path)["dartsctl.toml"]
    )


def test_without_docker_the_rest_is_written_and_what_was_not_checked_is_said(
    run_here: RunHere, tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = tmp_path / "shop"
    write_files(shop, {**DEV, ".env.example": "API_TOKEN=change-me\n"})
    for name, value in machine.environ.items():
        monkeypatch.setenv(name, value)
    said = run_here(shop, "init", "--yes")
    assert said.code == 0
    assert {"dartsctl.toml", ".env"} <= read_files(shop).keys()
    problem = "Docker is not installed"
    assert f"found: dev: what these files need is not checked: {problem}" in said.err
    assert f"dev check: {problem}" in said.err
    assert run_here(shop, "init", "--check").code == 0


@pytest.mark.parametrize(
    ("moment", "error", "written"),
    [
        ("! -e dartsctl.toml", "error: interrupted\n", {*DEV}),
        (
            "-e dartsctl.toml",
            (
                "error: interrupted before the checks; the files are written\n"
                "next: dartsctl init --check\n"
            ),
            {*DEV, "dartsctl.toml"},
        ),
    ],
)
def test_ctrl_c_before_the_writing_writes_nothing_and_after_it_says_so(
    tmp_path: Path, machine: Machine, moment: str, error: str, written: set[str]
) -> None:
    from live.stack import until

    shop, asked = tmp_path / "shop", tmp_path / "asked"
    write_files(shop, DEV)
    hang = f"[ {moment} ] && {{ echo > {asked}; exec sleep 600; }}"
    answer = 'echo \'{"name": "shop", "services": {}}\''
    write_script(machine.plugin, f"{ANSWERS_VERSION}\n{hang}\n{answer}")
    path = f"{machine.folder}/bin:{os.environ['PATH']}"
    process = subprocess.Popen(
        [sys.executable, "-m", "dartsctl", "init", "--yes"],
        cwd=shop,
        env={**os.environ, **machine.environ, "PATH": path},
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        until(lambda: asked.exists() or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert said.endswith(error)
    assert read_files(shop).keys() == written


def test_a_folder_of_a_monorepo_has_its_own_settings_and_ignores_its_own_files(
    run_here: RunHere, tmp_path: Path
) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    shop = tmp_path / "apps" / "shop"
    write_files(shop, {**DEV, ".env.example": "API_TOKEN=change-me\n"})
    assert run_here(shop, "init", "--yes").code == 0
    assert read_files(tmp_path).keys() == {
        f"apps/shop/{name}"
        for name in (*DEV, ".env.example", ".env", ".gitignore", "dartsctl.toml")
    }
    shown = subprocess.run(
        ["git", "status", "--short", "-uall"], cwd=tmp_path, capture_output=True, check=True
    ).stdout
    assert b"apps/shop/.env\n" not in shown


def test_a_worktree_is_prepared_like_any_other_checkout(run_here: RunHere, tmp_path: Path) -> None:
    main, tree = tmp_path / "shop", tmp_path / "shop-fix"
    git = ["git", "-C", str(main), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "init", "-q", str(main)], check=True)
    write_files(main, {**DEV, ".env.example": "API_TOKEN=change-me\n"})
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "all"], check=True)
    subprocess.run([*git, "worktree", "add", "-q", str(tree)], check=True)
    assert run_here(tree, "init", "--yes").code == 0
    written = read_files(tree)
    assert written.keys() == {*DEV, ".env.example", ".env", ".gitignore", "dartsctl.toml"}
    assert written[".gitignore"] == b"/.env\n"


NEEDS_VALUES = """\
services:
  app:
    image: busybox
    env_file: [.env, worker.env]
    ports: ["${PORT}:${PORT}"]
    volumes: ["${UPLOADS}:/data"]
    environment: {COLOR: "${COLOR}"}
"""


def test_files_that_only_the_example_completes_are_read_with_it(
    run_here: RunHere, tmp_path: Path
) -> None:
    example = "UPLOADS=./uploads\nPORT=28999\n"
    write_files(tmp_path, {"compose.yaml": NEEDS_VALUES, "example.env": example})
    said = run_here(None, "init", "--yes")
    assert said.code == 0, said.text
    assert (tmp_path / ".env").read_text() == example
    assert "write the variables of app into worker.env: it is new, and no example" in said.err
    assert "dev check: " in said.err
    written = read_files(tmp_path)
    said = run_here(None, "init")
    assert said.code == 0
    assert "write the variables of app into worker.env: " in said.err
    assert read_files(tmp_path) == written
    (tmp_path / "worker.env").write_text("QUEUE=mail\n")
    assert "worker.env" not in run_here(None, "init").err
    (tmp_path / ".env").write_text("UPLOADS=./uploads\n")
    said = run_here(None, "init")  # `check` says what is missing
    assert "dev check: Compose cannot read " in said.err
    assert "because PORT is not set" in said.err
    assert "found: dev: nothing sets COLOR, which Compose leaves empty" in said.err
    assert run_here(None, "init", "--check").code == 1
