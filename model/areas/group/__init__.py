"""The classic consumer group."""
