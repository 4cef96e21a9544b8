"""Env files: values, where they stand, and errors that never show a value."""

from __future__ import annotations

import io
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from dartsctl.config.env_value import EnvValue
from dartsctl.edges.project.env_files import (
    _line_of,
    _plain_statements,
    example_of,
    filled_in,
    interpolated,
    mode,
    read,
    shown_values,
    text_of,
    values_in,
)
from dartsctl.errors import ExitCode, UsageError
from dartsctl.system.files import UnsafeFile
from two_users import ANN, Victim, as_user, needs_root, public_folder

SECRET = "canary-4711"


def written(folder: Path, text: str, name: str = ".env") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def values(*paths: Path, environ: dict[str, str] | None = None) -> dict[str, str]:
    return {name: entry.value for name, entry in read(paths, environ or {}).items()}


def test_each_value_knows_its_file_and_line(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "# comment\n\nexport A=1\n\n\nB='two words' # comment\nC=\"x\\ny\"\nFLASK_PORT=5000\n",
    )
    entries = read([path], {})
    assert entries == {
        "A": EnvValue("1", path, 3),
        "B": EnvValue("two words", path, 6),
        "C": EnvValue("x\ny", path, 7),
        "FLASK_PORT": EnvValue("5000", path, 8),
    }
    assert entries["FLASK_PORT"].origin == ".env:8"


def test_what_is_read_without_dotenv_is_what_dotenv_reads() -> None:
    """The common files need no library. Random ones show where the two ways could differ."""
    from dotenv.parser import parse_stream

    pieces = ["A", "b_1", "=", "=", "\n", "\n", " ", "\t", "#", "'", '"', "x", "${A}", "export "]
    pieces += ["\\", "\r", "\x0b", "\xa0", "\u2028", "é", ":", "-", "1"]
    chance = random.Random(15)
    plain = 0
    for _ in range(30_000):
        lines = ["".join(chance.choices(pieces, k=chance.randint(0, 6))) for _ in range(2)]
        text = "\n".join([f"A={lines[0]}", lines[1]])
        read_plainly = _plain_statements(text)
        if read_plainly is None:
            continue
        plain += 1
        bindings = list(parse_stream(io.StringIO(text)))
        assert not any(binding.error for binding in bindings), text
        bindings = [binding for binding in bindings if binding.key]
        assert read_plainly == [
            (binding.key, binding.value, _line_of(binding)) for binding in bindings
        ], text
    assert plain > 1000


def test_windows_line_ends_a_byte_order_mark_and_values_of_several_lines_are_read(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, '\ufeffA=1\r\nB="x\r\ny"\r\nC=3')
    assert values(path) == {"A": "1", "B": "x\ny", "C": "3"}
    assert read([path], {})["C"].line == 4


def test_a_name_without_a_value_sets_nothing_and_an_empty_value_does(tmp_path: Path) -> None:
    assert values(written(tmp_path, "A\nB=\n")) == {"B": ""}


def test_a_later_file_wins_and_may_use_what_an_earlier_one_sets(tmp_path: Path) -> None:
    first, second = (
        written(tmp_path, "A=1\nB=2"),
        written(tmp_path, "B=3\nC=${A}${B}", ".env.local"),
    )
    entries = read([first, second], {})
    assert values(first, second) == {"A": "1", "B": "3", "C": "13"}
    assert (entries["B"].file, entries["A"].file) == (second, first)


def test_the_environment_takes_precedence_in_interpolation(tmp_path: Path) -> None:
    path = written(tmp_path, "A=file\nB=${A}-${GONE:-default}-${GONE}-$A")
    assert values(path) == {"A": "file", "B": "file-default--$A"}
    assert values(path, environ={"A": "shell"}) == {"A": "file", "B": "shell-default--$A"}


def test_the_environment_of_the_process_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARTSCTL_TEST_NAME", "own")
    path = written(tmp_path, "A=${DARTSCTL_TEST_NAME}")
    assert read([path])["A"].value == "own"
    assert values(path) == {"A": ""}


def test_text_is_interpolated_from_known_variables() -> None:
    assert interpolated("${A}/${B:-b}/{c}", {"A": "a"}) == "a/b/{c}"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"A=1\n\n\n=canary\nB={SECRET}\n", 4),
        (f"A=1\nB='{SECRET}\n", 2),
        (f'\n\nA="{SECRET}\nB=1\n', 3),
        (f"A='1' {SECRET}\n", 1),
    ],
)
def test_a_broken_line_is_named_and_not_shown(tmp_path: Path, text: str, line: int) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read([path], {})
    assert caught.value.code is ExitCode.USAGE
    problem = "not a NAME=value line, or a quote is not closed"
    assert caught.value.message == f".env:{line}: {problem}"
    assert caught.value.hint == f"correct line {line} of {path}"


