"""The KRaft quorum: who leads the metadata log, and what of it is committed."""
