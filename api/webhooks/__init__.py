"""Messages to partners, the platform and the desk: an outbox, and its delivery."""
