"""The terminal: output, prompts, browser."""
