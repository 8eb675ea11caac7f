"""How fast and how small tiltwatch is, with peers beside it in the same run."""
