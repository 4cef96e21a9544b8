"""Virtual environments of venv, virtualenv, uv, PyPy and poetry, and their order."""

from __future__ import annotations

import os
import shutil
import tempfile
import venv
from pathlib import Path

import pytest

from dartsctl.edges.project import venvs
from dartsctl.errors import DartsctlError, ExitCode, UsageError
from dartsctl.system.files import UnsafeFile
from two_users import ANN, as_user, needs_root, public_folder


def make(path: Path, *libraries: str, cfg: str = "home = /usr/bin\n") -> Path:
    """Create the files that identify a virtual environment."""
    for library in libraries or ("lib/python3.12",):
        (path / library / "site-packages").mkdir(parents=True)
    (path / "pyvenv.cfg").write_text(cfg)
    return path


def packages(path: Path) -> str:
    """Return its site-packages, relative to it."""
    return str(venvs.at(path, source="--venv").site_packages.relative_to(path.resolve()))


def names_in(folder: Path, **environ: str) -> list[tuple[str, str]]:
    """Return path and source of the environments of `folder`."""
    environments = venvs.find((folder,), {"HOME": "/nonexistent", **environ})
    return [
        (str(environment.path.relative_to(folder.resolve())), environment.source)
        for environment in environments
    ]


# --- layouts -----------------------------------------------------------------------------------


def test_the_layout_of_venv(tmp_path: Path) -> None:
    venv.create(tmp_path / ".venv", symlinks=True)
    environment = venvs.at(tmp_path / ".venv", source="--venv")
    assert environment.site_packages == next(
        (tmp_path.resolve() / ".venv").glob("lib/python*/site-packages")
    )
    assert environment.python.exists()


@needs_root
def test_root_reads_another_users_environment_and_follows_none_of_their_links(
    tmp_path: Path,
) -> None:
    make(tmp_path / "roots")
    with public_folder(ANN) as folder:
        as_user(ANN, lambda: (make(folder / ".venv") / "lib64").symlink_to("lib"))
        as_user(ANN, lambda: (folder / "venv").symlink_to(tmp_path / "roots"))
        assert packages(folder / ".venv") == "lib/python3.12/site-packages"
        with pytest.raises(UnsafeFile, match=r"venv is a symbolic link of another user"):
            venvs.at(folder / "venv", source="--venv")
        assert names_in(folder) == [(".venv", ".venv")]


def test_lib64_is_a_second_name_of_lib(tmp_path: Path) -> None:
    make(tmp_path / "venv")
    (tmp_path / "venv" / "lib64").symlink_to("lib")
    assert packages(tmp_path / "venv") == "lib/python3.12/site-packages"


@pytest.mark.parametrize("library", ["lib/pypy3.10", "lib/python3.13t", "lib64/python3.9"])
def test_other_layouts(tmp_path: Path, library: str) -> None:
    assert packages(make(tmp_path / "venv", library)) == f"{library}/site-packages"


@pytest.mark.parametrize("key", ["version", "version_info"])
def test_of_several_pythons_the_one_in_pyvenv_cfg_counts(tmp_path: Path, key: str) -> None:
    make(
        tmp_path / "venv",
        "lib/python3.9",
        "lib/python3.11",
        "lib/python3.10",
        cfg=f"home = /usr/bin\n{key} = 3.10.4.final.0\n",
    )
    assert packages(tmp_path / "venv") == "lib/python3.10/site-packages"


@pytest.mark.parametrize("cfg", ["home = /usr/bin\n", "version = 3.8.1\n"])
def test_of_several_pythons_none_is_guessed(tmp_path: Path, cfg: str) -> None:
    make(tmp_path / "venv", "lib/python3.9", "lib/python3.11", cfg=cfg)
    with pytest.raises(UsageError, match="no site-packages folder of its Python"):
        packages(tmp_path / "venv")


def test_other_folders_are_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "lib" / "python3.12" / "site-packages").mkdir(parents=True)
    (tmp_path / "conda" / "conda-meta").mkdir(parents=True)
    (tmp_path / "file").write_text("")
    problems = {}
    for place in (tmp_path, tmp_path / "conda", tmp_path / "nowhere", tmp_path / "file"):
        with pytest.raises(UsageError) as caught:
            venvs.at(place, source="--venv")
        assert caught.value.code is ExitCode.USAGE
        assert "python3 -m venv" in caught.value.hint
        problem = caught.value.message.removeprefix("--venv: ").removesuffix(f": {place}")
        problems[place.name] = problem
    assert problems.pop(tmp_path.name) == "not a virtual environment (no pyvenv.cfg)"
    assert problems == {
        "conda": "a conda environment, not a virtual environment",
        "nowhere": "no such folder",
        "file": "no such folder",
    }


def test_an_unreadable_environment_is_an_error_of_its_own() -> None:
    folder = Path(tempfile.mkdtemp(prefix="dartsctl-test-"))
    make(folder / ".venv")
    folder.chmod(0)
    was_root = os.geteuid() == 0
    if was_root:  # root may read everything: another user's rights for a moment
        os.seteuid(65534)
    try:
        with pytest.raises(DartsctlError, match=r"cannot read .*: Permission denied") as caught:
            venvs.at(folder / ".venv", source="--venv")
        assert venvs.find((folder,), {"HOME": "/nonexistent"}) == ()
    finally:
        if was_root:
            os.seteuid(0)
        folder.chmod(0o700)
        shutil.rmtree(folder)
    assert caught.value.code is ExitCode.FAILED


