"""One verb per file, as named steps from top to bottom. Verbs do not import each other."""
