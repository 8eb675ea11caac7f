"""The risk score: what it is made of, what would lower it, and how it is told to each reader."""
