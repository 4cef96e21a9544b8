"""The sources of `watch`: one module each, listed in all_sources.py."""
