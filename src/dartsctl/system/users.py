"""The users whose files dartsctl trusts: this user, root, and the user who called sudo."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def sudo_caller(environment: Mapping[str, str] = os.environ) -> tuple[int, int] | None:
    """Return uid and gid of the user who called sudo; None if nobody did."""
    if os.geteuid() != 0:
        return None
    uid, gid = environment.get("SUDO_UID", ""), environment.get("SUDO_GID", "")
    if not _is_id(uid) or not _is_id(gid) or int(uid) == 0:
        return None
    return int(uid), int(gid)


def trusted_users(environment: Mapping[str, str] = os.environ) -> frozenset[int]:
    """Return the uids of this user, root, and the sudo caller."""
    users = {os.geteuid(), 0}
    caller = sudo_caller(environment)
    if caller is not None:
        users.add(caller[0])
    return frozenset(users)


def is_trusted(uid: int) -> bool:
    """Return whether `uid` is one of the trusted users. The caller of sudo is asked for last."""
    return uid in (0, os.geteuid()) or uid in trusted_users()


def user_name(uid: int) -> str:
    """Return the login name of `uid`; the number itself if it has none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def acting_user(environment: Mapping[str, str] = os.environ) -> str:
    """Return the login name of who acts; under sudo, of its caller."""
    caller = environment.get("SUDO_USER")
    if os.geteuid() == 0 and caller:
        return caller
    return user_name(os.geteuid())


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 10  # 2**32 has ten digits
