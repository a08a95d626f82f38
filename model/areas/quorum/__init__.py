"""The controller quorum."""
