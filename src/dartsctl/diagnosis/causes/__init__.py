"""The causes that `doctor` knows, one module each; all_causes.py lists them."""
