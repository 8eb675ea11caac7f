"""The service in front of Kafka and behind it: what it sends there, and what it takes over from there."""
