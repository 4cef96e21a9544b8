"""Secrets out of texts and command lines: by the name that stands before a value, and by the value's shape.

No pattern here backtracks: a run of characters is read once (possessive, and only from its beginning), so that the time grows
with the length alone. A repeated group is greedy and the last thing in its pattern: before 3.11.5, Python matches possessive ones wrongly.
Values that are known to be secrets are masked by `masker.Masker`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from dartsctl.text.command_secrets import ProgramFlags, names_a_program
from dartsctl.text.safe_text import CUT, LINE_LIMIT, cut
from dartsctl.text.secret_names import is_masked, is_open

MASK = "***"

_WORDS = (
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "cred",
    "auth",
    "dsn",
    "cookie",
    "pepper",
    "psk",
    "salt",
    "sig",
    "otp",
)
"""In lower case: one of them is in every name that `is_masked`."""
_VALUE_BLOCKS = frozenset(
    {"environment", "args", "labels", "driver_opts", "options", "x-environment"}
)
_COMMANDS = frozenset({"command", "entrypoint", "test"})


def masked(text: str) -> str:
    """`text` with everything masked that is a secret by its name or shape; requests lose query and referrer."""
    lower = text.lower()
    for needed, mask in _STEPS:
        if any(piece in lower for piece in needed):
            text = mask(text)
    return text


def command(words: Iterable[str]) -> tuple[str, ...]:
    """A command line that may be shown: the values of flags and assignments with a secret's name are masked.

    Words beyond the common limit of a line are left out; the last one then says so.
    """
    shown: list[str] = []
    flags = ProgramFlags()
    length = 0
    hide_next = False
    for word in (cut(whole) for whole in words):
        if length > LINE_LIMIT:
            shown.append(CUT.strip())
            break
        if hide_next and not word.startswith("-"):
            shown.append(word if is_open(word) else MASK)
            hide_next = False
        else:
            shown.append(_word(word, flags))
            hide_next = word.startswith("-") and "=" not in word and is_masked(word)
        length += len(word) + 1
    return tuple(shown)


def _word(word: str, flags: ProgramFlags) -> str:
    hidden = flags.hide(word, MASK)
    if hidden != word:
        return hidden
    name, equals, value = word.partition("=")
    if equals and value and len(name) < 100 and re.fullmatch(r"[\w.-]+", name) and is_masked(name):
        return word if is_open(value) else f"{name}={MASK}"
    return masked(word)


@cache
def _pattern(pattern: str, flags: int = 0) -> re.Pattern[str]:
    return re.compile(pattern, flags)


# --- names --------------------------------------------------------------------------------------------------------------------

_NAME = r"(?<![\w.-])(?P<name>[\w.-]{1,100}+)"
_SEPARATOR = r"(?P<close>\\{0,3}[\"']?\]?)[ \t]{0,2}(?P<sign>=>|=(?!=)|:(?![:/]))[ \t]{0,2}"
_FLAG = r"(?<![\w-])(?P<name>--?[\w-]{1,100}+)[ ](?=[^\s-])"
_BARE = r"(?:[^\s'\"\\;&|,)}\]]|\\(?![\"'])|[;&|,)}\]](?=[^\s;&|,)}\]'\"]))+"
_QUOTE = r"(\\{0,3})([\"'])"
_DENSE = r"(?=[^\s:]{0,24}[0-9])(?=[^\s:]{0,24}[A-Za-z])[^\s./:$][^\s:'\",;(){}]{7,}+"
"""A value that is no word of a sentence."""
_REFERENCE = r"\$\{?\w+\}?|null|none|true|false|\*\*\*"


def _mask_named(text: str) -> str:
    """`NAME=value`, `"name": "value"`, `name: value` where the name says secret."""
    parts: list[str] = []
    place = 0
    search = _pattern(_NAME + _SEPARATOR, re.ASCII).search
    match = search(text)
    while match:
        end = match.end()
        if is_masked(match["name"]) and _may_hide(match, text):
            start, stop = _value(text, end)
            if _hides(text[start:stop]):
                parts += [text[place:start], MASK]
                place = end = stop
            elif between := _pattern(r"[;&|,\s]").search(text, start, stop):
                end = between.end()
            else:
                end = stop
        match = search(text, end)
    return "".join([*parts, text[place:]])


def _value(text: str, place: int) -> tuple[int, int]:
    """Where the value at `place` begins and ends, without its quotes."""
    quote = _pattern(_QUOTE).match(text, place)
    if quote is None:
        bare = _pattern(_BARE).match(text, place)
        return place, bare.end() if bare else place
    start = quote.end()
    if quote[1]:
        stop = text.find(quote[0], start)
        return start, len(text) if stop < 0 else stop
    inside = _pattern(rf"(?:[^{quote[2]}\\]|\\.)*", re.DOTALL).match(text, start)
    return start, inside.end() if inside else start


def _may_hide(match: re.Match[str], text: str) -> bool:
    """False after a bare colon (`password: missing`) for what can be a word of a sentence."""
    is_prose = (
        match["sign"] == ":" and not match["close"] and not match["name"].lower().startswith("x-")
    )
    return (
        not is_prose
        or text[match.end() : match.end() + 1] in ("'", '"')
        or bool(_pattern(_DENSE).match(text, match.end()))
    )


def _hides(value: str) -> bool:
    """Whether a value under a secret's name is masked: no switch, path, address or reference to a variable."""
    return (
        bool(value)
        and not is_open(value)
        and not _pattern(_REFERENCE, re.IGNORECASE).fullmatch(value)
    )


