"""`init` on what cannot work: one sentence and the next step, nothing written, nothing lost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from live.project_files import read_files, write_files

if TYPE_CHECKING:
    from live.in_process import RunHere

pytest_plugins = ("live.stack", "live.in_process")

PLAIN = "services: {web: {image: busybox}}\n"
NUMBERED = {f"docker-compose.{number:02}.yml": PLAIN for number in range(100)}
PRODUCTIONS = {
    f"{folder}{stem}.{ending}": PLAIN
    for folder in ("", "docker/", "deploy/")
    for stem in ("compose.prod", "docker-compose.prod", "docker-compose-production")
    for ending in ("yml", "yaml")
}
APPS = {f"apps/app{number:02}/compose.yaml": PLAIN for number in range(100)}

CASES = {
    "unfinished toml": ({"dartsctl.toml": "[prod\n"}, 2, "dartsctl.toml:1: ", "hint: correct "),
    "unknown key": (
        {"dartsctl.toml": "[prod]\nfilse = []\n"},
        2,
        "dartsctl.toml:2: prod.filse: unknown key",
        "hint: did you mean prod.files?",
    ),
    "a file that the settings name is missing": (
        {"dartsctl.toml": '[prod]\nfiles = ["gone.yml"]\n', "compose.yaml": PLAIN},
        2,
        "dartsctl.toml:2: prod.files: no such file: {folder}/gone.yml",
        "next: ls {folder}",
    ),
    "unfinished [tool.dartsctl]": (
        {"pyproject.toml": "[tool.dartsctl]\nname =\n"},
        2,
        "pyproject.toml:2: ",
        "hint: correct ",
    ),
    "not YAML": (
        {"compose.yaml": "services:\n  web: [\n"},
        1,
        "Compose cannot read {folder}/compose.yaml",
        "",
    ),
    "a service that is no service": (
        {"compose.yaml": "services: {web: {imagee: busybox}}\n"},
        1,
        "Compose cannot read {folder}/compose.yaml: service web: unknown key: imagee",
        "hint: did you mean image?",
    ),
    "only production's file is broken": (
        {"compose.yaml": PLAIN, "compose.prod.yaml": "services: {web: {ports: [abc]}}\n"},
        1,
        "compose.prod.yaml",
        "",
    ),
    "an empty Compose file": ({"compose.yaml": ""}, 1, "compose.yaml", ""),
    "a folder without anything": (
        {},
        1,
        "nothing to prepare in {folder}: no Compose file and no app",
        "next: dartsctl init --stack",
    ),
    "only a README": (
        {"README.md": "# Shop\n"},
        1,
        "nothing to prepare in {folder}: no Compose file and no app",
        "next: dartsctl init --stack",
    ),
    "two frameworks": (
        {
            "app.py": "from flask import Flask\napp = Flask(__name__)\n",
            "main.py": "from fastapi import FastAPI\napp = FastAPI()\n",
            "compose.yaml": PLAIN,
        },
        2,
        (
            "several frameworks in {folder}, and nothing says which one `dartsctl dev` starts: "
            "main.py (FastAPI), app.py (Flask)"
        ),
        "hint: write that file, then `dartsctl init` adds the rest",
    ),
    "a hundred Compose files": (
        NUMBERED,
        2,
        (
            "cannot tell which of the Compose files in {folder} is for dev or prod: "
            "docker-compose.00.yml, docker-compose.01.yml, docker-compose.02.yml, "
            "docker-compose.03.yml, docker-compose.04.yml, docker-compose.05.yml and 94 more"
        ),
        "next: dartsctl init --dev-file docker-compose.00.yml",
    ),
    "many productions": (
        PRODUCTIONS,
        2,
        "several Compose files for prod in {folder}: compose.prod.yaml, ",
        "next: dartsctl init --prod-file compose.prod.yaml",
    ),
    "a hundred apps below": (
        APPS,
        1,
        (
            "no Compose file and no app in {folder}, but below it: apps/app00, apps/app01, "
            "apps/app02, apps/app03, apps/app04, apps/app05 and 94 more"
        ),
        "next: cd apps/app00 && dartsctl init",
    ),
}


@pytest.mark.compose
@pytest.mark.parametrize("case", CASES)
def test_one_sentence_and_the_next_step_and_nothing_is_written(
    run_here: RunHere, tmp_path: Path, case: str
) -> None:
    files, code, sentence, step = CASES[case]
    write_files(tmp_path, files)
    before = read_files(tmp_path)
    said = run_here(None, "init", "--yes")
    assert read_files(tmp_path) == before
    assert said.code == code, said.text
    [error] = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert sentence.format(folder=tmp_path) in error
    assert len(error) < 600
    last = said.err.splitlines()[-1]
    assert last.startswith(("next: ", "hint: "))
    assert step.format(folder=tmp_path) in last
    assert "Traceback" not in said.text


@pytest.mark.compose
def test_an_env_file_that_is_no_text_gets_no_line(run_here: RunHere, tmp_path: Path) -> None:
    required = "services: {web: {image: busybox, environment: {NAME: '${NAME:?}'}}}\n"
    write_files(tmp_path, {"compose.yaml": required})
    latin = b"NAME=caf\xe9\n"
    (tmp_path / ".env").write_bytes(latin)
    said = run_here(None, "init", "--yes")
    assert said.code == 2
    assert "error: .env:1: not UTF-8 text\n" in said.err
    assert (tmp_path / ".env").read_bytes() == latin
    assert not (tmp_path / "dartsctl.toml").exists()


def test_a_compose_files_name_that_is_something_else_is_named(
    run_here: RunHere, tmp_path: Path
) -> None:
    (tmp_path / "compose.yaml").symlink_to("gone.yaml")
    said = run_here(None, "init", "--yes")
    assert said.code == 2
    assert said.err == (
        f"error: broken symbolic link: {tmp_path}/compose.yaml\n"
        f"next: ls -l {tmp_path}/compose.yaml\n"
    )
