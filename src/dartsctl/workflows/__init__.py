"""Steps that verbs share."""
