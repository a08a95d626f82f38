"""How records leave a log."""
