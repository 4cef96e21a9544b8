"""Real prompts at a pseudo-terminal, with a clean stdout; and no prompt without a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from dartsctl.edges.screen.prompts import Prompts
from dartsctl.errors import DartsctlError, ExitCode

SOURCE = str(Path(__file__).parents[3] / "src")
DOWN, ENTER, CTRL_C, CTRL_D = "\x1b[B", "\r", "\x03", "\x04"
PROGRAM = """
import select, sys
from dartsctl.edges.screen.prompts import Prompts
from dartsctl.errors import DartsctlError
out = open(sys.argv[1], "w")
sys.stdout = out
try:
    answer = eval(sys.argv[2], {"prompts": Prompts(), "select": select, "sys": sys})
    sys.stdout.write(repr(answer))
except DartsctlError as error:
    out.close()
    sys.stderr.write(error.message + " | " + error.hint)
    raise SystemExit(int(error.code))
out.close()
"""
SELECT = "prompts.select('What now?', ['move it', 'stop it', 'abort'], flags='--on-conflict remap')"
CONFIRM = "prompts.confirm('Kill it?', flags='--yes')"
TYPED = "prompts.typed('Type darts:', 'darts', flags='')"

Ask = Callable[..., "pexpect.spawn[str]"]


def environment(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "CI"} | {
        "PYTHONPATH": SOURCE,
        "TERM": "xterm",
        "PROMPT_TOOLKIT_NO_CPR": "1",  # nobody here says where the cursor is: it waits a second
        **more,
    }


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "stdout"


@pytest.fixture
def ask(out: Path) -> Iterator[Ask]:
    """Start a prompt at a terminal of its own; return when it is drawn."""
    started: list[pexpect.spawn[str]] = []

    def begin(question: str, drawn: str, **variables: str) -> pexpect.spawn[str]:
        child = pexpect.spawn(
            sys.executable,
            ["-c", PROGRAM, str(out), question],
            env=environment(**variables),
            encoding="utf-8",
            timeout=30,
            dimensions=(24, 120),
        )
        started.append(child)
        child.expect(drawn)
        return child

    yield begin
    for child in started:
        child.close(force=True)


def code(child: pexpect.spawn[str]) -> int | None:
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus


def test_arrow_keys_and_enter_choose_a_line(ask: Ask, out: Path) -> None:
    child = ask(SELECT, "abort", PROMPT_TOOLKIT_NO_CPR="")
    child.send(DOWN + ENTER)
    assert code(child) == 0
    assert out.read_text() == "1"


def test_enter_alone_chooses_the_first_line(ask: Ask, out: Path) -> None:
    child = ask(SELECT, "abort")
    child.send(ENTER)
    assert code(child) == 0
    assert out.read_text() == "0"


@pytest.mark.parametrize(("keys", "answer"), [(ENTER, "False"), ("n", "False"), ("y", "True")])
def test_enter_answers_a_yes_or_no_question_with_no(
    ask: Ask, out: Path, keys: str, answer: str
) -> None:
    child = ask(CONFIRM, "Kill it")
    child.send(keys)
    assert code(child) == 0
    assert out.read_text() == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [("darts", "True"), (" darts ", "True"), ("dart", "False"), ("Darts", "False"), ("", "False")],
)
def test_exactly_the_name_must_be_typed(ask: Ask, out: Path, text: str, answer: str) -> None:
    child = ask(TYPED, "Type darts")
    child.send(text + ENTER)
    assert code(child) == 0
    assert out.read_text() == answer


@pytest.mark.parametrize(
    ("question", "drawn"), [(SELECT, "abort"), (CONFIRM, "Kill it"), (TYPED, "Type darts")]
)
def test_ctrl_c_is_an_interruption_and_no_answer(
    ask: Ask, out: Path, question: str, drawn: str
) -> None:  # edge-cases.md#82
    child = ask(question, drawn)
    child.send(CTRL_C)
    assert code(child) == 130
    assert out.read_text() == ""


def test_the_end_of_the_input_is_an_interruption_too(ask: Ask, out: Path) -> None:
    child = ask(TYPED, "Type darts")
    child.send(CTRL_D)
    assert code(child) == 130
    assert out.read_text() == ""


def test_keys_pressed_before_the_question_are_no_answer(out: Path) -> None:
    looking = "sys.stderr.write('looking'), sys.stderr.flush(), select.select([0], [], [], 20)"
    late = f"[{looking}, {CONFIRM}][-1]"
    child = pexpect.spawn(
        sys.executable,
        ["-c", PROGRAM, str(out), late],
        env=environment(),
        encoding="utf-8",
        timeout=30,
    )
    child.expect("looking")
    child.send("y\r")
    child.expect("Kill it")
    child.send("n")
    assert code(child) == 0
    assert out.read_text() == "False"


@pytest.mark.parametrize("question", [SELECT, CONFIRM, TYPED])
def test_without_a_terminal_there_is_no_prompt_and_the_flags_are_named(
    out: Path, question: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(out), question],
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, out.read_text()) == (7, "", "")
    assert done.stderr.startswith("cannot prompt without a terminal: ")
    assert done.stderr.endswith(
        {SELECT: "--on-conflict remap", CONFIRM: "--yes", TYPED: " | "}[question]
    )


def test_ci_is_never_prompted_even_at_a_terminal(out: Path) -> None:  # edge-cases.md#81
    child = pexpect.spawn(
        sys.executable,
        ["-c", PROGRAM, str(out), SELECT],
        env=environment(CI="1"),
        encoding="utf-8",
        timeout=30,
    )
    assert code(child) == 7
    assert "--on-conflict remap" in (child.before or "")


def test_a_piped_stderr_is_no_terminal(out: Path) -> None:  # edge-cases.md#81
    command = 'exec "$0" -c "$1" "$2" "$3" 2>"$2.err"'
    child = pexpect.spawn(
        "sh",
        ["-c", command, sys.executable, PROGRAM, str(out), SELECT],
        env=environment(),
        encoding="utf-8",
        timeout=30,
    )
    assert code(child) == 7


def test_closed_streams_are_no_terminal(out: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" "$2" "$3" <&-', sys.executable, PROGRAM, str(out), SELECT],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7, done.stderr


def test_no_input_disables_prompts() -> None:
    prompts = Prompts(allowed=False)
    assert not prompts.interactive
    with pytest.raises(DartsctlError) as caught:
        prompts.confirm("Kill it?", flags="--yes")
    assert caught.value.code is ExitCode.ANSWER_NEEDED
