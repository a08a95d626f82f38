"""Replication of one partition: the design of today, its proof, and the designs of the past."""
