"""Alerts, and the work on them: `/v1/alerts`."""
