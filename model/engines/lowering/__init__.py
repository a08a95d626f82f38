"""From the typed tree of a machine to numbers and slots, for one scope: what every finite reader
reads.
"""
