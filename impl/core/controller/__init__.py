"""The active controller: the one node that decides what the cluster is, by writing it down."""
