"""Programs that take a password after a short flag whose name says nothing: `mysql -pX`, `redis-cli -a X`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class _Flags:
    """The flags of one program. `apart`: the password may be the next word; `account`: it stands behind `user:`."""

    names: tuple[str, ...]
    apart: bool = True
    account: bool = False


_MYSQL = _Flags(("-p",), apart=False)  # `-p DATABASE` asks for the password
_MONGO = _Flags(("-p",))
_LDAP = _Flags(("-w",))
_PROGRAMS: dict[str, _Flags] = {
    **dict.fromkeys(
        (
            "mysql",
            "mysqldump",
            "mysqladmin",
            "mysqlimport",
            "mysqlcheck",
            "mariadb",
            "mariadb-dump",
            "mariadb-admin",
        ),
        _MYSQL,
    ),
    **dict.fromkeys(("mongo", "mongosh", "mongodump", "mongorestore"), _MONGO),
    **dict.fromkeys(("ldapsearch", "ldapmodify", "ldapadd", "ldapwhoami"), _LDAP),
    "redis-cli": _Flags(("-a",)),
    "valkey-cli": _Flags(("-a",)),
    "sshpass": _Flags(("-p",)),
    "login": _Flags(("-p",)),  # docker login -u NAME -p PASSWORD
    "rabbitmqadmin": _Flags(("-p",)),
    "mosquitto_pub": _Flags(("-P",)),
    "mosquitto_sub": _Flags(("-P",)),
    "sqlcmd": _Flags(("-P",)),
    "zip": _Flags(("-P",)),
    "unzip": _Flags(("-P",)),
    "7z": _Flags(("-p",), apart=False),
    "curl": _Flags(("-u", "-U", "--user", "--proxy-user"), account=True),
    "http": _Flags(("-a", "--auth"), account=True),
    "smbclient": _Flags(("-U",), account=True),
}


def names_a_program(text: str) -> bool:
    """Whether one of these programs is named in `text`."""
    return bool(_any_program().search(text))


@cache
def _any_program() -> re.Pattern[str]:
    return re.compile(r"(?<![\w.-])(?:" + "|".join(map(re.escape, _PROGRAMS)) + r")(?=\s)")


class ProgramFlags:
    """Reads a command line word by word, and knows which program the flags belong to."""

    def __init__(self) -> None:
        self._flags: _Flags | None = None
        self._next_is_secret = False

    def hide(self, word: str, mask: str) -> str:
        """`word`, with the password masked that it is, or has behind a flag."""
        flags = self._flags
        if self._next_is_secret and flags:
            self._next_is_secret = False
            self._flags = None  # what follows is another program's: sshpass -p X ssh -p 2222
            return _hidden("", word, flags, mask)
        name = word.strip("'\"").rpartition("/")[2]
        if name in _PROGRAMS:
            self._flags = _PROGRAMS[name]
        elif flags:
            return self._after_program(word, flags, mask)
        return word

    def _after_program(self, word: str, flags: _Flags, mask: str) -> str:
        if word in flags.names:
            self._next_is_secret = flags.apart
            return word
        for flag in flags.names:
            glued = f"{flag}=" if flag.startswith("--") else flag
            if word.startswith(glued):
                return _hidden(glued, word[len(glued) :], flags, mask)
        if word.endswith((";", "|", "&&")):
            self._flags = None
        return word


def _hidden(flag: str, value: str, flags: _Flags, mask: str) -> str:
    if not flags.account:
        return f"{flag}{mask}" + (";" if value.endswith(";") else "")
    account = re.match(r"([^:%]*[:%]).", value, re.DOTALL)
    return f"{flag}{account[1]}{mask}" if account else flag + value
