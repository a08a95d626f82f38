"""Transactions: who may write in one, how it ends, and what every partition is told of it."""
