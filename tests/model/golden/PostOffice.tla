---- MODULE PostOffice ----
\* A post office (design: current).
\* Made by brokerspec from its machine 'post-office', at the scope 'default'.
EXTENDS Bags, FiniteSets, Integers, Sequences

CONSTANTS
    Clerk, Heaviest, Room, None

VARIABLES
    counter, trays, shelf, desk, busy, idle, seen, value2

vars == <<counter, trays, shelf, desk, busy, idle, seen, value2>>

\* The element of a sequence at an index from 0 on; past its end, the lowest value.
ElementAt(sequence, index, lowest) ==
    IF index \in 0 .. Len(sequence) - 1 THEN sequence[index + 1] ELSE lowest

\* The first elements of a sequence, at most `length` of them.
UpTo(sequence, length) ==
    IF length < Len(sequence) THEN SubSeq(sequence, 1, length) ELSE sequence

\* All sequences of at most `most` elements of a set.
SequencesOf(set, most) == UNION {[1 .. length -> set] : length \in 0 .. most}

\* The least number of a set; of the empty set, `otherwise`.
Smallest(set, otherwise) ==
    IF set = {} THEN otherwise ELSE CHOOSE n \in set : \A m \in set : n <= m

\* The smaller of two numbers.
Least(one, other) == IF one <= other THEN one ELSE other

\* The larger of two numbers.
Greatest(one, other) == IF one >= other THEN one ELSE other

\* A claim as one condition: TLC takes a bare \/ or \E in an action for several steps.
Holds(claim) == claim = TRUE

Kind == {"LETTER", "PARCEL"}
Weight == -1 .. Heaviest
Item == [kind : Kind, weight : Weight]
Shelf == SequencesOf(Item, Room)
LowestItem == [kind |-> "LETTER", weight |-> -1]

TypeOK ==
    /\ IsABag(counter)
    /\ BagToSet(counter) \subseteq Item
    /\ BagCardinality(counter) <= Room
    /\ DOMAIN trays = Kind
    /\ \A kind \in Kind :
           /\ IsABag(trays[kind])
           /\ BagToSet(trays[kind]) \subseteq Item
           /\ BagCardinality(trays[kind]) <= 1
    /\ shelf \in Shelf
    /\ desk \in [Clerk -> Item]
    /\ busy \in [Clerk -> Kind \cup {None}]
    /\ idle \in SUBSET Clerk
    /\ seen \in [Kind -> BOOLEAN]
    /\ value2 \in Weight

Init ==
    /\ counter = EmptyBag
    /\ trays = [kind \in Kind |-> EmptyBag]
    /\ shelf = <<>>
    /\ desk = [clerk \in Clerk |-> LowestItem]
    /\ busy = [clerk \in Clerk |-> None]
    /\ idle = {clerk \in Clerk : None = None}
    /\ seen = [kind \in Kind |-> FALSE]
    /\ value2 = -1

\* A letter weighs little, and nobody brings what is there already. (STOR-01)
CustomerBrings(kind, weight) ==
    \* has_room
    /\ BagCardinality(counter) < Room
    \* is_light
    /\ kind = "LETTER" => weight < 1
    \* is_new
    /\ /\ ~BagIn([kind |-> kind, weight |-> weight], counter)
       /\ \A item \in BagToSet(counter) : item.kind # kind
    \* is_weighed_or_small
    /\ Holds(0 <= weight \/ kind = "LETTER")
    /\ counter' = counter (+) SetToBag({[kind |-> kind, weight |-> weight]})
    /\ seen' = [kind2 \in Kind |-> seen[kind2] \/ kind2 = kind]
    /\ UNCHANGED <<trays, shelf, desk, busy, idle, value2>>

\* A clerk who is idle takes something from the counter. (STOR-01)
ClerkTakes(clerk, item) ==
    \* is_idle
    /\ clerk \in idle
    /\ counter' = counter (-) SetToBag({item})
    /\ desk' = [desk EXCEPT ![clerk] = item]
    /\ busy' = [busy EXCEPT ![clerk] = item.kind]
    /\ idle' = {clerk2 \in Clerk : (IF clerk2 = clerk THEN item.kind ELSE busy[clerk2]) = None}
    /\ UNCHANGED <<trays, shelf, seen, value2>>

