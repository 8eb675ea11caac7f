"""`Idempotency-Key`: a request that is sent twice happens once."""
