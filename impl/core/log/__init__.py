"""The log of one partition replica: batches, segments, epochs, what producers sent."""
