"""The command line of a host server: its placeholders, and the ports that it names."""

from __future__ import annotations

import re

from dartsctl.text.patterns import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PORT_FLAGS = ("--port", "-p", "--http-port", "--bind", "-b", "--listen", "-l")
_PORT_WORDS = ("http.server", "runserver")
_ADDRESS = regex(r"(?:[\w.*-]*:|\[[0-9a-fA-F:]*\]:|tcp://[\w.*-]*:)?(\d{1,5})")


def fill_placeholders(command: Sequence[str], values: Mapping[str, str]) -> tuple[str, ...]:
    """Return `command` with `{name}` replaced for each name in `values`.

    All other braces stay, such as those of JSON, awk and the shell.
    """
    pattern = re.compile(r"\{(" + "|".join(map(re.escape, values)) + r")\}")
    return tuple(pattern.sub(lambda match: values[match[1]], word) for word in command)


def ports_named(
    command: Sequence[str], variables: Sequence[str] = ()
) -> list[tuple[int, str, int]]:
    """Return the ports that a command line names in a usual way.

    Each comes with the words that name it, and the index of the word that ends with it:
    `--port 5000`, `--port=5000`, `-p5000`, `--bind 0.0.0.0:5000`, `-b :5000`, `http.server 5000`,
    `runserver 0.0.0.0:5000`, and `env PORT=5000` for one of the port `variables`. Ports in shell
    scripts and config files are not found here: the port watch sees them.
    """
    ports: list[tuple[int, str, int]] = []
    program = ""
    for index, (word, following) in enumerate(zip(command, (*command[1:], ""), strict=True)):
        if word in _PORT_WORDS:
            program = word
        value, words = _named_address(word, following, program)
        if word.partition("=")[0] in variables:
            value, words = word.partition("=")[2], word
        if match := _ADDRESS.fullmatch(value):
            last = index if word.endswith(value) else index + 1
            ports.append((int(match[1]), words, last))
    return ports


def with_port_placeholder(command: Sequence[str], port: int, index: int) -> tuple[str, ...]:
    """Return `command` with `{port}` in place of the port that ends the word at `index`."""
    words = list(command)
    words[index] = f"{words[index].removesuffix(str(port))}{{port}}"
    return tuple(words)


def _named_address(word: str, following: str, program: str) -> tuple[str, str]:
    """Return the address that a word names, and the words that do; empty texts if none."""
    flag, equals, value = word.partition("=")
    if word in _PORT_FLAGS:
        return following, f"{word} {following}"
    if equals and flag in _PORT_FLAGS:
        return value, word
    if re.fullmatch(r"-[pbl][^=]+", word):
        return word[2:], word
    if program and not word.startswith("-"):  # the program's argument, wherever it is
        return word, f"{program} {word}"
    return "", ""
