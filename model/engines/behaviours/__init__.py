"""Runs without end: the state graph, and the claims about what happens sooner or later."""
