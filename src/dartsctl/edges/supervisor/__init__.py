"""The process between dartsctl and a host server."""