def _mask_flags(text: str) -> str:
    """`--password VALUE` within a text."""
    parts: list[str] = []
    place = 0
    search = _pattern(_FLAG, re.ASCII).search
    match = search(text)
    while match:
        end = match.end()
        if is_masked(match["name"]):
            start, stop = _value(text, end)
            quoted = int(start > end)
            if _hides(text[start:stop]):
                parts += [text[place:end], MASK]
                place = min(stop + quoted, len(text))
            end = max(stop, place)
        match = search(text, end)
    return "".join([*parts, text[place:]])


# --- shapes -------------------------------------------------------------------------------------------------------------------


def _mask_users(text: str) -> str:
    """The user part of URLs, also where the password has a slash that it should not have."""
    text = _pattern(r"://[^/\s\"'<>]*@").sub(f"://{MASK}@", text)
    slashed = r"://[^/\s:@\"'<>]{1,64}+:(?!\d{1,5}(?:[/?#]|$))[^\s@\"'<>]{1,200}@"
    return _pattern(slashed).sub(f"://{MASK}@", text)


def _mask_queries(text: str) -> str:
    """The query of URLs and of request lines, of one that is cut in its path too: `allback?code=X`."""
    query = _pattern(r"(?<![^\s\"'<>(,])([^\s\"'<>?(,]*+)\?[\w%&=\[.~-][^\s\"'<>]*+")
    return query.sub(
        lambda found: (
            f"{found[1]}?{MASK}"
            if "/" in found[1] or "=" in found[0][len(found[1]) :]
            else found[0]
        ),
        text,
    )


def _mask_referrers(text: str) -> str:
    named = r"(referr?er\\{0,3}[\"']?[ ]{0,2}[:=][ ]{0,2}\\{0,3}[\"']?)(?!-|\*\*\*)[^\s\"'\\,]++"
    text = _pattern(named, re.IGNORECASE).sub(rf"\g<1>{MASK}", text)
    combined = (
        r"(HTTP/[\d.]{1,3}\\{0,3}\" \d{3} [\d-]{1,20} \\{0,3}\")(?!-\\{0,3}\"|\*\*\*)[^\"\s\\]++"
    )
    return _pattern(combined).sub(rf"\g<1>{MASK}", text)


