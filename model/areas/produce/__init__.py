"""Acknowledgements and the idempotent producer."""
