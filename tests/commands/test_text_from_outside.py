"""Text of strangers, from its source to a terminal: it is shown as text, without secrets."""

from __future__ import annotations

import http.client
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pexpect
import pytest

from dartsctl.text.safe_text import is_safe
from own_images import BUSYBOX

if TYPE_CHECKING:
    from live.stack import LiveStack, Said

pytest_plugins = ("live.stack",)

EVIL = "\x1b[2J\x1b]0;title\x07\u202e"
"""It clears the screen, renames the window, and reverses the text."""
CANARY = "canary-5f1e0c7d9b"
NGINX = "dartsctl-test/nginx:1"


def at_a_terminal(
    live: LiveStack, *words: str | Path, patience: float = 60, **variables: str
) -> str:
    """Return what dartsctl draws on a terminal, without our own colours.

    No other control sequence may be left.
    """
    environ = {**live.environ, "TERM": "xterm", **variables}
    argv = ["-m", "dartsctl", *map(str, words)]
    child = pexpect.spawn(
        sys.executable,
        argv,
        cwd=str(live.folder),
        env=environ,
        dimensions=(60, 600),
        timeout=patience,
        encoding="utf-8",
        codec_errors="surrogateescape",
    )
    drawn = str(child.read())
    child.close()
    assert "Traceback" not in drawn
    assert child.exitstatus != 70, drawn
    assert only_ours(drawn), repr(drawn)
    return re.sub(r"\x1b\[[0-9;]*m|\r", "", drawn)


def only_ours(drawn: str) -> bool:
    return all(is_safe(line) for line in re.sub(r"\x1b\[[0-9;]*m|\r(?=\n)", "", drawn).split("\n"))


def hides_the_canary(said: Said) -> bool:
    return CANARY not in said.text and only_ours(said.text)


# --- names and files ---------------------------------------------------------------------------


def test_a_settings_key_is_shown_as_text(live: LiveStack) -> None:
    (live.folder / "dartsctl.toml").write_text(f"[dev]\n{json.dumps(EVIL + 'key')} = 1\n")
    assert "\\x1b[2J" in at_a_terminal(live, "dev", "check")


def test_a_file_name_is_shown_as_text(live: LiveStack) -> None:
    drawn = at_a_terminal(live, "check", "--no-engine", "-f", f"{EVIL}\nnext: rm -rf.yml")
    assert "\\x1b[2J" in drawn
    assert "\nnext: rm" not in drawn


@pytest.mark.compose
def test_an_error_of_compose_is_shown_as_text(live: LiveStack) -> None:
    live.compose({"web": {"image": BUSYBOX, f"{EVIL}key": 1}})
    drawn = at_a_terminal(live, "check", "--no-engine", "-f", "compose.json")
    assert "Compose cannot read" in drawn
    assert "key" in drawn


def test_a_leased_folder_with_bytes_that_are_no_text_is_listed_in_every_encoding(
    live: LiveStack,
) -> None:
    from live.stack import until

    folder = Path(os.fsdecode(os.fsencode(live.folder) + b"/\xff\x1b[2J"))
    folder.mkdir()
    server = (
        "import sys; from http.server import BaseHTTPRequestHandler, HTTPServer\n"
        "HTTPServer(('127.0.0.1', int(sys.argv[1])), BaseHTTPRequestHandler).serve_forever()"
    )
    live.spawn(
        [
            sys.executable,
            "-m",
            "dartsctl",
            "run",
            "--port",  # test_full_range.py counts the free ones of the range
            str(live.ports[0]),
            "--",
            sys.executable,
            "-c",
            server,
            "{port}",
            EVIL,
        ],
        cwd=folder,
        env=live.environ,
    )
    # the record is written after the port is locked
    until(lambda: any(x["pid"] for x in live.run("dev", "list", "--json").document["servers"]))
    for encoding in ("ascii:strict", "utf-8:strict", "latin-1:strict"):
        said = live.run("dev", "list", PYTHONIOENCODING=encoding)
        assert said.code == 0
        assert "\\xff\\x1b[2J" in said.out
        assert only_ours(said.text)
        assert live.run("dev", "list", "--json", PYTHONIOENCODING=encoding).out.isascii()
    assert "\\xff\\x1b[2J" in at_a_terminal(live, "dev", "list")


