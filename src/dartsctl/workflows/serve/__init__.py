"""Running a host server."""
