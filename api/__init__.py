"""The service: HTTP in front of the detector, its settings, and the `tiltwatch` command."""
