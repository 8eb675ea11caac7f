"""What the demonstration and `tiltwatch qa` add to a deployment: players, a platform, an aid organisation."""
