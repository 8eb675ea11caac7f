"""Cohort tables: where a player's quantity stands among those of other players."""
