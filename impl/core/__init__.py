"""The broker's core: what a broker decides, without sockets, files, clocks, randomness or threads.

Time comes in as `now_ms`, ids and the checksum through `Platform`, the disk through `Storage`.
Given the same storage and the same calls, a `Broker` always answers the same.

Duties of the caller:

1. Storage. What `append` took survives the death of this process, what was flushed survives the
   loss of power, and `replace` is all or nothing. The core calls it in the order in which things
   must become true: when a call returns, everything that its outputs promise has been written.
2. One broker per data folder. Nobody else writes to the storage while a `Broker` lives.
3. `handle` is called once for each request, with a `Call` that was not used before. The requests
   of a connection are handed in one at a time: the next after the `Reply` or `NoReply` of the one
   before.
4. Outputs are carried out in order, those of one call before those of the next. A `Reply` for a
   connection that is gone is dropped.
5. `tick` is called at `next_deadline_ms` at the latest, which may be earlier after every call.
   Time never runs backwards.
6. `disconnected` is called once a connection is gone, and its calls are not used afterwards.
7. Records of a request stay unchanged until `handle` returns, records of a reply until the reply
   is on its way: both are views, not copies.
8. `stop` comes last, so that the next start need not check what was written. A broker that is not
   stopped loses nothing but that time.
"""
