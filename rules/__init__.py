"""Nothing but a name: it makes the rule files package data. What they mean is in detector.language."""
