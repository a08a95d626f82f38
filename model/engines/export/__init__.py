"""What other tools and people may want of a machine: a TLA+ module, a trace as ITF, a picture."""
