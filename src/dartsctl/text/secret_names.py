"""Which variables hold a secret, by their names and by the shape of their values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SECRET_WORDS = _set(
    "PASSWORD PASSWORDS PASSWD PASS DBPASS PWD PASSPHRASE SECRET SECRETS TOKEN TOKENS KEY KEYS APIKEY CREDENTIAL CREDENTIALS PEPPER"
)
_SECRET_ENDS = ("PASSWORD", "PASSWD", "SECRET", "TOKEN", "APIKEY", "SECRETKEY")
_OPEN_KEYS = _set(
    "PUBLIC PUBLISHABLE SITE ACCESS ROUTING BINDING PARTITION SORT PRIMARY FOREIGN CACHE GROUP INDEX LOOKUP OBJECT"
)
"""`RABBITMQ_ROUTING_KEY`, `STRIPE_PUBLISHABLE_KEY`, `MINIO_ACCESS_KEY` (a user's name): keys that are no secrets."""
_ABOUT = _set(
    "ALLOW REQUIRE REQUIRED ENABLE DISABLE USE HAS RANDOM SHOW HIDE SKIP VERIFY MAX MIN NUM"
)
"""Words of a setting about secrets: `MYSQL_ALLOW_EMPTY_PASSWORD`, `OPENAI_MAX_TOKENS`."""
_MASKED_TOO = _set("AUTH AUTHORIZATION DSN COOKIE CRED CREDS SIGNATURE SIG PSK SALT OTP")
_STRONG = _set("PASSWORD PASSWD PASSPHRASE SECRET TOKEN APIKEY CREDENTIAL CREDENTIALS")
_ABOUT_LAST = _set(
    "FILE PATH DIR URL URI NAME ID LENGTH EXPIRY EXPIRES EXPIRATION TTL TYPE ISSUER AUDIENCE "
    "ALGORITHM ENDPOINT HOST PORT USER USERNAME TIMEOUT POLICY VERSION HEADER FIELD LIFETIME AGE "
    "MODE MANAGER STORE PROVIDER BACKEND SERVICE PREFIX BITS SIZE COUNT FORMAT REGION"
)
"""Last words that make a name say something about a secret: PASSWORD_FILE, TOKEN_URL."""
ORDINARY_WORDS = _set(
    "password passwd secret token admin guest root user postgres postgresql rabbitmq mysql mariadb redis "
    "mongo test testing demo example default local localhost production development staging change changeme "
    "none null true false docker compose nginx server service database public private"
)
"""Values that say nothing even of a secret, in lower case: half of all sentences hold one."""
_OPEN = re.compile(r"(?i)(?:true|false)?|(?:\.{0,2}|~)/[^/]+/.*|[a-z][\w+.-]*://.*")
_USERINFO = re.compile(r"[a-zA-Z][\w+.-]*://([^:/@\s]*):([^@/\s]+)@")


@dataclass(frozen=True, slots=True)
class UserInfo:
    """The account in a URL; the password stays out of every repr."""

    user: str
    password: str = field(repr=False)


def is_secret(name: str) -> bool:
    """Whether a variable's name says that its value is a secret.

    The last word decides: PASSWORD_FILE and TOKEN_URL are none.
    """
    words = _words(name)
    if words[-1:] == ["BASE"]:  # Rails' SECRET_KEY_BASE
        words.pop()
    if not words or words in (["PWD"], ["OLDPWD"]) or not _ABOUT.isdisjoint(words):
        return False
    if (
        words[-1] in ("KEY", "KEYS")
        and _OPEN_KEYS.intersection(words[-2:-1])
        and "SECRET" not in words
    ):
        return False
    return (
        words[-1] in _SECRET_WORDS
        or words[-1].endswith(_SECRET_ENDS)
        or words[-2:] == ["ERLANG", "COOKIE"]
    )


@lru_cache(maxsize=4096)
def is_masked(name: str) -> bool:
    """Whether a value under this name is not shown. Wider than `is_secret`: REDIS_AUTH, PASSWORD_OLD, Set-Cookie."""
    words = _words(name)
    if is_secret(name):
        return True
    if not words or not _ABOUT.isdisjoint(words) or words[-1] in _ABOUT_LAST:
        return False
    return words[-1] in _MASKED_TOO or not _STRONG.isdisjoint(words)


def is_open(value: str) -> bool:
    """Whether a value is no secret whatever its name: a switch, a path or an address.

    COOKIE_TOKEN=true, TLS_KEY=/etc/certs/tls.key, PROXY_PASS=http://app:5000.
    """
    return bool(_OPEN.fullmatch(value))


def userinfo(value: str) -> UserInfo | None:
    """The account that a URL begins with; None where there is no password in it."""
    match = _USERINFO.match(value)
    if match is None:
        return None
    from urllib.parse import unquote

    return UserInfo(match[1], unquote(match[2]))


def password_in(value: str) -> str | None:
    """The password in a URL; None where there is none."""
    account = userinfo(value)
    return account.password if account else None


def _words(name: str) -> list[str]:
    spaced = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).upper()
    return [word for word in re.split(r"[^A-Z0-9]+", spaced) if word and not word.isdigit()]
