"""One verb a file: the story of a command, top to bottom. Only here domain and edges meet; verbs do not import each other."""
