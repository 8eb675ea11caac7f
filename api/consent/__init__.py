"""What players are asked, what they answered, and how they take it back: prompts and consents."""
