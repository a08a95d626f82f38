---- MODULE ReplicationKip320 ----
\* Replication of a partition with KIP-320 fencing (design: kip-320).
\* Made by brokerspec from its machine 'replication', at the scope 'tiny'.
EXTENDS Integers, Sequences

CONSTANTS
    Broker, MaxLeaderEpoch, LogSize, MaxRecords, None

VARIABLES
    replica, controller, notice, next_epoch, next_record_id

vars == <<replica, controller, notice, next_epoch, next_record_id>>

\* The value of an option; where there is none, the lowest one of its type.
OrElse(option, lowest) == IF option = None THEN lowest ELSE option

\* The element of a sequence at an index from 0 on; past its end, the lowest value.
ElementAt(sequence, index, lowest) ==
    IF index \in 0 .. Len(sequence) - 1 THEN sequence[index + 1] ELSE lowest

\* The first elements of a sequence, at most `length` of them.
UpTo(sequence, length) ==
    IF length < Len(sequence) THEN SubSeq(sequence, 1, length) ELSE sequence

\* All sequences of at most `most` elements of a set.
SequencesOf(set, most) == UNION {[1 .. length -> set] : length \in 0 .. most}

\* The greatest number of a set; of the empty set, `otherwise`.
Largest(set, otherwise) ==
    IF set = {} THEN otherwise ELSE CHOOSE n \in set : \A m \in set : m <= n

\* The smaller of two numbers.
Least(one, other) == IF one <= other THEN one ELSE other

\* A claim as one condition: TLC takes a bare \/ or \E in an action for several steps.
Holds(claim) == claim = TRUE

Epoch == 0 .. MaxLeaderEpoch
Offset == 0 .. LogSize
RecordId == 0 .. MaxRecords - 1
Entry == [record_id : RecordId, epoch : Epoch]
Log == SequencesOf(Entry, LogSize)
Replica ==
    [leader : Broker \cup {None},
     leader_epoch : Epoch \cup {None},
     isr : SUBSET Broker,
     high_watermark : Offset,
     log : Log]
Notice == [leader : Broker \cup {None}, isr : SUBSET Broker]
NextEpoch == 0 .. MaxLeaderEpoch + 1
NextRecordId == 0 .. MaxRecords
LowestReplica ==
    [leader |-> None, leader_epoch |-> None, isr |-> {}, high_watermark |-> 0, log |-> <<>>]
LowestNotice == [leader |-> None, isr |-> {}]
LowestEntry == [record_id |-> 0, epoch |-> 0]

TypeOK ==
    /\ replica \in [Broker -> Replica]
    /\ controller \in Notice
    /\ notice \in [Epoch -> Notice]
    /\ next_epoch \in NextEpoch
    /\ next_record_id \in NextRecordId

Init ==
    /\ replica = [broker \in Broker |-> LowestReplica]
    /\ controller = [leader |-> None, isr |-> Broker]
    /\ notice = [epoch \in Epoch |-> LowestNotice]
    /\ next_epoch = 0
    /\ next_record_id = 0

\* The controller makes another member of the ISR the leader, in a new epoch. (ELEC-01, ELEC-03)
ControllerElectsLeader(broker) ==
    \* epochs_are_left
    /\ next_epoch <= MaxLeaderEpoch
    \* is_in_isr
    /\ broker \in controller.isr
    \* is_a_change
    /\ controller.leader # broker
    /\ controller' = [controller EXCEPT !.leader = broker]
    /\ notice' = [notice EXCEPT ![next_epoch] = [leader |-> broker, isr |-> controller.isr]]
    /\ next_epoch' = next_epoch + 1
    /\ UNCHANGED <<replica, next_record_id>>

\* The controller takes a broker out of the ISR; a leader loses its office, but stays in an ISR
\* of which it is the only member. (REPL-08)
ControllerShrinksIsr(broker) ==
    LET new_leader == IF controller.leader = broker THEN None ELSE controller.leader
        new_isr ==
            IF controller.leader = broker /\ controller.isr = {broker}
              THEN controller.isr
              ELSE controller.isr \ {broker}
    IN  \* epochs_are_left
        /\ next_epoch <= MaxLeaderEpoch
        \* leads_or_is_in_isr
        /\ Holds(controller.leader = broker \/ broker \in controller.isr)
        /\ controller' = [controller EXCEPT !.leader = new_leader, !.isr = new_isr]
        /\ notice' = [notice EXCEPT ![next_epoch] = [leader |-> new_leader, isr |-> new_isr]]
        /\ next_epoch' = next_epoch + 1
        /\ UNCHANGED <<replica, next_record_id>>