def test_binary_data_is_refused_with_its_line_and_without_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"A=1\nB=canary\xff\n")
    with pytest.raises(UsageError, match=r"^\.env:2: not UTF-8 text$") as caught:
        read([path], {})
    assert caught.value.__cause__ is None
    path.write_bytes(b"A=1\n\nB=canary\0\n")
    with pytest.raises(UsageError, match=r"^\.env:3: not a text file: it contains a NUL byte$"):
        read([path], {})


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"^{tmp_path} is a folder, not an env file$"):
        read([tmp_path], {})
    with pytest.raises(UsageError, match=rf"^no such env file: {tmp_path}/gone$"):
        read([tmp_path / "gone"], {})
    with pytest.raises(UsageError, match=r"^cannot read .*: Not a directory$"):
        read([written(tmp_path, "") / "below"], {})


def test_a_value_is_not_part_of_any_repr(tmp_path: Path) -> None:
    assert SECRET not in repr(read([written(tmp_path, f"A={SECRET}")], {}))


def test_dotenv_is_imported_only_where_a_file_is_read(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from dartsctl.edges.project.env_files import read\n"
        "from dartsctl.config.load_settings import load\n"
        "load(Path(sys.argv[1]), {}); read([])\n"
        "assert not {'dotenv', 'tomllib', 'difflib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


# --- examples, and who may read ----------------------------------------------------------------


def test_the_example_of_an_env_file_has_its_name_and_one_of_the_usual_endings(
    tmp_path: Path,
) -> None:
    assert example_of(tmp_path / ".env") is None
    for ending in (".dist", ".template", ".sample", ".example"):
        path = written(tmp_path, "", f".env{ending}")
        assert example_of(tmp_path / ".env") == path


@pytest.mark.parametrize("name", ["example.env", "env.sample", ".env-example", ".env_template"])
def test_the_word_may_stand_before_or_after_the_name(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, "", name)
    assert example_of(tmp_path / ".env") == path
    assert example_of(tmp_path / ".env.production") is None


def test_examples_are_read_and_a_broken_one_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    written(tmp_path, "A=1\nB=2\nEMPTY=\n", ".env.example")
    written(tmp_path, "B=3\n", ".env.production.example")
    written(tmp_path, "A='broken\n", "other.example")
    written(tmp_path / "sub", "C=4\n", ".env.sample")
    assert shown_values([tmp_path / ".env.production"]) == {"A": "1", "B": "3"}
    assert shown_values([tmp_path / "other"], [tmp_path / "sub"]) == {"A": "1", "B": "2", "C": "4"}
    assert shown_values([]) == {}


def test_only_regular_files_have_a_mode(tmp_path: Path) -> None:
    path = written(tmp_path, "A=1")
    path.chmod(0o640)
    assert mode(path) == 0o640
    assert mode(Path("/dev/null")) is None
    os.mkfifo(tmp_path / "pipe")
    assert mode(tmp_path / "pipe") is None


# --- a new file from an example ----------------------------------------------------------------


def test_only_the_values_that_are_renewed_change_and_everything_else_stays() -> None:
    example = (
        "# change-me stays in a comment\n\n"
        "A_KEY=change-me\n"
        "export B_KEY = 'change-me'   # why\n"
        'C_KEY="change-me"\n'
        "#D_KEY=change-me\n"
        "E=change-me\n"
        "F_KEY=\n"
        "G\n"
        "URL=postgresql://u:${A_KEY}@h/x\n"
        "H_KEY=change-me"
    )
    numbers = iter("1234567")
    text, names = filled_in(
        example,
        lambda name, value: (
            f"new{next(numbers)}" if name.endswith("_KEY") and value == "change-me" else None
        ),
    )
    assert names == ("A_KEY", "B_KEY", "C_KEY", "H_KEY")
    assert text == (
        "# change-me stays in a comment\n\n"
        "A_KEY=new1\n"
        "export B_KEY = new2   # why\n"
        "C_KEY=new3\n"
        "#D_KEY=change-me\n"
        "E=change-me\n"
        "F_KEY=\n"
        "G\n"
        "URL=postgresql://u:${A_KEY}@h/x\n"
        "H_KEY=new4"
    )
    assert values_in(text)["B_KEY"] == "new2"


def test_a_value_with_special_characters_is_replaced_whole() -> None:
    text, names = filled_in("A_KEY=<your (secret) [key]+here*>\n", lambda _name, _value: "new")
    assert (text, names) == ("A_KEY=new\n", ("A_KEY",))


def test_a_broken_example_is_refused_with_its_line() -> None:
    with pytest.raises(UsageError, match=r"^line \d+ of the example is not NAME=value$"):
        filled_in("A=1\nB='open\n", lambda _name, _value: None)


@needs_root
def test_a_file_behind_another_users_link_is_not_copied(tmp_path: Path) -> None:
    """Otherwise root would copy its own secrets into their folder."""
    victim = Victim.at(tmp_path / "victim")
    with public_folder(ANN) as project:
        as_user(ANN, lambda: (project / ".env.example").symlink_to(victim.path))
        with pytest.raises(UnsafeFile, match="is a symbolic link of another user"):
            text_of(project / ".env.example")
