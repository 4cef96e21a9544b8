"""Problems from what was examined or read: whose each is, how it is said, how bad it is."""
