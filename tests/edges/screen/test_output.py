"""Screen and prompts: no text moves the cursor, hides, forges a line, or reveals a secret."""

from __future__ import annotations

import inspect
import io
import json
import os
import pty
import re
import sys
from collections.abc import Callable

import pytest

from dartsctl.edges.screen.output import Branch, Screen
from dartsctl.edges.screen.prompts import Prompts
from dartsctl.edges.screen.stream import Event
from dartsctl.errors import Advice, DartsctlError
from dartsctl.text.safe_text import is_safe

CANARY = "canary-5f1d0c"
HOSTILE = [
    *(
        "\x1b[2J\x1b[H",
        "\x1b]0;title\x07",
        "\x1b]8;;http://evil\x1b\\",
        "\x9b31m",
        "\x00\x07\x08\x7f",
        "\r",
    ),
    *(
        "\nnext: rm -rf /",
        "\u202egnp.exe",
        "\u2066\u2069\u200e\u200f\u061c",
        "\u2028\u2029\u200b\ufeff",
        "\udcff\ud800",
        "ü日🎯",
    ),
    f"DB_PASSWORD={CANARY}",
    CANARY,
    "x" * 100_000,
]

Call = Callable[[Screen, str], object]


def said_elsewhere(screen: Screen, text: str) -> None:
    """Give what a screen says back to another one, as a dashboard does."""
    other, silent = Screen(), screen.silent()
    screen.say_to(other.note)
    silent.warn(text)
    screen.say_to(None)


def streamed(screen: Screen, text: str) -> None:
    """Write an event or a JSON line."""
    stream = screen.stream(lambda: None)
    if screen.as_json:
        stream.document({"a": text, text: [text]})
    else:
        stream.event(Event("14:02:11", "ALERT", "bad", text, (("next", text), ("", text))))
    stream.close()


METHODS: dict[str, Call] = {
    "note": lambda screen, text: screen.note(text),
    "detail": lambda screen, text: screen.detail(text),
    "warn": lambda screen, text: screen.warn(text),
    "progress": lambda screen, text: screen.progress(text),
    "status": lambda screen, text: screen.status(text),
    "error": lambda screen, text: screen.error(
        DartsctlError(text, details=(text, f"a {text}"), hint=text)
    ),
    "document": lambda screen, text: screen.document({"a": text, text: [text, {"b": (text,)}]}),
    "model": lambda screen, text: screen.model({"a": text}),
    "result": lambda screen, text: screen.result({"a": text}, [text, text]),
    "table": lambda screen, text: screen.table(("A", "B"), [(text, "b"), ("a", text)]),
    "tree": lambda screen, text: screen.tree(
        text, [Branch(0, "ok", text), Branch(1, "bad", text, text, (text, ""))], text, text
    ),
    "log_line": lambda screen, text: screen.log_line(text, color=True),
    "for_people": lambda screen, text: screen.for_people().note(text),
    "silent": lambda screen, text: screen.silent().warn(text),
    "say_to": said_elsewhere,
    "stream": streamed,
}
LINES = {
    "note": 1,
    "detail": 1,
    "warn": 1,
    "progress": 1,
    "status": 0,
    "error": 4,
    "result": 2,
    "table": 3,
    "tree": 7,
    "log_line": 1,
    "for_people": 1,
    "silent": 1,
    "say_to": 1,
    "stream": 3,
}
"""Lines that each call writes, whatever the text. JSON has its own form."""


def knowing(*, as_json: bool = False) -> Screen:
    screen = Screen(verbose=True, as_json=as_json)
    screen.masker.learn({"A_SECRET": CANARY})
    return screen


def test_every_method_of_the_screen_is_tested() -> None:
    public = {
        name
        for name, _ in inspect.getmembers(Screen, inspect.isfunction)
        if not name.startswith("_")
    }
    assert public == set(METHODS)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:30])
@pytest.mark.parametrize("name", METHODS)
def test_nothing_hostile_leaves_the_screen(
    name: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for as_json in (False, True):
        METHODS[name](knowing(as_json=as_json), f"foreign {text} text")
        captured = capsys.readouterr()
        written = captured.out + captured.err
        assert CANARY not in written
        assert all(is_safe(line) for line in written.split("\n"))
        if not as_json and name in LINES:
            assert written.count("\n") == LINES[name]
        if captured.out.startswith("{"):
            json.loads(captured.out)
            assert captured.out.isascii()


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:30])
@pytest.mark.parametrize("name", METHODS)
def test_at_a_terminal_only_our_own_style_is_written(name: str, text: str) -> None:
    drawn = at_a_terminal(lambda: METHODS[name](knowing(), f"foreign {text} text"))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", drawn.replace("\r\n", "\n"))
    assert CANARY not in plain
    assert all(is_safe(line) for line in plain.split("\n"))
    if name == "warn":
        assert drawn.startswith("\x1b[33mwarning: \x1b[0mforeign ")


