"""Showing alerts: `GET /v1/alerts`."""