HOLDER = """
import ctypes, socket, sys, time
ctypes.CDLL(None).prctl(15, b"\\x1b[2Jpy\\nnext", 0, 0, 0)
listener = socket.socket()
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen()
print("ready", flush=True)
time.sleep(600)
"""


@pytest.mark.compose
def test_a_process_with_a_hostile_name_forges_no_line_and_reveals_no_secret(
    live: LiveStack,
) -> None:
    from live.stack import sleeper

    secret = [
        "mysql",
        f"-p{CANARY}",
        "--api-key",
        CANARY,
        f'{{"password": "{CANARY}"}}',
        f"http://h/?code={CANARY}",
        "-" * 100_000,
    ]
    words = [sys.executable, "-c", HOLDER, str(live.ports[0]), f"{EVIL}\nnext: rm -rf /", *secret]
    holder = live.spawn(words)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "ready\n"
    live.compose({"web": sleeper(f"127.0.0.1:{live.ports[0]}:80")})
    drawn = at_a_terminal(live, "check", "--no-engine", "-f", "compose.json", "--no-input")
    assert f"pid {holder.pid}" in drawn
    assert "\\x1b[2Jpy" in drawn
    assert "\nnext: rm" not in drawn
    assert CANARY not in drawn
    said = live.run("check", "--no-engine", "-f", "compose.json", "--json", timeout=60)
    assert hides_the_canary(said)
    assert said.code == 3


# --- containers --------------------------------------------------------------------------------


@pytest.mark.engine
def test_a_label_of_a_strangers_container_is_shown_as_text(live: LiveStack) -> None:
    from live.stack import sleeper

    labels = {
        "com.docker.compose.project": f"{EVIL}\nnext: rm",
        "com.docker.compose.project.working_dir": f"/srv/{EVIL}",
    }
    words = [word for name, value in labels.items() for word in ("--label", f"{name}={value}")]
    live.container("-p", f"127.0.0.1:{live.ports[0]}:80", *words, BUSYBOX, "sleep", "600")
    live.compose({"web": sleeper(f"127.0.0.1:{live.ports[0]}:80")})
    drawn = at_a_terminal(live, "check", "-f", "compose.json", "--no-input")
    assert "of project \\x1b[2J\\x1b]0;title\\x07\\u202e\\nnext: rm" in drawn
    assert "\nnext: rm" not in drawn
    assert only_ours(live.run("check", "-f", "compose.json", "--json").text)


@pytest.mark.engine
def test_logs_keep_their_colours_and_lose_other_control_sequences(live: LiveStack) -> None:
    from live.stack import sleeper, until

    script = (
        "printf '\\033[32mgreen\\033[0m \\033[2J\\033]0;title\\007 end\\n'; "
        f"echo API_TOKEN={CANARY}; echo inline $SOME_SECRET; sleep 600"
    )
    live.compose(
        {
            "web": sleeper(
                command=["sh", "-c", script.replace("$", "$$")], environment={"SOME_SECRET": CANARY}
            )
        }
    )
    live.settings()
    live.up()
    drawn = until(lambda: "inline" in (text := at_a_terminal(live, "prod", "logs")) and text)
    assert "green \\x1b[2J\\x1b]0;title\\x07 end" in drawn
    assert "API_TOKEN=***" in drawn
    assert "inline ***" in drawn
    said = live.run("prod", "logs")
    assert hides_the_canary(said)
    assert "\x1b" not in said.text
    wrong = live.run("prod", "logs", "nobody")
    assert (wrong.code, wrong.out) == (1, "")
    assert "no such service: nobody" in wrong.err


@pytest.mark.engine
def test_a_failed_up_shows_the_end_of_a_log_without_its_secret(
    live: LiveStack,
) -> None:
    from live.stack import sleeper

    script = f"printf 'bad key %s \\033[2J\\n' $$API_KEY; echo postgres://u:{CANARY}@db/x; exit 3"
    live.compose({"app": sleeper(command=["sh", "-c", script], environment={"API_KEY": CANARY})})
    live.settings()
    said = live.run("prod", "up", "--wait-timeout", "12")
    assert said.code == 6
    assert "bad key *** \\x1b[2J" in said.err
    assert hides_the_canary(said)
    document = live.run("prod", "up", "--wait-timeout", "12", "--json")
    assert document.code == 6
    assert CANARY not in document.text
    assert "bad key *** \x1b[2J" in json.dumps(document.document, ensure_ascii=False).replace(
        "\\u001b", "\x1b"
    )


