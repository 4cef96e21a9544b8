"""Whose files dartsctl trusts: this user's, root's, and those of the user who called sudo."""

from __future__ import annotations

import os
from collections.abc import Mapping


def sudo_caller(environment: Mapping[str, str] = os.environ) -> tuple[int, int] | None:
    """Return uid and gid of the user who called sudo; None where nobody did."""
    uid, gid = environment.get("SUDO_UID", ""), environment.get("SUDO_GID", "")
    if os.geteuid() != 0 or not _is_id(uid) or not _is_id(gid) or int(uid) == 0:
        return None
    return int(uid), int(gid)


def trusted_users(environment: Mapping[str, str] = os.environ) -> frozenset[int]:
    """Return the uids of this user, root, and the sudo caller."""
    caller = sudo_caller(environment)
    return frozenset({os.geteuid(), 0, *(caller[:1] if caller else ())})


def user_name(uid: int) -> str:
    """Return the login name of `uid`, or its number where it has none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 10  # 2**32 has ten digits
