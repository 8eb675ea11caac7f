"""Another platform's messages become events by a file, one for each foreign source, without code."""
