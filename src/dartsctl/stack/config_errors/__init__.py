"""Compose's errors about its files, in one sentence each."""
