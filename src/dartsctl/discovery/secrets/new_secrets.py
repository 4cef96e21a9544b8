"""New secrets, and which values of an example they replace."""

from __future__ import annotations

import secrets
import string

from dartsctl.config.secrets import is_placeholder, is_weak
from dartsctl.text.secret_names import is_secret_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_LENGTH, _BASE_LENGTH = 48, 64
"""Characters of a new secret."""


def new_secret(name: str = "") -> str:
    """Return a new random secret of letters and digits, with small and capital letters.

    It goes into URLs, command lines and other programs' settings, where other characters may have a
    meaning. Rails and Phoenix want 64 characters of SECRET_KEY_BASE.
    """
    length = _LENGTH
    if name.endswith("_BASE"):
        length = _BASE_LENGTH
    alphabet = string.ascii_letters + string.digits
    while True:
        text = "".join(secrets.choice(alphabet) for _ in range(length))
        if text.lower() != text != text.upper() and any(map(str.isdigit, text)):
            return text


def renewed(name: str, value: str, *, production: bool) -> str | None:
    """Return a new secret to replace an example's value; None where the value may stay."""
    return new_secret() if must_change(name, value, production=production) else None


def must_change(name: str, value: str, *, production: bool) -> bool:
    """Return whether an example's value must not stay: a placeholder, or a weak secret.

    Outside production only placeholders of secrets have to go.
    """
    if not value or not is_secret_name(name) or "${" in value:
        return False
    if production:
        return is_weak(value, name=name)
    return is_placeholder(value, secret=True)


def left_to_fill_in(values: Mapping[str, str]) -> tuple[str, ...]:
    """Return the variables with a placeholder that no random text can replace.

    Addresses, names, a password inside a URL.
    """
    return tuple(name for name, value in values.items() if is_placeholder(value, secret=False))
