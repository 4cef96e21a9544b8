"""What to type after `init`."""

from __future__ import annotations

from pathlib import Path

import pytest

from dartsctl.config.load_settings import load
from dartsctl.errors import ExitCode
from dartsctl.workflows.init.verdicts import Verdict, next_command

CLEAR = Verdict("prod", ExitCode.OK, "no conflicts")
UP = Verdict("prod", ExitCode.OK, "no conflicts", is_up=True)
DEV = Verdict("dev", ExitCode.OK, "no conflicts")


@pytest.mark.parametrize(
    ("seen", "command"),
    [
        ((CLEAR, DEV), "dartsctl prod up"),
        ((UP, DEV), "dartsctl dev"),
        ((DEV,), "dartsctl dev"),
        ((), "dartsctl dev"),
        ((Verdict("prod", ExitCode.REFUSED, "a conflict"), DEV), "dartsctl prod check"),
        ((Verdict("prod", ExitCode.REFUSED, "a conflict", "docker stop a"), DEV), "docker stop a"),
        ((UP, Verdict("dev", ExitCode.FAILED, "an error")), "dartsctl dev check"),
    ],
)
def test_the_first_stack_that_is_not_up_comes_first_or_what_is_in_its_way(
    tmp_path: Path, seen: tuple[Verdict, ...], command: str
) -> None:
    (tmp_path / "app.py").touch()
    assert next_command(load(tmp_path, {}), seen) == command


def test_without_an_app_the_services_are_started_alone(tmp_path: Path) -> None:
    assert next_command(load(tmp_path, {}), (UP, DEV)) == "dartsctl dev up"
