"""A small aid organisation, to try things with.

It knows the partner protocol (docs/partner-protocol.md) and nothing of how tiltwatch is built: that it works
shows that the protocol says enough.
"""
