"""Real Apprise and real servers. Each call is a process of its own."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from dartsctl.alerts.notice import Notice
from dartsctl.edges.notify import channels
from dartsctl.edges.notify.sender import text_for
from dartsctl.errors import UsageError
from fakes.receivers import Receiver, receiver

pytestmark = pytest.mark.once

LOG = "evidence: error=404, timed out, connection refused, SSL, redirect, auth"
NOTICE = Notice("0a1b2c", "failure", "FAILED: web", f"web has ended\n{LOG}", "web ended")
"""Its evidence looks like failures of a channel."""


def test_a_webhook_gets_title_body_and_type() -> None:
    with receiver() as server:
        assert channels.send(server.url("json", "/hook?x=1"), NOTICE) == ""
        assert channels.send(server.url("form"), NOTICE) == ""
    document = json.loads(server.bodies[0])
    assert (document["title"], document["message"]) == (NOTICE.title, NOTICE.body)
    assert document["type"] == "failure"
    assert "title=FAILED%3A+web" in server.bodies[1]


@pytest.mark.parametrize(
    ("mode", "words", "problem"),
    [
        ("500", "", "answers 500"),
        ("leak", "", "answers 500"),
        ("loop", "", "answers 307"),
        ("loop", "&redirect=yes", "redirects in a circle"),
        ("close", "", "closes the connection"),
        ("hang", "&rto=0.3", "does not answer in time"),
        ("big", "", ""),
    ],
)
def test_what_a_receiver_does_is_said_in_our_words(mode: str, words: str, problem: str) -> None:
    with receiver(mode) as server:
        url = server.url("json", f"/tok3n-redirect-ssl-auth-timeout?a=b{words}").replace(
            "://", "://u:hunter2@"
        )
        assert channels.send(url, NOTICE) == problem


def test_a_library_that_hangs_is_ended_at_the_deadline() -> None:
    with receiver("hang") as server:
        began = time.monotonic()
        assert channels.send(server.url(), NOTICE, deadline=1.0) == "does not answer within 1 s"
        assert time.monotonic() - began < 60
        assert children_with(server) == []


def test_the_receipt_gets_the_id_of_what_was_delivered(tmp_path: Path) -> None:
    path = tmp_path / "receipt"
    with receiver("500") as server, path.open("w+") as receipt:
        assert channels.send(server.url(), NOTICE, receipt=receipt.fileno())
        assert path.read_text() == ""
        server.mode = "ok"
        assert channels.send(server.url(), NOTICE, receipt=receipt.fileno()) == ""
        assert path.read_text() == NOTICE.id


linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def children_with(server: Receiver) -> list[str]:
    """Return the command lines and environments of processes that have the receiver's port."""
    matches = []
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                text = (process / name).read_bytes()
            except OSError:
                continue
            if f":{server.port}/".encode() in text and int(process.name) != os.getpid():
                matches.append(f"{process.name} {name}")
    return matches


@linux
def test_no_process_shows_the_url() -> None:
    with receiver("hang") as server:
        sending = threading.Thread(target=channels.send, args=(server.url(), NOTICE))
        sending.start()
        server.wait_until_asked(1)
        assert children_with(server) == []
        server.released.set()
        sending.join()


def test_a_label_has_the_host_only_where_it_is_no_secret() -> None:
    urls = [
        "json://user:hunter2@alerts.example.org:8080/tok3n?x=y",
        "tgram://123456789:abcdefg_hijklmnopqrstuvwxyz012345678/lead2gold/",
        "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
        "mailtos://ops:hunter2@example.org?to=a@example.org",
    ]
    labels = [checked.label for checked in channels.check_urls(urls, sources=["s"] * 4)]
    assert labels[0] == "json://alerts.example.org:8080"
    assert labels[1:3] == ["tgram", "slack"]
    assert labels[3].startswith("mailtos://example.org")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("jsom://secret-host/x", "URL 2: Apprise does not know the scheme jsom://"),
        ("json://", "URL 2: not a complete json:// URL"),
        ("tgram://secret", "URL 2: not a complete tgram:// URL"),
        ("secret", "URL 2: not a notification URL: it has no scheme"),
    ],
)
def test_a_wrong_url_is_named_by_its_position_and_scheme(url: str, message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        channels.check_urls(["json://ok", url], sources=["[watch] notify: URL 1", "URL 2"])
    assert refusal.value.message == message
    assert "secret" not in refusal.value.hint
    assert refusal.value.hint


def test_without_the_extra_the_command_that_installs_it_is_shown() -> None:
    with pytest.raises(UsageError) as refusal:
        channels.require_apprise("URL 1", find=lambda _: None)
    assert refusal.value.message == "URL 1: the library apprise is not installed"
    assert "dartsctl[notify]" in refusal.value.hint


def test_nothing_is_needed_without_a_url() -> None:
    assert channels.check_urls([], sources=[]) == ()


def test_an_sms_gets_the_short_form() -> None:
    assert text_for(140, {"title": "t", "body": "b", "short": "s"}) == ("", "s")
    assert text_for(32768, {"title": "t", "body": "b", "short": "s"}) == ("t", "b")
    long = {"title": "t", "body": "b" * 3000, "short": "s"}
    assert text_for(2000, long) == ("", "s")
