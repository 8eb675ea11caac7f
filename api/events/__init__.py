"""Taking events in: `POST /v1/events`."""
