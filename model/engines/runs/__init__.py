"""Single runs of a machine: as a person reads them, done again, made at random, shrunk."""
