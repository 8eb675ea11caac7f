"""The distributed driver: the core on Kafka, run by Faust."""