def _mask_headers(text: str) -> str:
    """`Authorization: ...`, cookies, and `Bearer X` or `Basic X` anywhere."""
    scheme = r"(?:(?:bearer|basic|digest|token|negotiate|apikey)\s{1,4})?"
    lead = r"(?<![\w-])((?:proxy-)?authorization\\{0,3}[\"']?\s{0,2}[:=]\s{0,2}\\{0,3}[\"']?)"
    text = _pattern(lead + scheme + r"[^\s\"',;\\]++", re.IGNORECASE).sub(rf"\g<1>{MASK}", text)
    cookies = r"(?<![\w-])((?:set-)?cookie\\{0,3}[\"']?[ ]{0,2}:[ ]{0,2}\\{0,3}[\"']?)(?=\w)[^\s\"'\\=]++=[^\"'\n\\]++"
    text = _pattern(cookies, re.IGNORECASE).sub(rf"\g<1>{MASK}", text)
    word = r"(?![A-Za-z][a-z]*+(?![\w+/=.~-]))"  # `Basic authentication failed` is no header
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
_TOKEN_STARTS = (
    *(
        "eyj",
        "akia",
        "asia",
        "ghp_",
        "gho_",
        "ghu_",
        "ghs_",
        "ghr_",
        "glpat-",
        "xox",
        "k_live_",
        "k_test_",
    ),
    *("sk-", "aiza", "npm_", "pypi-", "pat_", "hvs.", "hvb.", "sg."),
)
_RANDOM_LENGTH = 40
_RANDOM = rf"(?<![\w+/=.:-])[A-Za-z0-9+/_-]{{{_RANDOM_LENGTH},}}+={{0,2}}"
_KINDS = r"[a-z]+|[A-Z]+|[0-9]+"


def _mask_tokens(text: str) -> str:
    return _pattern(_TOKENS).sub(MASK, text)


def _mask_keys(text: str) -> str:
    """The body of PEM blocks with a private key."""
    pem = r"(-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----)(?:(?!-----END).)*"
    return _pattern(pem, re.DOTALL).sub(rf"\g<1>{MASK}", text)


def _mask_random(text: str) -> str:
    """Long runs of random letters and digits; hexadecimal ones are ids and checksums."""
    if len(text) < _RANDOM_LENGTH:
        return text
    return _pattern(_RANDOM).sub(lambda found: MASK if looks_random(found[0]) else found[0], text)


def looks_random(text: str) -> bool:
    """Whether upper case, lower case and digits alternate as they never do in names and paths."""
    runs = _pattern(_KINDS).findall(text)
    kinds = {run[0].isdigit() * 2 + run[0].isupper() for run in runs}
    return len(kinds) == 3 and len(runs) > 0.4 * len(text)


def has_secret_shape(value: str) -> bool:
    """Whether a whole value is a secret by its looks: a token of a known kind, a private key, 20 random characters."""
    if re.fullmatch(_TOKENS, value) or "PRIVATE KEY-----" in value:
        return True
    return (
        len(value) >= 20 and bool(re.fullmatch(r"[A-Za-z0-9+/_=-]+", value)) and looks_random(value)
    )


def _mask_programs(text: str) -> str:
    """What programs take after short flags: `mysql -pX`, `redis-cli -a X`, `curl -u user:X`."""
    if not names_a_program(text):
        return text
    flags = ProgramFlags()
    words = _pattern(r"(?:[^\s'\"]++|'[^']*+'|\"[^\"]*+\"|['\"])+")
    return words.sub(lambda found: flags.hide(found[0], MASK), text)


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
    (("",), _mask_random),
)
"""What a text must contain, in lower case, for a step to be worth its time; and the step."""


# --- Compose's model ----------------------------------------------------------------------------------------------------------


def model(document: Any) -> Any:
    """Compose's resolved model that may be shown: every value of an environment, of build arguments and of labels is masked.

    Any of them may be a secret, and nothing in the model says which; so all are, and so is a config's content. Names stay.
    """
    if isinstance(document, Mapping):
        return {key: _model_item(key, value) for key, value in document.items()}
    if isinstance(document, list):
        return [model(item) for item in document]
    return document


def _model_item(key: str, value: Any) -> Any:
    if key in _VALUE_BLOCKS and isinstance(value, Mapping):
        return {name: None if item is None else MASK for name, item in value.items()}
    if (key == "content" and value is not None) or (isinstance(value, str) and is_masked(key)):
        return MASK
    if key in _COMMANDS and isinstance(value, list):
        return list(command(str(item) for item in value))
    return model(value)