@pytest.mark.engine
def test_a_health_check_is_quoted_without_secret_and_control_character(live: LiveStack) -> None:
    from live.stack import healthy

    check = "printf 'unwell %s \\033[2J' $$CHECK_TOKEN; exit 1"
    live.compose({"sick": healthy(after=check, environment={"CHECK_TOKEN": CANARY})})
    live.settings()
    said = live.run("prod", "up", "--wait-timeout", "60")
    assert said.code == 6
    assert "unwell *** \\x1b[2J" in said.err
    assert hides_the_canary(said)
    drawn = at_a_terminal(live, "doctor")
    assert "unwell *** \\x1b[2J" in drawn
    assert CANARY not in drawn
    report = live.run("doctor", "--report", "incident.md")
    assert hides_the_canary(report)
    written = (live.folder / "incident.md").read_text()
    assert CANARY not in written
    assert only_ours(written)


# --- too much was masked -----------------------------------------------------------------------


@pytest.mark.engine
def test_modes_names_and_addresses_of_an_env_file_are_shown(live: LiveStack) -> None:
    from live.stack import sleeper

    live.listen(live.ports[1])
    (live.folder / ".env").write_text(
        f"APP_MODE=frontend\nPROJECT={live.project}\nBIND=127.0.0.1\n"
        f"SVC_PORT={live.ports[1]}\nDB_USER=frontend\nDB_PASSWORD={CANARY}\n"
    )
    live.compose(
        {"frontend": sleeper(f"127.0.0.1:{live.ports[0]}:80", environment={"MODE": "${APP_MODE}"})}
    )
    live.settings('env_files = [".env"]', environment="dev")
    said = live.run("dev", "up")
    assert said.code == 0
    assert f"Container {live.project}-frontend-1" in said.err
    assert "***" not in said.text
    live.compose({"web": sleeper("${BIND}:${SVC_PORT}:80")}, file="taken.json")
    held = live.run("check", "-f", "taken.json", "--env-file", ".env")
    assert f"127.0.0.1:{live.ports[1]}" in held.out
    assert f"127.0.0.1:{live.ports[1]}" in held.err
    assert "***" not in held.text
    wrong = live.run("check", "-f", "taken.json", "--env-file", ".env", "frontend")
    assert "no such service: frontend" in wrong.err


# --- requests ----------------------------------------------------------------------------------


def site(live: LiveStack) -> None:
    """nginx and an app that does not listen; the log contains a query, a referrer, a header."""
    (live.folder / "nginx.conf").write_text(
        "error_log stderr notice; events {} http { access_log off; "
        "server { listen 80; location / { proxy_pass http://app:5000; } } }"
    )
    environment = {"DATABASE_URL": f"postgres://darts:{CANARY}@db/x", "GREETING": "hello"}
    live.compose(
        {
            "app": {
                "image": BUSYBOX,
                "command": ["sleep", "600"],
                "init": True,
                "stop_grace_period": "0s",
                "environment": environment,
            },
            "web": {
                "image": NGINX,
                "ports": [f"127.0.0.1:{live.ports[0]}:80"],
                "volumes": ["./nginx.conf:/etc/nginx/nginx.conf:ro"],
                "stop_grace_period": "0s",
                "depends_on": ["app"],
            },
        }
    )


def status_of(port: int, path: str, referrer: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path, headers={"Referer": referrer})
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


@pytest.mark.engine
def test_request_lines_lose_query_and_referrer_in_the_diagnosis_and_the_report(
    live: LiveStack,
) -> None:
    from live.stack import until

    site(live)
    live.up()
    until(
        lambda: (
            status_of(live.ports[0], f"/callback?code={CANARY}", f"https://idp.example/{CANARY}")
            == 502
        )
    )
    said = live.run("doctor", "-f", "compose.json", "--report", "incident.md")
    assert said.code == 1
    assert hides_the_canary(said)
    report = (live.folder / "incident.md").read_text()
    assert CANARY not in report
    assert only_ours(report)
    document = live.run(
        "doctor",
        "-f",
        "compose.json",
        "--json",
        "--url",
        f"http://127.0.0.1:{live.ports[0]}/x?access_token={CANARY}",
    )
    assert hides_the_canary(document)
    facts: dict[str, Any] = document.document["facts"]
    assert facts["proxy"]["failures"]
    assert "/x?***" in document.text
