"""A state folder with hostile content: no command hangs, fails, or touches other files."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from dartsctl.edges.state.leases import LeaseBook
from two_users import ANN, Victim, as_user, needs_root, public_folder

SOURCE = Path(__file__).parents[2] / "src"
RUN = ("run", "--", sys.executable, "-c", "pass")
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("history",),
    ("history", "--json"),
    ("dev", "list"),
    ("guard", "status"),
    ("ports",),
    RUN,
)
EXPECTED = {0, 1, 4, 5}
"""5: there may be no engine here."""
PATIENCE = 120  # seconds for a command that takes half of one


def dartsctl(
    words: Sequence[str], folder: Path, state: Path, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run it in `folder`; it must end without a traceback."""
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DARTSCTL_", "SUDO_"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "dartsctl", *words],
        cwd=folder,
        env={**plain, "PYTHONPATH": str(SOURCE), "DARTSCTL_STATE_DIR": str(state), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode in EXPECTED, done.stderr
    return done


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / ".venv" / "lib" / "python3.12" / "site-packages").mkdir(parents=True)
    (folder / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (folder / "dartsctl.toml").write_text('name = "shop"\n')
    return folder


# --- garbage -----------------------------------------------------------------------------------


RECORDS = ("overrides/shop-dev.json", "overrides/shop.json", "guards/x.json", "ports/5001.lock")


def place(state: Path, name: str) -> Path:
    """Return the path of a state file, in an existing folder."""
    (state / name).parent.mkdir(exist_ok=True)
    return state / name


def deep(state: Path) -> None:
    for name in ("history.jsonl", *RECORDS):
        place(state, name).write_text("[" * 200_000)


def pipes(state: Path) -> None:
    for name in ("history.jsonl", *RECORDS):
        os.mkfifo(place(state, name))


def folders(state: Path) -> None:
    for name in (
        "history.jsonl",
        "history.lock",
        "README.txt",
        "overrides/shop-dev.json",
        "guards/x.json",
        "ports/5001.lock",
    ):
        (state / name).mkdir(parents=True)


def files(state: Path) -> None:
    for name in ("overrides", "guards", "ports", "checkouts", "reports", "projects"):
        (state / name).write_text("")


def large(state: Path) -> None:
    line = b'{"when": 1, "action": "a", "what": "", "why": "", "by": "", "details": {}}\n'
    with (state / "history.jsonl").open("wb") as file:
        for _ in range(100):
            file.write(line * (1_000_000 // len(line)))
    for name in RECORDS:
        with place(state, name).open("wb") as file:
            file.truncate(10 << 30)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:2]))
@pytest.mark.parametrize("spoil", [deep, pipes, folders, files, large])
def test_garbage_in_the_state_folder_makes_no_command_fail(
    tmp_path: Path, project: Path, spoil: Callable[[Path], None], words: tuple[str, ...]
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    spoil(state)
    began = time.monotonic()
    done = dartsctl(words, project, state)
    assert time.monotonic() - began < PATIENCE / 2
    if done.returncode in (1, 4):
        assert done.stderr.count("error: ") + done.stdout.count('"error"') == 1


# --- other users -------------------------------------------------------------------------------


@pytest.fixture
def anns() -> Iterator[Path]:
    """A state folder of another user."""
    with public_folder(ANN) as folder:
        yield folder


PLANTED = (
    "history.jsonl",
    "history.lock",
    "README.txt",
    "ports",
    "checkouts",
    "overrides",
    "guards",
    "reports",
    "projects",
)


@needs_root
@pytest.mark.parametrize(
    "words", [("guard", "install"), *COMMANDS], ids=lambda words: " ".join(words[:2])
)
@pytest.mark.parametrize("sudo", [True, False])
def test_root_follows_no_links_in_a_users_state_folder(
    tmp_path: Path, anns: Path, project: Path, words: tuple[str, ...], sudo: bool
) -> None:
    target = tmp_path / "roots"
    target.mkdir()
    victims = [Victim.at(target / name) for name in ("victim", "shop.json", "5001.lock")]

    def plant() -> None:
        for name in PLANTED:
            is_file = "." in name
            (anns / name).symlink_to(victims[0].path if is_file else target)

    as_user(ANN, plant)
    dartsctl(
        words,
        project,
        anns,
        **({"SUDO_UID": str(ANN), "SUDO_GID": str(ANN), "SUDO_USER": "ann"} if sudo else {}),
    )
    assert all(victim.is_untouched() for victim in victims)
    assert {path.name for path in target.iterdir()} == {"victim", "shop.json", "5001.lock"}
    assert {path.name for path in anns.iterdir()} == set(PLANTED)
    assert target.stat().st_uid == 0


@needs_root
def test_without_sudo_root_does_not_use_the_state_folder_of_another_user(
    anns: Path, project: Path
) -> None:
    refused = dartsctl(RUN, project, anns)
    assert refused.returncode == 4
    assert f"error: {anns} belongs to another user" in refused.stderr
    assert list(anns.iterdir()) == []
    assert dartsctl(RUN, project, anns, SUDO_UID=str(ANN), SUDO_GID=str(ANN)).returncode == 0
    assert {path.stat().st_uid for path in anns.rglob("*")} == {ANN}


@needs_root
def test_a_shared_state_folder_serves_several_users(project: Path) -> None:
    with public_folder(ANN, 0o1777) as state:
        as_user(ANN, lambda: LeaseBook(state).remember("/theirs", 5001))
        assert dartsctl(RUN, project, state).returncode == 0
