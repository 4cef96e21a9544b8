"""Notification channels: Apprise, in a process of its own for each message."""
