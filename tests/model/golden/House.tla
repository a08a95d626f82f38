---- MODULE House ----
\* A house (design: current).
\* Made by brokerspec from its machine 'house', at the scope 'default'.
EXTENDS Integers

CONSTANTS
    Room, Jug

VARIABLES
    lit, visited

vars == <<lit, visited>>

Level == 0 .. Jug

TypeOK == lit \in [Room -> Level] /\ visited \in SUBSET Room

Init ==
    /\ lit = [room \in Room |-> 0]
    /\ visited = {} \ {}

\* Somebody enters a room and switches the light on. (STOR-01)
Enter(room) ==
    \* is_new
    /\ room \notin visited
    /\ lit' = [lit EXCEPT ![room] = @ + 1]
    /\ visited' = visited \cup {room}

Next == \E room \in Room : Enter(room)

Spec == Init /\ [][Next]_vars

\* No light is switched on twice, and only where somebody was. (STOR-01)
LitOnce == \A room \in Room : lit[room] <= 1 /\ (room \in visited) = (lit[room] = 1)

======================