\* What a clerk has is put on the shelf; of what is there only the first thing stays. (STOR-01)
ClerkShelves(clerk) ==
    LET new_shelf ==
            Append(UpTo(shelf, IF busy[clerk] = "PARCEL" THEN Len(shelf) ELSE Len(shelf) - 1),
                   desk[clerk])
    IN  \* has_something
        /\ busy[clerk] # None
        \* has_room
        /\ Holds(Len(shelf) < Room /\ (Len(shelf) = 0 \/ shelf[Len(shelf)] # desk[clerk]))
        /\ shelf' = new_shelf
        /\ desk' = [desk EXCEPT ![clerk].weight = -1, ![clerk].kind = "LETTER"]
        /\ busy' = [busy EXCEPT ![clerk] = None]
        /\ idle' = idle \cup {clerk}
        /\ value2' = Greatest(value2,
                              Least(desk[clerk].weight,
                                    ElementAt(new_shelf, 0, LowestItem).weight))
        /\ UNCHANGED <<counter, trays, seen>>

\* Something on the counter goes straight into a tray, unless a clerk could shelve it. (STOR-01)
PostmanSorts(item) ==
    \* is_the_lightest
    /\ item.weight =
           Smallest({weight \in Weight :
                         \E item2 \in BagToSet(counter) : item2.weight = weight},
                    0)
    \* has_room
    /\ BagCardinality(trays[item.kind]) < 1
    \* nobody_is_idle
    /\ Cardinality(idle) = 0
    /\ counter' = counter (-) SetToBag({item})
    /\ trays' = [trays EXCEPT ![item.kind] = @ (+) SetToBag({item})]
    /\ UNCHANGED <<shelf, desk, busy, idle, seen, value2>>

\* A tray with this is emptied, and what was seen of its kind is forgotten. (STOR-01)
PostmanEmpties(kind, weight) ==
    \* is_there
    /\ BagIn([kind |-> kind, weight |-> weight], trays[kind])
    /\ trays' = [trays EXCEPT ![kind] = @ (-) SetToBag({[kind |-> kind, weight |-> weight]})]
    /\ seen' = [seen EXCEPT ![kind] = FALSE]
    /\ value2' = -1
    /\ UNCHANGED <<counter, shelf, desk, busy, idle>>

Next ==
    \/ \E kind \in Kind : \E weight \in Weight : CustomerBrings(kind, weight)
    \/ \E clerk \in Clerk : \E item \in BagToSet(counter) : ClerkTakes(clerk, item)
    \/ \E clerk \in Clerk : ClerkShelves(clerk)
    \/ \E item \in BagToSet(counter) : PostmanSorts(item)
    \/ \E kind \in Kind : \E weight \in Weight : PostmanEmpties(kind, weight)

Spec == Init /\ [][Next]_vars

\* A clerk is idle or busy. (STOR-01)
WhoIsBusyIsNotIdle == \A clerk \in Clerk : (busy[clerk] = None) = (clerk \in idle)

\* What lies side by side differs. (STOR-01)
TheShelfHasNoTwoNeighboursThatAreEqual == 1 < Len(shelf) => shelf[1] # shelf[2]

\* A parcel is in a tray. (STOR-01)
AParcelIsSorted == \E item \in BagToSet(trays["PARCEL"]) : item.kind = "PARCEL"
NeverAParcelIsSorted == ~AParcelIsSorted

\* There is always a time at which each clerk is idle, or cannot put anything on the shelf.
\* (STOR-01)
FairWhatCanBeShelvedIsShelved == Spec /\ (\A clerk \in Clerk : WF_vars(ClerkShelves(clerk)))
WhatCanBeShelvedIsShelved ==
    []<>(\A clerk \in Clerk :
             \/ clerk \in idle
             \/ Len(shelf) = Room
             \/ ElementAt(shelf, Len(shelf) - 1, LowestItem) = desk[clerk])

\* What stands on the counter does not wait for ever while somebody is idle. (STOR-01)
FairWhatWasBroughtIsTaken ==
    /\ Spec
    /\ WF_vars(\E clerk \in Clerk : ClerkShelves(clerk))
    /\ \A clerk \in Clerk : SF_vars(\E item \in BagToSet(counter) : ClerkTakes(clerk, item))
WhatWasBroughtIsTaken ==
    (0 < BagCardinality(counter) /\ 0 < Cardinality(idle)) ~>
        (BagCardinality(counter) = 0 \/ Cardinality(idle) = 0)

\* A run may end only where this holds; any other state has a next step.
MayEnd == BagCardinality(counter) = 0 /\ (\A clerk \in Clerk : busy[clerk] = None)
NoDeadlock == MayEnd \/ ENABLED Next

===========================
