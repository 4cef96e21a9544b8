"""Who has a dev port, as the lease book describes it."""

from __future__ import annotations

from dartsctl.server.lease_record import LeaseRecord, lease_document


def test_a_secret_in_a_command_is_not_shown() -> None:
    record = LeaseRecord(
        5007, command=("app", "--password=hunter2", "--token", "hunter3", "DB_PASSWORD=hunter4")
    )
    assert record.shown_command == ("app", "--password=***", "--token", "***", "DB_PASSWORD=***")
    assert "hunter" not in str(lease_document(record))
