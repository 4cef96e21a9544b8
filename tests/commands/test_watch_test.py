"""`watch test` through the real Apprise to real receivers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fakes.receivers import Receiver, receiver

if TYPE_CHECKING:
    from live.in_process import RunHere

pytest_plugins = ("live.stack", "live.in_process")

pytestmark = pytest.mark.once


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "compose.yml").write_text("services:\n  web:\n    image: web\n")
    (folder / "compose.prod.yml").write_text("services:\n  web:\n    image: web\n")
    return folder


def settings(project: Path, text: str) -> None:
    (project / "dartsctl.toml").write_text(f"[watch]\n{text}\n")


def secret_url(server: Receiver) -> str:
    return server.url("json", "/tok3n-tok3n-tok3n").replace("://", "://ops:hunter2-hunter2@")


def test_it_sends_through_every_channel_and_says_which_failed(
    run_here: RunHere, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver() as good, receiver("leak") as broken, receiver() as second:
        monkeypatch.setenv("ALERT_URL", secret_url(broken))
        secret = project / "second-url"
        secret.write_text(f"{secret_url(second)}\n")
        secret.chmod(0o600)
        (project / ".env").write_text("HOOK_PASSWORD=hunter2-hunter2\n")
        first = f"json://ops:${{HOOK_PASSWORD}}@127.0.0.1:{good.port}/tok3n-tok3n-tok3n"
        settings(project, f'notify = ["{first}", "${{ALERT_URL}}"]\nescalate = ["file:second-url"]')
        said = run_here(project, "watch", "test")
    assert said.code == 1, said.err
    delivered = re.compile(r"\S+ +\S+  delivered in \d+\.\d s")
    first_line, broken_line, second_line, last_line = said.out.splitlines()
    assert first_line.startswith(f"notify    json://127.0.0.1:{good.port}  ")
    assert second_line.startswith(f"escalate  json://127.0.0.1:{second.port}  ")
    assert all(map(delivered.fullmatch, (first_line, second_line)))
    assert broken_line == f"notify    json://127.0.0.1:{broken.port}  FAILED: it answers 500"
    assert last_line == "1 of 3 channels failed"
    assert good.bodies == second.bodies
    assert "TEST: prod" in good.bodies[0]
    assert "hunter2" not in said.out + said.err
    assert "tok3n" not in said.out + said.err


def test_all_delivered_is_success(run_here: RunHere, project: Path) -> None:
    with receiver() as good:
        settings(project, 'notify = ["json://the-one-in-use.invalid"]')
        said = run_here(project, "watch", "test", "--json", "--notify", secret_url(good))
    assert said.code == 0, said.err
    document = said.document
    assert (document["ok"], document["exit_code"]) == (True, 0)
    assert document["message"] in good.bodies[0]
    (row,) = document["channels"]
    assert row.pop("seconds") > 0
    assert row == {
        "role": "notify",
        "channel": f"json://127.0.0.1:{good.port}",
        "delivered": True,
        "problem": None,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no channels to test"),
        ('notify = ["json://ok", "jsom://s3cret"]', "[watch] notify: URL 2: Apprise does not know"),
        ('escalate = ["${S3CRET_URL}"]', "[watch] escalate: URL 1: the variable S3CRET_URL is not"),
        ('notify = ["file:public"]', "public is accessible to all users (mode 0644)"),
        ('notify = ["file:none"]', "none: No such file or directory"),
        ('notify = ["file:."]', "it is a folder"),
    ],
)
def test_a_wrong_setting_is_refused(
    run_here: RunHere, project: Path, text: str, message: str
) -> None:
    public = project / "public"
    public.write_text("json://s3cret\n")
    public.chmod(0o644)
    settings(project, text)
    said = run_here(project, "watch", "test")
    assert said.code == 2
    assert message in said.err
    assert "s3cret" not in said.err
    assert "hint: " in said.err or "next: " in said.err


def test_a_dry_run_names_the_channels_and_sends_nothing(run_here: RunHere, project: Path) -> None:
    with receiver() as good:
        words = ("watch", "test", "--dry-run", "--notify", secret_url(good))
        said = run_here(project, *words)
        document = run_here(project, *words, "--json").document
    channel = f"json://127.0.0.1:{good.port}"
    assert (said.code, said.out) == (0, f"would send a test to notify {channel}\n")
    assert (document["dry_run"], document["message"]) == (True, None)
    assert document["channels"] == [{"role": "notify", "channel": channel}]
    assert not good.bodies
