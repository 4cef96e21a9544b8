"""Write scores that arrive over RabbitMQ to the board, in one thread that survives failures."""

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
    """Start the consumer, if RABBITMQ_HOST is set."""
    if os.environ.get("RABBITMQ_HOST"):
        log.setLevel(logging.INFO)
        log.addHandler(logging.StreamHandler())
        # pika logs each refused connection in about ten lines
        logging.getLogger("pika").setLevel(logging.CRITICAL)
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
            except Exception as error:  # the next round starts from scratch
                pause = 1 if self.state == "connected" else min(pause * 2, 5)
                self.state = "reconnecting"
                reason = f"{type(error).__name__} {error}".strip().splitlines()[0]
                log.warning("no scores from RabbitMQ (%s); again in %s s", reason, pause)
                time.sleep(pause)

    def _consume(self) -> None:
        connection = broker.connect()
        try:
            channel = connection.channel()
            channel.queue_declare(QUEUE, durable=True)  # keeps scores while this app is down
            channel.queue_bind(
                QUEUE, broker.exchange(channel), os.environ.get("RABBITMQ_TOPIC") or "darts.#"
            )
            channel.basic_qos(prefetch_count=10)
            self.state = "connected"
            log.info("waiting for scores")
            for delivery, properties, body in channel.consume(QUEUE):
                # A failure closes the connection, and unacknowledged messages are delivered again.
                self._write(body, properties.message_id)
                channel.basic_ack(delivery.delivery_tag)
        finally:
            if connection.is_open:
                connection.close()

    def _write(self, body: bytes, message_id: Any) -> None:
        try:
            score = Score.of(json.loads(body))
        except (BadScore, ValueError) as mistake:  # it would fail forever: log and drop it
            log.warning("dropped a message that is no score: %s", mistake)
            return
        self._board.record(score, source="rabbitmq", message_id=message_id)
