"""Tell which variables hold a secret, by their names."""

from __future__ import annotations

import re
from functools import lru_cache

from dartsctl.records import field, record
from dartsctl.text.patterns import regex


def word_set(words: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(words.split())


_SECRET_WORDS = word_set(
    "PASSWORD PASSWORDS PASSWD PASS DBPASS PWD PASSPHRASE SECRET SECRETS TOKEN TOKENS KEY KEYS "
    "APIKEY CREDENTIAL CREDENTIALS PEPPER"
)
_SECRET_ENDS = ("PASSWORD", "PASSWD", "SECRET", "TOKEN", "APIKEY", "SECRETKEY")
_PUBLIC_KEYS = word_set(
    "PUBLIC PUBLISHABLE SITE ACCESS ROUTING BINDING PARTITION SORT PRIMARY FOREIGN CACHE GROUP "
    "INDEX LOOKUP OBJECT"
)
"""Keys that are not secrets: `RABBITMQ_ROUTING_KEY`, `MINIO_ACCESS_KEY` (a user name)."""
_SETTING_WORDS = word_set(
    "ALLOW REQUIRE REQUIRED ENABLE DISABLE USE HAS RANDOM SHOW HIDE SKIP VERIFY MAX MIN NUM"
)
"""Words of a setting about secrets: `MYSQL_ALLOW_EMPTY_PASSWORD`, `OPENAI_MAX_TOKENS`."""
_MASKED_TOO = word_set("AUTH AUTHORIZATION DSN COOKIE CRED CREDS SIGNATURE SIG PSK SALT OTP")
_STRONG = word_set("PASSWORD PASSWD PASSPHRASE SECRET TOKEN APIKEY CREDENTIAL CREDENTIALS")
_NOT_SECRET_LAST = word_set(
    "FILE PATH DIR URL URI NAME ID LENGTH EXPIRY EXPIRES EXPIRATION TTL TYPE ISSUER AUDIENCE "
    "ALGORITHM ENDPOINT HOST PORT USER USERNAME TIMEOUT POLICY VERSION HEADER FIELD LIFETIME AGE "
    "MODE MANAGER STORE PROVIDER BACKEND SERVICE PREFIX BITS SIZE COUNT FORMAT REGION"
)
"""Last words of a name that is about a secret but does not hold it: PASSWORD_FILE, TOKEN_URL."""
ORDINARY_WORDS = word_set(
    "password passwd secret token admin guest root user postgres postgresql rabbitmq mysql mariadb "
    "redis mongo test testing demo example default local localhost production development staging "
    "change changeme none null true false docker compose nginx server service database public "
    "private 127.0.0.1 0.0.0.0 ::1"
)
"""Values, in lower case, that are never masked: they are words of many ordinary sentences."""
_NEVER_SECRET = regex(r"(?i)(?:true|false)?|(?:\.{0,2}|~)/[^/]+/.*|[a-z][\w+.-]*://.*")
_USERINFO = regex(r"[a-zA-Z][\w+.-]*://([^:/@\s]*):([^@/\s]+)@")


@record
class UserInfo:
    """The account in a URL; its repr does not show the password."""

    user: str
    password: str = field(repr=False)


def is_secret_name(name: str) -> bool:
    """Return whether a variable with this name holds a secret.

    The last word decides: PASSWORD_FILE and TOKEN_URL do not.
    """
    words = _words(name)
    if words[-1:] == ["BASE"]:  # Rails' SECRET_KEY_BASE
        words.pop()
    if not words or words in (["PWD"], ["OLDPWD"]) or not _SETTING_WORDS.isdisjoint(words):
        return False
    is_key = words[-1] in ("KEY", "KEYS") and "SECRET" not in words
    if is_key and _PUBLIC_KEYS.intersection(words[-2:-1]):
        return False
    return (
        words[-1] in _SECRET_WORDS
        or words[-1].endswith(_SECRET_ENDS)
        or words[-2:] == ["ERLANG", "COOKIE"]
    )


@lru_cache(maxsize=4096)
def is_masked_name(name: str) -> bool:
    """Return whether values under this name are masked.

    Wider than `is_secret_name`: REDIS_AUTH, PASSWORD_OLD, Set-Cookie.
    """
    words = _words(name)
    if is_secret_name(name):
        return True
    if not words or not _SETTING_WORDS.isdisjoint(words) or words[-1] in _NOT_SECRET_LAST:
        return False
    return words[-1] in _MASKED_TOO or not _STRONG.isdisjoint(words)


def is_never_secret(value: str) -> bool:
    """Return whether a value is not a secret under any name: a switch, a path or an address.

    COOKIE_TOKEN=true, TLS_KEY=/etc/certs/tls.key, PROXY_PASS=http://app:5000.
    """
    return bool(_NEVER_SECRET.fullmatch(value))


def userinfo(value: str) -> UserInfo | None:
    """Return the account in a URL; None if the URL has no password."""
    match = "://" in value and _USERINFO.match(value)
    if not match:
        return None
    from urllib.parse import unquote

    return UserInfo(match[1], unquote(match[2]))


def password_in(value: str) -> str | None:
    """Return the password in a URL; None if it has none."""
    account = userinfo(value)
    return account.password if account else None


def _words(name: str) -> list[str]:
    spaced = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).upper()
    return [word for word in re.split(r"[^A-Z0-9]+", spaced) if word and not word.isdigit()]
