"""Whether it lives and works: `/healthz`, `/readyz`."""
