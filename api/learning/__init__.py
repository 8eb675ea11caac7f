"""Learning while it runs: verdicts become labels, and a trainer hears what detectors hand out."""
