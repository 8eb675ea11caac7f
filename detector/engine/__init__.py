"""What follows from an event, or from time passing: rules compiled, windows kept, alerts made."""