\* A replica sees the notice that makes it leader; its high watermark is what it was. (ELEC-03)
ReplicaBecomesLeader(epoch) ==
    \* names_a_leader
    /\ notice[epoch].leader # None
    \* is_news
    /\ replica[notice[epoch].leader].leader_epoch # None =>
           replica[notice[epoch].leader].leader_epoch < epoch
    /\ replica' = [replica EXCEPT ![notice[epoch].leader].leader = notice[epoch].leader,
                                  ![notice[epoch].leader].leader_epoch = epoch,
                                  ![notice[epoch].leader].isr = notice[epoch].isr]
    /\ UNCHANGED <<controller, notice, next_epoch, next_record_id>>

\* A broker that believes it leads appends a new record, stamped with its epoch. (REPL-13)
LeaderAcceptsProduce(leader) ==
    \* presumes_leadership
    /\ replica[leader].leader = leader
    \* records_are_left
    /\ next_record_id < MaxRecords
    \* log_has_room
    /\ Len(replica[leader].log) < LogSize
    /\ replica' = [replica EXCEPT ![leader].log =
                                      Append(@,
                                             [record_id |-> next_record_id,
                                              epoch |-> OrElse(replica[leader].leader_epoch,
                                                               0)])]
    /\ next_record_id' = next_record_id + 1
    /\ UNCHANGED <<controller, notice, next_epoch>>

\* The high watermark moves when all of the ISR, the leader among them, follows this epoch and
\* has the record. (REPL-01)
LeaderAdvancesHighWatermark(leader) ==
    \* leader_has_the_record
    /\ replica[leader].high_watermark < Len(replica[leader].log)
    \* isr_follows_this_epoch
    /\ \A broker \in replica[leader].isr :
           /\ replica[leader].leader = leader
           /\ replica[broker].leader = leader
           /\ replica[broker].leader_epoch = replica[leader].leader_epoch
    \* isr_has_the_record
    /\ \A broker \in replica[leader].isr :
           replica[leader].high_watermark < Len(replica[broker].log)
    /\ replica' = [replica EXCEPT ![leader].high_watermark = @ + 1]
    /\ UNCHANGED <<controller, notice, next_epoch, next_record_id>>

\* The leader takes a follower into the ISR that has all that may be committed. What a new
\* leader has for the high watermark may be old, so it must have reached the own epoch.
\* (REPL-05)
LeaderExpandsIsr(leader, follower) ==
    \* is_true_leader
    /\ /\ controller.leader = leader
       /\ replica[leader].leader = leader
       /\ replica[leader].leader_epoch # None
       /\ replica[leader].leader_epoch + 1 = next_epoch
    \* is_not_in_isr
    /\ follower \notin replica[leader].isr
    \* follows_this_epoch
    /\ /\ replica[leader].leader = leader
       /\ replica[follower].leader = leader
       /\ replica[follower].leader_epoch = replica[leader].leader_epoch
    \* reached_high_watermark
    /\ replica[leader].high_watermark <= Len(replica[follower].log)
    \* high_watermark_reached_own_epoch
    /\ Holds(\/ replica[leader].high_watermark = Len(replica[leader].log)
             \/ /\ replica[leader].high_watermark < Len(replica[leader].log)
                /\ replica[leader].log[replica[leader].high_watermark + 1].epoch =
                       replica[leader].leader_epoch)
    /\ replica' = [replica EXCEPT ![leader].isr = @ \cup {follower}]
    /\ controller' = [controller EXCEPT !.isr = replica[leader].isr \cup {follower}]
    /\ UNCHANGED <<notice, next_epoch, next_record_id>>

