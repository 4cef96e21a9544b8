"""RabbitMQ, as the environment describes it. pika is imported only when a broker is used."""

import importlib
import os
from typing import Any


def connect() -> Any:
    """Return an open pika.BlockingConnection. Raises pika.exceptions.AMQPError or OSError."""
    pika = importlib.import_module("pika")
    return pika.BlockingConnection(
        pika.ConnectionParameters(
            host=os.environ["RABBITMQ_HOST"],
            port=int(os.environ.get("RABBITMQ_PORT") or "5672"),
            virtual_host=os.environ.get("RABBITMQ_VHOST") or "/",
            credentials=pika.PlainCredentials(
                os.environ.get("RABBITMQ_USER") or "guest",
                os.environ.get("RABBITMQ_PASSWORD") or "guest",
            ),
            heartbeat=30,
            socket_timeout=3,
            stack_timeout=5,
            blocked_connection_timeout=5,
        )
    )


def exchange(channel: Any) -> str:
    """Declare the topic exchange for scores and return its name."""
    name = os.environ.get("RABBITMQ_EXCHANGE") or "darts_exchange"
    channel.exchange_declare(name, "topic", durable=True)
    return name
