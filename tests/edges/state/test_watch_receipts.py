from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dartsctl.edges.state.watch_receipts import Receipts


def taken(receipts: Receipts, channel: str = "notify json://a") -> str:
    with receipts.of(channel) as receipt:
        return receipt.message


def take(receipts: Receipts, message: str, channel: str = "notify json://a") -> None:
    with receipts.of(channel) as receipt:
        assert receipt.descriptor is not None
        os.pwrite(receipt.descriptor, message.encode(), 0)


def test_each_channel_has_its_own_last_message(tmp_path: Path) -> None:
    receipts = Receipts(tmp_path, "shop")
    assert taken(receipts) == ""
    take(receipts, "0a1b2c")
    assert taken(Receipts(tmp_path, "shop")) == "0a1b2c"
    assert taken(receipts, "notify json://b") == ""
    assert taken(Receipts(tmp_path, "other")) == ""


def test_a_channel_is_sent_to_by_one_process_at_a_time(tmp_path: Path) -> None:
    first, second = Receipts(tmp_path, "shop"), Receipts(tmp_path, "shop")
    with first.of("a"), second.of("a") as receipt, second.of("b") as other:
        assert (receipt.is_busy, other.is_busy) == (True, False)
    with second.of("a") as receipt:
        assert not receipt.is_busy


WATCH = """
import os, subprocess, sys, time
from pathlib import Path
from dartsctl.edges.state.watch_receipts import Receipts
with Receipts(Path(sys.argv[1]), "shop").of("a") as receipt:
    number = receipt.descriptor
    sender = f"import os, sys; sys.stdin.read(); os.pwrite({number}, b'0a1b2c', 0)"
    subprocess.Popen([sys.executable, "-c", sender], pass_fds=[number], stdin=0)
    print("sends", flush=True)
    time.sleep(300)
"""


@pytest.mark.once
def test_what_the_process_of_a_killed_watch_sends_is_seen_by_the_next_one(tmp_path: Path) -> None:
    watch = subprocess.Popen(
        [sys.executable, "-c", WATCH, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert watch.stdin is not None
    assert watch.stdout is not None
    with watch.stdin, watch.stdout:
        assert watch.stdout.readline() == b"sends\n"
        watch.send_signal(signal.SIGKILL)
        watch.wait()
        receipts = Receipts(tmp_path, "shop")
        with receipts.of("a") as receipt:
            assert receipt.is_busy
        watch.stdin.close()  # the sender goes on
        watch.stdout.read()  # until it has ended
    assert taken(receipts, "a") == "0a1b2c"


def test_without_a_folder_there_is_no_receipt_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "watch").write_text("a file where a folder should be")
    with Receipts(tmp_path, "shop").of("a") as receipt:
        assert (receipt.descriptor, receipt.is_busy, receipt.message) == (None, False, "")


def test_a_damaged_receipt_is_no_message(tmp_path: Path) -> None:
    receipts = Receipts(tmp_path, "shop")
    with receipts.of("a") as receipt:
        assert receipt.descriptor is not None
        os.pwrite(receipt.descriptor, b"\xff\0" * 5000, 0)
    assert len(taken(receipts, "a")) <= 64
