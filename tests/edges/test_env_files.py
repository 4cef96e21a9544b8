"""Env files: values, where they stand, and mistakes that never show a value."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dartsctl.edges.env_files import interpolated, read
from dartsctl.environment import EnvValue
from dartsctl.errors import ExitCode, UsageError

SECRET = "canary-4711"


def written(folder: Path, text: str, name: str = ".env") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def values(*paths: Path, environ: dict[str, str] | None = None) -> dict[str, str]:
    return {name: one.value for name, one in read(paths, environ or {}).items()}


def test_each_value_knows_its_file_and_line(tmp_path: Path) -> None:
    path = written(tmp_path, "# comment\n\nexport A=1\n\n\nB='two words' # comment\nC=\"x\\ny\"\nFLASK_PORT=5000\n")
    found = read([path], {})
    assert found == {
        "A": EnvValue("1", path, 3),
        "B": EnvValue("two words", path, 6),
        "C": EnvValue("x\ny", path, 7),
        "FLASK_PORT": EnvValue("5000", path, 8),
    }
    assert f"FLASK_PORT in {found['FLASK_PORT'].origin}" == "FLASK_PORT in .env:8"


def test_windows_line_ends_a_byte_order_mark_and_values_of_several_lines_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, '\ufeffA=1\r\nB="x\r\ny"\r\nC=3')
    assert values(path) == {"A": "1", "B": "x\ny", "C": "3"}
    assert read([path], {})["C"].line == 4


def test_a_name_without_a_value_sets_nothing_and_an_empty_value_does(tmp_path: Path) -> None:
    assert values(written(tmp_path, "A\nB=\n")) == {"B": ""}


def test_a_later_file_wins_and_may_use_what_an_earlier_one_sets(tmp_path: Path) -> None:
    first, second = written(tmp_path, "A=1\nB=2"), written(tmp_path, "B=3\nC=${A}${B}", ".env.local")
    found = read([first, second], {})
    assert {name: one.value for name, one in found.items()} == {"A": "1", "B": "3", "C": "13"}
    assert (found["B"].file, found["A"].file) == (second, first)


def test_variables_are_filled_in_from_the_environment_first(tmp_path: Path) -> None:
    path = written(tmp_path, "A=file\nB=${A}-${GONE:-default}-${GONE}-$A")
    assert values(path) == {"A": "file", "B": "file-default--$A"}
    assert values(path, environ={"A": "shell"}) == {"A": "file", "B": "shell-default--$A"}


def test_the_processs_own_environment_counts_unless_another_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARTSCTL_TEST_NAME", "own")
    path = written(tmp_path, "A=${DARTSCTL_TEST_NAME}")
    assert read([path])["A"].value == "own"
    assert values(path) == {"A": ""}


def test_text_is_filled_in_from_what_is_known() -> None:
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
    assert caught.value.message == f".env:{line}: this is no NAME=value line (or a quote is not closed)"
    assert caught.value.hint == f"correct line {line} of {path}"


def test_what_is_no_text_is_refused_with_its_line_and_without_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"A=1\nB=canary\xff\n")
    with pytest.raises(UsageError, match=r"^\.env:2: not UTF-8 text$") as caught:
        read([path], {})
    assert caught.value.__cause__ is None
    path.write_bytes(b"A=1\n\nB=canary\0\n")
    with pytest.raises(UsageError, match=r"^\.env:3: a NUL byte; this is no text file$"):
        read([path], {})


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"^{tmp_path} is a folder, not an env file$"):
        read([tmp_path], {})
    with pytest.raises(UsageError, match=rf"^there is no env file {tmp_path}/gone$"):
        read([tmp_path / "gone"], {})
    with pytest.raises(UsageError, match=r"cannot be read: Not a directory$"):
        read([written(tmp_path, "") / "below"], {})


def test_a_value_is_not_part_of_any_repr(tmp_path: Path) -> None:
    assert SECRET not in repr(read([written(tmp_path, f"A={SECRET}")], {}))


def test_dotenv_is_imported_only_where_a_file_is_read(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from dartsctl.edges.env_files import read; from dartsctl.settings import load\n"
        "load(Path(sys.argv[1]), {}); read([]); assert not {'dotenv', 'tomllib', 'difflib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
