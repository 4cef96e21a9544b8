"""The score board as server-sent events: the standings first, then each visit as it is recorded."""

import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import flask
from sqlalchemy.exc import SQLAlchemyError

from .board import Board

SILENCE = 15.0
"""Seconds until a comment is sent. nginx closes a silent connection after a minute."""
MOST = 48
"""Streams at once. Each occupies one of gunicorn's 64 threads."""

log = logging.getLogger(__name__)
_free = threading.BoundedSemaphore(MOST)


def answer(board: Board, last_event_id: str | None) -> flask.Response:
    """Return the stream as a response, or 503 if there are too many.

    A browser that reconnects sends the last id, and misses nothing.
    """
    if not _free.acquire(blocking=False):
        return flask.Response(
            "too many streams at once\n", 503, {"Retry-After": "30"}, content_type="text/plain"
        )
    last = int(last_event_id) if last_event_id and last_event_id.isdecimal() else None
    response = flask.Response(
        _until_the_database_goes(events(board, last)), content_type="text/event-stream"
    )
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # nginx: forward each event at once
    response.call_on_close(_free.release)
    return response


def events(board: Board, last: int | None, *, silence: float = SILENCE) -> Iterator[str]:
    """Yield events without end: `board` with the standings, then `visit` for each new visit.

    With a known `last` there is no `board`, and the visits after that id come first.
    """
    count = board.count
    if last is None:
        standings = board.standings()
        last = max((visit["id"] for visit in standings["visits"]), default=0)
        yield _event("board", last, standings)
    while True:
        visits = board.visits_after(last)
        for visit in visits:
            last = visit["id"]
            yield _event("visit", visit["id"], visit)
        if not visits:
            yield ": nothing new\n\n"  # this also detects a client that has gone
        board.wait(count, silence)
        count = board.count


def _until_the_database_goes(stream: Iterator[str]) -> Iterator[str]:
    """End the stream if the database fails.

    The status has been sent already. The browser reconnects by itself.
    """
    try:
        yield from stream
    except SQLAlchemyError as error:
        log.warning("a stream ends: %s", str(error).splitlines()[0])


def _event(name: str, number: int, document: dict[str, Any]) -> str:
    return f"id: {number}\nevent: {name}\ndata: {json.dumps(document)}\n\n"
