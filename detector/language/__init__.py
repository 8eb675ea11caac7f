"""The rule language: reads, types and checks the YAML files in which analysts write their rules."""
