"""The detector's commands; `api.cli` gathers them under one name."""
