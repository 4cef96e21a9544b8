"""Mask secrets in text and command lines, by the name before a value and by the value's shape.

No pattern backtracks, so the time is linear in the length of the text: quantifiers are possessive,
and a match starts only where a run of characters starts. A repeated group is greedy and ends its
pattern, because Python before 3.11.5 matches possessive groups wrongly (gh-106052).

Values that are known to be secrets are masked by `masker.Masker`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

from dartsctl.text.command_secrets import ProgramFlags, names_a_program
from dartsctl.text.safe_text import CUT, LINE_LIMIT, cut
from dartsctl.text.secret_names import is_masked_name, is_never_secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MASK = "***"

_WORDS = (
    *("pass", "pwd", "secret", "token", "key", "cred", "auth", "dsn", "cookie"),
    *("pepper", "psk", "salt", "sig", "otp"),
)
"""Every name that `is_masked_name` accepts contains one of these, in lower case."""
_VALUE_BLOCKS = frozenset(
    {"environment", "args", "labels", "driver_opts", "options", "x-environment"}
)
_COMMANDS = frozenset({"command", "entrypoint", "test"})


def mask_text(text: str) -> str:
    """Return `text` with everything masked that is a secret by its name or shape.

    The query and the referrer of HTTP requests are masked too.
    """
    if len(text) < _SHORTEST_TOKEN and text.isalnum():
        return text  # no step changes a single word: a port, the name of a service
    lower = text.lower()
    for hints, mask in _STEPS:
        for hint in hints:  # a generator would take three times as long
            if hint in lower:
                text = mask(text)
                break
    return text


def mask_command(words: Iterable[str]) -> tuple[str, ...]:
    """Return a command line with the values of secret flags and assignments masked.

    Words beyond LINE_LIMIT characters are left out; the last word then says so.
    """
    shown: list[str] = []
    flags = ProgramFlags()
    length = 0
    hide_next = False
    for word in map(cut, words):
        if length > LINE_LIMIT:
            shown.append(CUT.strip())
            break
        if hide_next and not word.startswith("-"):
            shown.append(word if is_never_secret(word) else MASK)
            hide_next = False
        else:
            shown.append(_mask_word(word, flags))
            hide_next = word.startswith("-") and "=" not in word and is_masked_name(word)
        length += len(word) + 1
    return tuple(shown)


def _mask_word(word: str, flags: ProgramFlags) -> str:
    hidden = flags.hide(word, MASK)
    if hidden != word:
        return hidden
    name, _, value = word.partition("=")
    if not value or not _is_secret_assignment(name):
        return mask_text(word)
    if is_never_secret(value):
        return word
    return f"{name}={MASK}"


def _is_secret_assignment(name: str) -> bool:
    is_name = len(name) < 100 and re.fullmatch(r"[\w.-]+", name)
    return bool(is_name) and is_masked_name(name)


@cache
def _pattern(pattern: str, flags: int = 0) -> re.Pattern[str]:
    return re.compile(pattern, flags)


# --- secrets by their names --------------------------------------------------------------------

_NAME = r"(?<![\w.-])(?P<name>[\w.-]{1,100}+)"
_SEPARATOR = r"(?P<close>\\{0,3}[\"']?\]?)[ \t]{0,2}(?P<sign>=>|=(?!=)|:(?![:/]))[ \t]{0,2}"
_FLAG = r"(?<![\w-])(?P<name>--?[\w-]{1,100}+)[ ](?=[^\s-])"
_BARE = r"(?:[^\s'\"\\;&|,)}\]]|\\(?![\"'])|[;&|,)}\]](?=[^\s;&|,)}\]'\"]))+"
_QUOTE = r"(\\{0,3})([\"'])"
_DENSE = r"(?=[^\s:]{0,24}[0-9])(?=[^\s:]{0,24}[A-Za-z])[^\s./:$][^\s:'\",;(){}]{7,}+"
"""A value that is not a word of a sentence."""
_VARIABLE = r"\$\{\w+(?::?\?)?\}"
_REFERENCE = rf"{_VARIABLE}|\$\{{?\w+\}}?|null|none|true|false|\*\*\*"


def _mask_named(text: str) -> str:
    """Mask the value in `NAME=value`, `"name": "value"` and `name: value`."""
    parts: list[str] = []
    place = 0
    search = _pattern(_NAME + _SEPARATOR, re.ASCII).search
    match = search(text)
    while match:
        end = match.end()
        if is_masked_name(match["name"]) and _may_hide(match, text):
            start, stop = _value_span(text, end)
            if _hides(text[start:stop]):
                parts += [text[place:start], MASK]
                place = end = stop
            elif between := _pattern(r"[;&|,\s]").search(text, start, stop):
                end = between.end()
            else:
                end = stop
        match = search(text, end)
    return "".join([*parts, text[place:]])


def _value_span(text: str, place: int) -> tuple[int, int]:
    """Return where the value at `place` starts and ends, without its quotes."""
    quote = _pattern(_QUOTE).match(text, place)
    if quote is None:
        return place, _match_end(_pattern(_BARE), text, place)
    start = quote.end()
    if quote[1]:
        stop = text.find(quote[0], start)
        return start, len(text) if stop < 0 else stop
    inside = _pattern(rf"(?:[^{quote[2]}\\]|\\.)*", re.DOTALL)
    return start, _match_end(inside, text, start)


def _match_end(pattern: re.Pattern[str], text: str, place: int) -> int:
    """Return where a match at `place` ends; `place` if there is none."""
    match = pattern.match(text, place)
    return match.end() if match else place


def _may_hide(match: re.Match[str], text: str) -> bool:
    """Return whether a value follows, not a word of a sentence as in `password: missing`."""
    is_header = match["name"].lower().startswith("x-")
    if match["sign"] != ":" or match["close"] or is_header:
        return True
    if text[match.end() : match.end() + 1] in ("'", '"'):
        return True
    return bool(_pattern(_DENSE).match(text, match.end()))


def _hides(value: str) -> bool:
    """Return whether a value under a secret name is masked.

    Switches, paths, addresses and references to variables are not.
    """
    if not value or is_never_secret(value):
        return False
    return not _pattern(_REFERENCE, re.IGNORECASE).fullmatch(value)


def _mask_flags(text: str) -> str:
    """Mask the value of `--password VALUE` inside a text."""
    parts: list[str] = []
    place = 0
    search = _pattern(_FLAG, re.ASCII).search
    match = search(text)
    while match:
        end = match.end()
        if is_masked_name(match["name"]):
            start, stop = _value_span(text, end)
            quoted = int(start > end)
            if _hides(text[start:stop]):
                parts += [text[place:end], MASK]
                place = min(stop + quoted, len(text))
            end = max(stop, place)
        match = search(text, end)
    return "".join([*parts, text[place:]])


# --- secrets by their shapes -------------------------------------------------------------------


def _mask_users(text: str) -> str:
    """Mask the user part of URLs, even if the password has an unencoded slash.

    A password that is only a reference to a variable is none.
    """
    no_variable = rf"(?![\w.-]*:{_VARIABLE}@)"
    text = _pattern(rf"://{no_variable}[^/\s\"'<>]*@").sub(f"://{MASK}@", text)
    slashed = (
        rf"://{no_variable}[^/\s:@\"'<>]{{1,64}}+:(?!\d{{1,5}}(?:[/?#]|$))[^\s@\"'<>]{{1,200}}@"
    )
    return _pattern(slashed).sub(f"://{MASK}@", text)


def _mask_queries(text: str) -> str:
    """Mask the query of URLs and request lines, even of a cut path: `allback?code=X`."""

    def mask_query(match: re.Match[str]) -> str:
        path, query = match[1], match[0][len(match[1]) :]
        if "/" not in path and "=" not in query:
            return match[0]
        return f"{path}?{MASK}"

    query = _pattern(r"(?<![^\s\"'<>(,])([^\s\"'<>?(,]*+)\?[\w%&=\[.~-][^\s\"'<>]*+")
    return query.sub(mask_query, text)


def _mask_referrers(text: str) -> str:
    named = r"(referr?er\\{0,3}[\"']?[ ]{0,2}[:=][ ]{0,2}\\{0,3}[\"']?)(?!-|\*\*\*)[^\s\"'\\,]++"
    text = _pattern(named, re.IGNORECASE).sub(rf"\g<1>{MASK}", text)
    combined = (
        r"(HTTP/[\d.]{1,3}\\{0,3}\" \d{3} [\d-]{1,20} \\{0,3}\")(?!-\\{0,3}\"|\*\*\*)[^\"\s\\]++"
    )
    return _pattern(combined).sub(rf"\g<1>{MASK}", text)


def _mask_headers(text: str) -> str:
    """Mask `Authorization: ...`, cookies, and `Bearer X` or `Basic X` anywhere."""
    scheme = r"(?:(?:bearer|basic|digest|token|negotiate|apikey)\s{1,4})?"
    lead = r"(?<![\w-])((?:proxy-)?authorization\\{0,3}[\"']?\s{0,2}[:=]\s{0,2}\\{0,3}[\"']?)"
    text = _pattern(lead + scheme + r"[^\s\"',;\\]++", re.IGNORECASE).sub(rf"\g<1>{MASK}", text)
    cookies = (
        r"(?<![\w-])((?:set-)?cookie\\{0,3}[\"']?[ ]{0,2}:[ ]{0,2}\\{0,3}[\"']?)"
        r"(?=\w)[^\s\"'\\=]++=[^\"'\n\\]++"
    )
    text = _pattern(cookies, re.IGNORECASE).sub(rf"\g<1>{MASK}", text)
    word = r"(?![A-Za-z][a-z]*+(?![\w+/=.~-]))"  # `Basic authentication failed` is not a header
    bearer = r"(?<!\w)(bearer\s{1,4})(?!token|auth|realm|scheme|method)" + word + r"[\w+/=.~-]{6,}+"
    text = _pattern(bearer, re.IGNORECASE).sub(rf"\g<1>{MASK}", text)
    basic = r"(?<!\w)(basic\s{1,4})" + word + r"[A-Za-z0-9+/]{6,}+={0,2}(?![\w+/=.~-])"
    return _pattern(basic, re.IGNORECASE).sub(rf"\g<1>{MASK}", text)


_TOKENS = r"""(?x) (?<![\w-]) (?:
    eyJ[\w-]{6,}+ \. [\w-]{4,}+ (?: \.[\w-]*+ ){0,3}    # JSON Web Token
  | (?:AKIA|ASIA)[0-9A-Z]{12,}+                         # AWS
  | gh[pousr]_\w{16,}+ | github_pat_\w{20,}+            # GitHub
  | glpat-[\w-]{16,}+                                   # GitLab
  | xox[a-z]-[\w-]{8,}+                                 # Slack
  | [srp]k_(?:live|test)_\w{10,}+                       # Stripe
  | sk-[\w-]{20,}+                                      # OpenAI and others
  | AIza[\w-]{30,}+                                     # Google
  | npm_\w{30,}+ | pypi-[\w-]{20,}+ | dckr_pat_[\w-]{16,}+ | hv[sb]\.[\w-]{20,}+
  | SG\.[\w-]{16,}+\.[\w-]{16,}+                        # SendGrid
)"""
_SHORTEST_TOKEN = 16
"""Characters of the shortest token: AWS's. All others have a `_`, `-` or `.` as well."""
_TOKEN_STARTS = (
    *("eyj", "akia", "asia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "glpat-", "xox", "k_live_"),
    *("k_test_", "sk-", "aiza", "npm_", "pypi-", "pat_", "hvs.", "hvb.", "sg."),
)
_HASH = r"(?<![\w-])\$(?:[1567y]|gy|apr1|2[abxy]|argon2[id]{1,2}|scrypt)\$[^\s:'\"\\]{12,}+"
"""A password's hash as crypt(3), htpasswd and argon2 write it."""
_HASH_STARTS = (
    *("$1$", "$5$", "$6$", "$7$", "$y$", "$gy$", "$apr1$", "$2a$", "$2b$", "$2x$", "$2y$"),
    *("$argon2", "$scrypt$"),
)
_RANDOM_LENGTH = 40
_RANDOM = rf"(?<![\w+/=.:-])[A-Za-z0-9+/_-]{{{_RANDOM_LENGTH},}}+={{0,2}}"
_KINDS = r"[a-z]+|[A-Z]+|[0-9]+"


def _mask_tokens(text: str) -> str:
    return _pattern(_TOKENS).sub(MASK, text)


def _mask_hashes(text: str) -> str:
    return _pattern(_HASH).sub(MASK, text)


def _mask_keys(text: str) -> str:
    """Mask the body of PEM blocks with a private key."""
    pem = r"(-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----)(?:(?!-----END).)*"
    return _pattern(pem, re.DOTALL).sub(rf"\g<1>{MASK}", text)


def _mask_random(text: str) -> str:
    """Mask long runs of random letters and digits, but not hexadecimal ones (ids, checksums)."""
    if len(text) < _RANDOM_LENGTH:
        return text
    return _pattern(_RANDOM).sub(lambda run: MASK if looks_random(run[0]) else run[0], text)


def looks_random(text: str) -> bool:
    """Return whether case and digits alternate as they never do in names and paths."""
    runs = _pattern(_KINDS).findall(text)
    kinds = {run[0].isdigit() * 2 + run[0].isupper() for run in runs}
    return len(kinds) == 3 and len(runs) > 0.4 * len(text)


def has_secret_shape(value: str) -> bool:
    """Return whether a whole value looks like a secret.

    That is a token of a known format, a private key, or 20 random characters.
    """
    lower = value.lower()
    may_be_token = any(start in lower for start in _TOKEN_STARTS)
    if may_be_token and _pattern(_TOKENS).fullmatch(value):
        return True
    if "PRIVATE KEY-----" in value:
        return True
    if len(value) < 20 or not re.fullmatch(r"[A-Za-z0-9+/_=-]+", value):
        return False
    return looks_random(value)


def _mask_programs(text: str) -> str:
    """Mask passwords after short flags: `mysql -pX`, `redis-cli -a X`, `curl -u user:X`."""
    if not names_a_program(text):
        return text
    flags = ProgramFlags()
    words = _pattern(r"(?:[^\s'\"]++|'[^']*+'|\"[^\"]*+\"|['\"])+")
    return words.sub(lambda word: flags.hide(word[0], MASK), text)


_STEPS: tuple[tuple[Sequence[str], Callable[[str], str]], ...] = (
    (("-----begin",), _mask_keys),
    (("://",), _mask_users),
    (("?",), _mask_queries),
    (("referer", "referrer", "http/"), _mask_referrers),
    ((" -",), _mask_programs),
    (("authorization", "cookie", "bearer", "basic"), _mask_headers),
    (_WORDS, _mask_flags),
    (_WORDS, _mask_named),
    (_TOKEN_STARTS, _mask_tokens),
    (_HASH_STARTS, _mask_hashes),
    (("",), _mask_random),
)
"""Hints and step: a step runs only if the text contains one of its hints, in lower case."""


# --- Compose's model ---------------------------------------------------------------------------


def mask_model(document: Any) -> Any:
    """Return Compose's resolved model as it may be shown.

    Every value of an environment, of build arguments and of labels is masked, and the content of
    configs: the model does not say which of them are secrets. Names stay.
    """
    if isinstance(document, Mapping):
        return {key: _mask_model_item(key, value) for key, value in document.items()}
    if isinstance(document, list):
        return [mask_model(item) for item in document]
    return document


def _mask_model_item(key: str, value: Any) -> Any:
    if key in _VALUE_BLOCKS and isinstance(value, Mapping):
        return {name: None if item is None else MASK for name, item in value.items()}
    if key == "content" and value is not None:
        return MASK
    if isinstance(value, str) and is_masked_name(key):
        return MASK
    if key in _COMMANDS and isinstance(value, list):
        return list(mask_command(map(str, value)))
    return mask_model(value)