\* The leader takes a member out of the ISR that does not follow its epoch. (REPL-08)
LeaderRemovesReplicaOfAnotherEpoch(leader, follower) ==
    \* is_true_leader
    /\ /\ controller.leader = leader
       /\ replica[leader].leader = leader
       /\ replica[leader].leader_epoch # None
       /\ replica[leader].leader_epoch + 1 = next_epoch
    \* is_another
    /\ follower # leader
    \* is_in_isr
    /\ follower \in replica[leader].isr
    \* follows_no_more
    /\ ~(/\ replica[leader].leader = leader
         /\ replica[follower].leader = leader
         /\ replica[follower].leader_epoch = replica[leader].leader_epoch)
    /\ replica' = [replica EXCEPT ![leader].isr = @ \ {follower}]
    /\ controller' = [controller EXCEPT !.isr = replica[leader].isr \ {follower}]
    /\ UNCHANGED <<notice, next_epoch, next_record_id>>

\* The leader takes a member out of the ISR that lacks records. (REPL-07)
LeaderRemovesLaggingReplica(leader, follower) ==
    \* is_true_leader
    /\ /\ controller.leader = leader
       /\ replica[leader].leader = leader
       /\ replica[leader].leader_epoch # None
       /\ replica[leader].leader_epoch + 1 = next_epoch
    \* is_another
    /\ follower # leader
    \* is_in_isr
    /\ follower \in replica[leader].isr
    \* lags
    /\ Len(replica[follower].log) < Len(replica[leader].log)
    /\ replica' = [replica EXCEPT ![leader].isr = @ \ {follower}]
    /\ controller' = [controller EXCEPT !.isr = replica[leader].isr \ {follower}]
    /\ UNCHANGED <<notice, next_epoch, next_record_id>>

\* A replica sees a notice of another leader, asks that leader in the same epoch, and cuts what
\* differs. (REPL-12, ELEC-09)
ReplicaBecomesFollower(follower, epoch) ==
    LET the_offset ==
            Largest({offset \in Offset :
                         /\ 0 < offset
                         /\ offset - 1 < Len(replica[notice[epoch].leader].log)
                         /\ offset - 1 < Len(replica[follower].log)
                         /\ replica[notice[epoch].leader].log[offset] =
                                replica[follower].log[offset]},
                    0)
    IN  \* names_a_leader
        /\ notice[epoch].leader # None
        \* is_another
        /\ notice[epoch].leader # follower
        \* is_news
        /\ replica[follower].leader_epoch # None => replica[follower].leader_epoch < epoch
        \* leader_presumes_leadership
        /\ replica[notice[epoch].leader].leader = notice[epoch].leader
        \* leader_reached_this_epoch
        /\ replica[notice[epoch].leader].leader_epoch = epoch
        /\ replica' = [replica EXCEPT ![follower].high_watermark =
                                          Least(the_offset, replica[follower].high_watermark),
                                      ![follower].log = UpTo(replica[follower].log, the_offset),
                                      ![follower].leader = notice[epoch].leader,
                                      ![follower].leader_epoch = epoch,
                                      ![follower].isr = notice[epoch].isr]
        /\ UNCHANGED <<controller, notice, next_epoch, next_record_id>>

\* A follower in its leader's epoch copies the next record and learns the high watermark.
\* (REPL-11, ELEC-09)
FollowerFetches(follower, leader) ==
    LET new_log ==
            Append(replica[follower].log, replica[leader].log[Len(replica[follower].log) + 1])
    IN  \* is_another
        /\ follower # leader
        \* follows_this_epoch
        /\ /\ replica[leader].leader = leader
           /\ replica[follower].leader = leader
           /\ replica[follower].leader_epoch = replica[leader].leader_epoch
        \* leader_has_more
        /\ Len(replica[follower].log) < Len(replica[leader].log)
        /\ replica' = [replica EXCEPT ![follower].log = new_log,
                                      ![follower].high_watermark =
                                          Least(replica[leader].high_watermark, Len(new_log))]
        /\ UNCHANGED <<controller, notice, next_epoch, next_record_id>>

