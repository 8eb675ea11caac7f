"""What the platform is asked to do, and its answers: `/v1/interventions`."""
