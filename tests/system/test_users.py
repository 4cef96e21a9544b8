"""The users whose files are trusted."""

from __future__ import annotations

import os

import pytest

from dartsctl.system.users import sudo_caller, trusted_users, user_name
from two_users import NOBODY, as_user, needs_root

SUDO = {"SUDO_UID": "1000", "SUDO_GID": "100"}


@needs_root
def test_root_trusts_the_user_who_called_sudo() -> None:
    assert sudo_caller(SUDO) == (1000, 100)
    assert trusted_users(SUDO) == {0, 1000}
    assert trusted_users({}) == {0}


@pytest.mark.parametrize("uid", ["", "0", "-1", "\u0661", "1" * 5000, "x"])
def test_an_invalid_user_id_names_nobody(uid: str) -> None:
    assert sudo_caller({"SUDO_UID": uid, "SUDO_GID": "100"}) is None


@needs_root
def test_a_normal_user_cannot_claim_a_sudo_caller() -> None:
    assert as_user(NOBODY, lambda: sorted(trusted_users(SUDO))) == f"[0, {NOBODY}]"


def test_a_user_without_a_name_is_shown_by_number() -> None:
    assert user_name(54321) == "54321"
    assert user_name(0) == "root" or os.geteuid()