Next ==
    \/ \E broker \in Broker : ControllerElectsLeader(broker)
    \/ \E broker \in Broker : ControllerShrinksIsr(broker)
    \/ \E epoch \in Epoch : ReplicaBecomesLeader(epoch)
    \/ \E leader \in Broker : LeaderAcceptsProduce(leader)
    \/ \E leader \in Broker : LeaderAdvancesHighWatermark(leader)
    \/ \E leader, follower \in Broker : LeaderExpandsIsr(leader, follower)
    \/ \E leader, follower \in Broker : LeaderRemovesReplicaOfAnotherEpoch(leader, follower)
    \/ \E leader, follower \in Broker : LeaderRemovesLaggingReplica(leader, follower)
    \/ \E follower \in Broker : \E epoch \in Epoch : ReplicaBecomesFollower(follower, epoch)
    \/ \E follower, leader \in Broker : FollowerFetches(follower, leader)

Spec == Init /\ [][Next]_vars

\* All members of the ISR that a presumed leader knows hold all records below its high watermark
\* (WeakIsr). (REPL-13)
IsrOfEachLeaderHoldsWhatItCommitted ==
    \A broker \in Broker :
        replica[broker].leader = broker =>
            \A broker2 \in replica[broker].isr :
                \A offset \in Offset :
                    offset < replica[broker].high_watermark =>
                        /\ offset < Len(replica[broker].log)
                        /\ offset < Len(replica[broker2].log)
                        /\ replica[broker].log[offset + 1] = replica[broker2].log[offset + 1]

\* All that may be elected hold all records below the high watermark of any presumed leader
\* (StrongIsr). (REPL-05, REPL-13)
CommittedRecordsSurviveElection ==
    \A broker \in Broker :
        replica[broker].leader = broker =>
            \A broker2 \in controller.isr :
                \A offset \in Offset :
                    offset < replica[broker].high_watermark =>
                        /\ offset < Len(replica[broker].log)
                        /\ offset < Len(replica[broker2].log)
                        /\ replica[broker].log[offset + 1] = replica[broker2].log[offset + 1]

\* A leader that the controller appointed is in the ISR that the controller knows. (ELEC-01)
LeaderIsAMemberOfTheIsr == controller.leader # None => controller.leader \in controller.isr

\* The leader and the controller agree on the ISR while they agree on the leader. (REPL-08)
IsrOfTheTrueLeaderIsTheIsrOfTheController ==
    \A broker \in Broker :
        (/\ controller.leader = broker
         /\ replica[broker].leader = broker
         /\ replica[broker].leader_epoch # None
         /\ replica[broker].leader_epoch + 1 = next_epoch) =>
            replica[broker].isr = controller.isr

\* A high watermark never passes the end of its own log. (REPL-01)
HighWatermarkIsWithinTheLog ==
    \A broker \in Broker : replica[broker].high_watermark <= Len(replica[broker].log)

\* A replica's epoch was given out, and its leader is the leader of that epoch. (ELEC-03)
ReplicasFollowNoticesThatWereIssued ==
    \A broker \in Broker :
        replica[broker].leader_epoch # None =>
            /\ replica[broker].leader_epoch < next_epoch
            /\ replica[broker].leader # None
            /\ replica[broker].leader = notice[replica[broker].leader_epoch].leader

\* A follower in its leader's epoch has the start of the leader's log. (REPL-12)
FollowersInTheirLeadersEpochArePrefixesOfIt ==
    \A broker, broker2 \in Broker :
        (/\ replica[broker].leader = broker
         /\ replica[broker2].leader = broker
         /\ replica[broker2].leader_epoch = replica[broker].leader_epoch) =>
            /\ Len(replica[broker2].log) <= Len(replica[broker].log)
            /\ \A offset \in Offset :
                   offset < Len(replica[broker2].log) =>
                       /\ offset < Len(replica[broker2].log)
                       /\ offset < Len(replica[broker].log)
                       /\ replica[broker2].log[offset + 1] = replica[broker].log[offset + 1]

\* Two logs with the same record at an offset are equal below it (log matching). (REPL-13)
LogsThatShareARecordShareAllBeforeIt ==
    \A broker, broker2 \in Broker :
        \A offset \in Offset :
            (/\ offset < Len(replica[broker].log)
             /\ offset < Len(replica[broker2].log)
             /\ replica[broker].log[offset + 1] = replica[broker2].log[offset + 1]) =>
                \A offset2 \in Offset :
                    offset2 < offset =>
                        /\ offset2 < Len(replica[broker].log)
                        /\ offset2 < Len(replica[broker2].log)
                        /\ replica[broker].log[offset2 + 1] = replica[broker2].log[offset2 + 1]

