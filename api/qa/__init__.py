"""`tiltwatch qa`: a whole deployment tried out from outside, step by step."""
