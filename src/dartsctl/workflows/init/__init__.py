"""Preparing a project."""