# --- which ones --------------------------------------------------------------------------------


def test_the_order_is_that_of_the_server_command_then_of_the_variables(tmp_path: Path) -> None:
    app = tmp_path / "app"
    for name in ("env", "venv", ".venv", "made-by-uv"):
        make(app / name)
    make(tmp_path / ".venv")
    make(tmp_path / "active")
    environ = {
        "VIRTUAL_ENV": str(tmp_path / "active"),
        "UV_PROJECT_ENVIRONMENT": "made-by-uv",
        "HOME": "/nonexistent",
    }
    paths = [
        str(environment.path.relative_to(tmp_path.resolve()))
        for environment in venvs.find((app, tmp_path), environ)
    ]
    assert paths == ["app/.venv", "app/venv", ".venv", "app/env", "app/made-by-uv", "active"]


def test_an_environment_with_two_names_is_listed_once(tmp_path: Path) -> None:
    make(tmp_path / "real")
    (tmp_path / ".venv").symlink_to("real")
    assert names_in(tmp_path, VIRTUAL_ENV=str(tmp_path / "real")) == [("real", ".venv")]


def test_what_only_looks_like_an_environment_is_skipped(tmp_path: Path) -> None:
    (tmp_path / ".venv").write_text("somewhere else")
    (tmp_path / "venv").mkdir()
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "pyvenv.cfg").write_text("")
    assert (
        names_in(tmp_path, VIRTUAL_ENV=str(tmp_path / "gone"), UV_PROJECT_ENVIRONMENT="/gone") == []
    )


# --- poetry ------------------------------------------------------------------------------------


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project of poetry's."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "My.Shop_app"\n[tool.poetry]\npackages = []\n'
    )
    return folder


def poetry_name(folder: Path) -> str:
    """As poetry 2.1 names it: EnvManager.generate_env_name(canonical name, folder)."""
    import base64
    import hashlib

    digest = hashlib.sha256(str(folder.resolve()).encode()).digest()
    return f"my-shop-app-{base64.urlsafe_b64encode(digest).decode()[:8]}"


@pytest.mark.parametrize(
    "where", ["POETRY_VIRTUALENVS_PATH", "POETRY_CACHE_DIR", "XDG_CACHE_HOME", "HOME"]
)
def test_poetrys_environments_follow_its_naming_scheme(
    shop: Path, tmp_path: Path, where: str
) -> None:
    below = {
        "POETRY_VIRTUALENVS_PATH": ".",
        "POETRY_CACHE_DIR": "virtualenvs",
        "XDG_CACHE_HOME": "pypoetry/virtualenvs",
    }
    folder = tmp_path / "kept" / below.get(where, ".cache/pypoetry/virtualenvs")
    older, newer = (
        make(folder / f"{poetry_name(shop)}-py{version}") for version in ("3.12", "3.11")
    )
    os.utime(older, (1, 1))
    make(folder / "my-shop-app-ABCDEFGH-py3.12")
    environ = {"HOME": "/nonexistent", where: str(tmp_path / "kept")}
    environments = venvs.find((shop,), environ)
    assert [(environment.path.name, environment.source) for environment in environments] == [
        (newer.name, "poetry"),
        (older.name, "poetry"),
    ]


@pytest.mark.parametrize(
    ("text", "lock", "is_poetrys"),
    [
        ("[tool.poetry]\nname = 'My.Shop_app'\n", False, True),
        ("[project]\nname = 'My.Shop_app'\n", True, True),
        ("[project]\nname = 'My.Shop_app'\n", False, False),
        ("project = 3\n[tool]\npoetry = 3\n", False, False),
        ("not toml", True, False),
    ],
)
def test_which_projects_poetry_manages(
    shop: Path, tmp_path: Path, text: str, lock: bool, is_poetrys: bool
) -> None:
    (shop / "pyproject.toml").write_text(text)
    if lock:
        (shop / "poetry.lock").write_text("")
    make(tmp_path / "kept" / f"{poetry_name(shop)}-py3.12")
    assert (
        bool(venvs.find((shop,), {"POETRY_VIRTUALENVS_PATH": str(tmp_path / "kept")})) is is_poetrys
    )


@pytest.mark.parametrize("where", ["the project", "the user", "another cache"])
def test_poetrys_settings_name_the_folder(shop: Path, tmp_path: Path, where: str) -> None:
    make(tmp_path / "kept" / "virtualenvs" / f"{poetry_name(shop)}-py3.12")
    path = f'[virtualenvs]\npath = "{tmp_path}/kept/virtualenvs"\n'
    config = tmp_path / "config" / "pypoetry" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(
        {"the user": path, "another cache": f'cache-dir = "{tmp_path}/kept"\n'}.get(where, "")
    )
    if where == "the project":
        (shop / "poetry.toml").write_text(path)
    assert (
        len(
            venvs.find(
                (shop,), {"HOME": "/nonexistent", "XDG_CONFIG_HOME": str(tmp_path / "config")}
            )
        )
        == 1
    )


def test_poetry_itself_is_never_started(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "bin" / "poetry"
    script.parent.mkdir()
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/executed\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    assert venvs.find((shop,), {"HOME": "/nonexistent"}) == ()
    assert not (tmp_path / "executed").exists()
