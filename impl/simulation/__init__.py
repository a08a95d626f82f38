"""The second driver of the core: a whole cluster in one thread, in virtual time.

The brokers are the ones that run over TCP. Clock, network and disks are simulated and follow one
seed: messages take time, get lost, come late or twice, nodes lose contact, crash with the loss of
what they had not flushed, stop for a while, or have slow disks. The same seed gives the same run,
byte for byte.
"""
