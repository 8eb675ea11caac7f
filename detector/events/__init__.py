"""Events: the typed vocabulary, its strict decoding, money and instants."""
