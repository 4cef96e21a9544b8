"""Programs that take a password after a flag with an unrelated name: `mysql -pX`."""

from __future__ import annotations

import re
from functools import cache

from dartsctl.records import record


@record
class _Flags:
    """The password flags of one program."""

    names: tuple[str, ...]
    takes_next_word: bool = True
    has_account: bool = False
    """The password follows `USER:`."""


_MYSQL = _Flags(("-p",), takes_next_word=False)  # `-p DATABASE` asks for the password
_MONGO = _Flags(("-p",))
_LDAP = _Flags(("-w",))
_PROGRAMS: dict[str, _Flags] = {
    **dict.fromkeys(("mysql", "mysqldump", "mysqladmin", "mysqlimport", "mysqlcheck"), _MYSQL),
    **dict.fromkeys(("mariadb", "mariadb-dump", "mariadb-admin"), _MYSQL),
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
    "7z": _Flags(("-p",), takes_next_word=False),
    "curl": _Flags(("-u", "-U", "--user", "--proxy-user"), has_account=True),
    "http": _Flags(("-a", "--auth"), has_account=True),
    "smbclient": _Flags(("-U",), has_account=True),
}


def names_a_program(text: str) -> bool:
    """Return whether `text` names one of these programs."""
    return bool(_any_program().search(text))


@cache
def _any_program() -> re.Pattern[str]:
    return re.compile(r"(?<![\w.-])(?:" + "|".join(map(re.escape, _PROGRAMS)) + r")(?=\s)")


class ProgramFlags:
    """Masks a command line word by word; remembers which program the flags belong to."""

    def __init__(self) -> None:
        self._flags: _Flags | None = None
        self._next_is_secret = False

    def hide(self, word: str, mask: str) -> str:
        """Return `word` with its password masked, whether it is all of it or follows a flag."""
        flags = self._flags
        if self._next_is_secret and flags:
            self._next_is_secret = False
            self._flags = None  # another program may follow: sshpass -p X ssh -p 2222
            return _hide_value("", word, flags, mask)
        name = word.strip("'\"").rpartition("/")[2]
        if name in _PROGRAMS:
            self._flags = _PROGRAMS[name]
        elif flags:
            return self._after_program(word, flags, mask)
        return word

    def _after_program(self, word: str, flags: _Flags, mask: str) -> str:
        if word in flags.names:
            self._next_is_secret = flags.takes_next_word
            return word
        for flag in flags.names:
            glued = f"{flag}=" if flag.startswith("--") else flag
            if word.startswith(glued):
                return _hide_value(glued, word[len(glued) :], flags, mask)
        if word.endswith((";", "|", "&&")):
            self._flags = None
        return word


def _hide_value(flag: str, value: str, flags: _Flags, mask: str) -> str:
    if flags.has_account:
        account = re.match(r"([^:%]*[:%]).", value, re.DOTALL)
        if account is None:
            return flag + value
        return f"{flag}{account[1]}{mask}"
    end = value[-1:] if value.endswith(";") else ""
    return f"{flag}{mask}{end}"