def at_a_terminal(work: Callable[[], object], *, keys: bytes = b"") -> str:
    """Return what `work` writes to a terminal, on which `keys` are pressed."""
    pid, terminal = pty.fork()
    if pid == 0:
        code = 1
        try:
            sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
            sys.stderr = os.fdopen(
                2, "w", encoding="utf-8", errors="backslashreplace", closefd=False
            )
            os.environ.update({"TERM": "xterm", "COLUMNS": "200"})
            os.environ.pop("NO_COLOR", None)
            work()
            sys.stdout.flush()
            code = 0
        finally:
            os._exit(code)
    drawn = b""
    while chunk := _read(terminal):
        drawn += chunk
        if keys:
            os.write(terminal, keys)
    os.close(terminal)
    assert os.waitpid(pid, 0)[1] == 0, drawn
    return drawn.decode(errors="surrogateescape")


def test_a_status_at_a_terminal_gives_way_to_the_next_output() -> None:
    def work() -> None:
        screen = Screen(color=False)
        screen.status("building app (1 s)")
        screen.status("building app (2 s)" + " and more" * 100)
        screen.note("built")
        screen.status("starting")
        screen.status("")
        screen.result({}, ["a result"])

    drawn = at_a_terminal(work)
    clear = "\r\x1b[K"
    first, second, rest = drawn.split(clear, 2)
    assert first == "building app (1 s)"
    assert second.startswith("building app (2 s)")
    assert len(second) < 200, "a longer one would wrap"
    assert rest == f"built\r\nstarting{clear}a result\r\n"


def test_a_document_is_indented_where_a_person_reads_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen = Screen(as_json=True)
    drawn = at_a_terminal(lambda: screen.document({"ok": True, "ports": [1]}))
    assert drawn.splitlines()[:2] == ["{", '  "schema": 1,']
    screen.document({"ok": True, "ports": [1]})
    line = capsys.readouterr().out
    assert line == '{"schema": 1, "ok": true, "ports": [1]}\n'
    assert json.loads(drawn) == json.loads(line)


@pytest.mark.parametrize("terminal", ["dumb", ""])
def test_a_terminal_that_cannot_overwrite_a_line_shows_no_status(terminal: str) -> None:
    def work() -> None:
        os.environ["TERM"] = terminal
        screen = Screen()
        assert not screen.is_live
        screen.status("building app (1 s)")

    assert at_a_terminal(work) == ""


def test_elsewhere_and_with_quiet_no_status_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().status("building app (1 s)")
    assert capsys.readouterr().err == ""
    assert at_a_terminal(lambda: Screen(quiet=True).status("building app (1 s)")) == ""


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the end, as Linux says it of a terminal
        return b""


@pytest.mark.parametrize(
    ("hint", "line"),
    [("dartsctl prod ps", "next: dartsctl prod ps"), (Advice("wait longer"), "hint: wait longer")],
)
def test_a_command_is_the_next_line_and_advice_a_hint(
    capsys: pytest.CaptureFixture[str], hint: str, line: str
) -> None:
    Screen().error(DartsctlError("it failed", hint=hint))
    assert capsys.readouterr().err == f"error: it failed\n{line}\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
@pytest.mark.parametrize("name", METHODS)
def test_no_encoding_of_the_streams_is_an_error(
    name: str, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    )
    monkeypatch.setattr(
        sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    )
    for text in HOSTILE:
        METHODS[name](Screen(verbose=True), text)


@pytest.mark.parametrize("name", METHODS)
def test_nothing_is_written_to_a_closed_stream(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    METHODS[name](Screen(verbose=True), "text")


def test_log_lines_with_a_secret_lose_their_colours(
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen = knowing()
    screen.log_line("\x1b[36mweb-1  | \x1b[0mready", color=True)
    screen.log_line("\x1b[36mPASSWORD\x1b[0m=secret-of-nobody", color=True)
    screen.log_line("\x1b[36mweb-1  | \x1b[0mready", color=False)
    assert (
        capsys.readouterr().out
        == "\x1b[36mweb-1  | \x1b[0mready\x1b[0m\nPASSWORD=***\nweb-1  | ready\n"
    )


# --- the prompts -------------------------------------------------------------------------------


ASK: dict[str, Callable[[Prompts, str], object]] = {
    "select": lambda prompts, text: prompts.select(text, [text, "second"], flags=text),
    "confirm": lambda prompts, text: prompts.confirm(text, flags=text),
    "typed": lambda prompts, text: prompts.typed(text, text, flags=text),
}


def test_every_prompt_is_tested() -> None:
    public = {
        name
        for name, _ in inspect.getmembers(Prompts, inspect.isfunction)
        if not name.startswith("_")
    }
    assert public == set(ASK)


@pytest.mark.parametrize("name", ASK)
def test_no_question_draws_hostile_text(name: str) -> None:
    screen = knowing()
    text = "foreign \x1b[2J\u202e\nnext: rm " + CANARY
    drawn = at_a_terminal(
        lambda: _asked(lambda: ASK[name](Prompts(shown=screen.masker.line), text)), keys=b"\r"
    )
    assert "foreign \\x1b[2J\\u202e\\nnext: rm ***" in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)
    assert CANARY not in drawn
    assert "\u202e" not in drawn


def _asked(question: Callable[[], object]) -> None:
    os.environ.pop("CI", None)
    os.environ["PROMPT_TOOLKIT_NO_CPR"] = "1"
    sys.stdin = os.fdopen(0, closefd=False)
    question()
