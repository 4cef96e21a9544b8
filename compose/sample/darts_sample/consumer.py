"""Scores that arrive over RabbitMQ, written to the board by one thread that outlives every failure of the broker or the database."""

import json
import logging
import os
import threading
import time
from typing import Any

import flask

from . import broker
from .board import Board
from .score import BadScore, Score

QUEUE = "darts.scores"

log = logging.getLogger(__name__)


def start_consumer(app: flask.Flask) -> None:
    """Does nothing without RABBITMQ_HOST."""
    if os.environ.get("RABBITMQ_HOST"):
        log.setLevel(logging.INFO)
        log.addHandler(logging.StreamHandler())
        logging.getLogger("pika").setLevel(
            logging.CRITICAL
        )  # it logs each refused connection as some ten lines
        app.extensions["consumer"] = consumer = Consumer(app.extensions["board"])
        consumer.start()


class Consumer(threading.Thread):
    def __init__(self, board: Board) -> None:
        super().__init__(name="score-consumer", daemon=True)
        self.state = "connecting"
        self._board = board

    def run(self) -> None:
        pause = 1
        while True:
            try:
                self._consume()
            except Exception as error:  # whatever it was, the next round starts from nothing
                pause = 1 if self.state == "connected" else min(pause * 2, 5)
                self.state = "reconnecting"
                reason = f"{type(error).__name__} {error}".strip().splitlines()[0]
                log.warning("no scores from RabbitMQ (%s); again in %s s", reason, pause)
                time.sleep(pause)

    def _consume(self) -> None:
        connection = broker.connect()
        try:
            channel = connection.channel()
            channel.queue_declare(QUEUE, durable=True)  # scores wait in it while this app is away
            channel.queue_bind(
                QUEUE, broker.exchange(channel), os.environ.get("RABBITMQ_TOPIC") or "darts.#"
            )
            channel.basic_qos(prefetch_count=10)
            self.state = "connected"
            log.info("waiting for scores")
            for delivery, properties, body in channel.consume(QUEUE):
                self._write(
                    body, properties.message_id
                )  # a failure closes the connection: what is not acknowledged comes again
                channel.basic_ack(delivery.delivery_tag)
        finally:
            if connection.is_open:
                connection.close()

    def _write(self, body: bytes, message_id: Any) -> None:
        try:
            score = Score.of(json.loads(body))
        except (BadScore, ValueError) as mistake:  # it would fail for ever: say so and let it go
            log.warning("dropped a message that is no score: %s", mistake)
            return
        self._board.record(score, source="rabbitmq", message_id=message_id)