\* The notices of later epochs name nobody.
AnEpochThatWasNotGivenOutHasNoLeader ==
    \A epoch \in Epoch : next_epoch <= epoch => notice[epoch].leader = None

\* Until the last notice reaches its leader, the controller has the ISR of that notice.
TheIsrStaysUntilTheLeaderTakesOffice ==
    \A epoch \in Epoch :
        (/\ epoch + 1 = next_epoch
         /\ notice[epoch].leader # None
         /\ replica[notice[epoch].leader].leader_epoch # None =>
                replica[notice[epoch].leader].leader_epoch < epoch) =>
            controller.isr = notice[epoch].isr

\* A record's epoch is not above that of its replica, and its identity was given out.
RecordsAreOfEpochsAndIdentitiesThatWereUsed ==
    \A broker \in Broker :
        \A offset \in Offset :
            offset < Len(replica[broker].log) =>
                /\ replica[broker].log[offset + 1].record_id < next_record_id
                /\ replica[broker].leader_epoch # None
                /\ replica[broker].log[offset + 1].epoch <= replica[broker].leader_epoch

\* The leader that a replica follows is in the replica's epoch, or past it.
LeadersOfFollowersHaveReachedTheirEpoch ==
    \A broker \in Broker :
        replica[broker].leader # None =>
            ~(replica[replica[broker].leader].leader_epoch # None =>
                  replica[replica[broker].leader].leader_epoch <
                      OrElse(replica[broker].leader_epoch, 0))

\* Some leader of a later epoch than the first has committed a record of its own. (REPL-01)
ARecordIsCommittedInALaterEpoch ==
    \E broker \in Broker :
        /\ replica[broker].leader = broker
        /\ 0 < replica[broker].high_watermark
        /\ 0 < ElementAt(replica[broker].log,
                         replica[broker].high_watermark - 1,
                         LowestEntry).epoch
NeverARecordIsCommittedInALaterEpoch == ~ARecordIsCommittedInALaterEpoch

\* Two replicas hold different records at the start of their logs: truncation has something to
\* do. (REPL-12)
TwoLogsDifferAtOneOffset ==
    \E broker, broker2 \in Broker :
        /\ Len(replica[broker].log) # 0
        /\ Len(replica[broker2].log) # 0
        /\ replica[broker].log[1] # replica[broker2].log[1]
NeverTwoLogsDifferAtOneOffset == ~TwoLogsDifferAtOneOffset

\* A leader that was replaced does not know it yet. (ELEC-03)
TwoBrokersPresumeLeadership ==
    \E broker, broker2 \in Broker :
        broker # broker2 /\ replica[broker].leader = broker /\ replica[broker2].leader = broker2
NeverTwoBrokersPresumeLeadership == ~TwoBrokersPresumeLeadership

\* When the epochs of the scope are used up, the last leader's log comes to be that of all
\* replicas, and committed; or there is no leader. (REPL-05, REPL-13)
FairReplicasEndUpEqualOnceLeadersChangeNoMore ==
    /\ Spec
    /\ \A epoch \in Epoch : WF_vars(ReplicaBecomesLeader(epoch))
    /\ \A follower \in Broker :
           WF_vars(\E epoch \in Epoch : ReplicaBecomesFollower(follower, epoch))
    /\ \A follower \in Broker :
           WF_vars(\E leader \in Broker : FollowerFetches(follower, leader))
    /\ \A leader \in Broker : WF_vars(LeaderAdvancesHighWatermark(leader))
    /\ \A leader \in Broker :
           \A follower \in Broker : WF_vars(LeaderExpandsIsr(leader, follower))
ReplicasEndUpEqualOnceLeadersChangeNoMore ==
    []<>(controller.leader # None =>
             \E broker \in Broker :
                 /\ controller.leader = broker
                 /\ replica[broker].leader = broker
                 /\ replica[broker].leader_epoch # None
                 /\ replica[broker].leader_epoch + 1 = next_epoch
                 /\ controller.isr = Broker
                 /\ replica[broker].high_watermark = Len(replica[broker].log)
                 /\ \A broker2 \in Broker : replica[broker2].log = replica[broker].log)

==================================
