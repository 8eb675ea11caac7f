"""How the service fares, in numbers, for a monitoring system: `/metrics`."""
