"""Partitions as clients see them: produce, fetch, offsets."""
