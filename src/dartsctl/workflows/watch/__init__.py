"""Watching a stack: sources, the loop, outputs."""
