"""What leaves for an aid organisation, and what comes back: `/v1/referrals`."""
