"""The thresholds of the episodes."""

from __future__ import annotations

from dartsctl.records import record


@record
class Rules:
    """Times in seconds. The settings' `[watch]` may change some of them."""

    open_after: float = 20.0
    """How long looks must see a problem until it is an alert; an exit needs no time."""
    understand_within: float = 5.0
    """How long an exit waits for the look that knows its cause."""
    close_after: float = 15.0
    """How long nothing must be wrong until it has recovered. A look has to confirm it."""
    change_after: float = 10.0
    """How long looks must see another cause until an open episode has it."""
    follow_for: float = 75.0
    """How long a dependent may take after its root is well: the engine waits up to 60 s until it
    starts a container again that has ended several times."""
    rewording_after: float = 60.0
    """Between two messages that only word the same cause in another way."""
    remind: float = 0.0
    """Between two reminders of what stays open; 0: none."""
    escalate_after: float = 0.0
    """Until the second channel is told; 0: never."""
    flap_within: float = 600.0
    """A failure so soon after a recovery continues the episode."""
    flaps: int = 3
    """So many failures make a subject a flapping one."""
    longest_close: float = 300.0
    """Up to this the closing threshold doubles with every return."""
    settle_after: float = 3.0
    """How long after the end of a dartsctl verb exits still belong to it."""
    gather: float = 2.0
    """How long alerts of a storm wait for each other."""
    storm: int = 5
    """More messages than this in `storm_window` become one summary."""
    storm_window: float = 30.0
    away_after: float = 60.0
    """After so long without an observation, what was only suspected is suspected anew."""
