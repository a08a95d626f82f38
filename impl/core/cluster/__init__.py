"""What the cluster consists of, and how that changes: topics, their options, the metadata log."""
