"""What `watch` alerts about: problems in, episodes and messages out. No input or output here."""
