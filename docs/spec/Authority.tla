------------------------------ MODULE Authority ------------------------------
(* That authority has ended before anybody has waited it out. One owner with its heartbeats, etcd, and one node that wants to take over
   cold. What is proved is Over: once the shard was taken over, the owner answers nothing any more. Ownership.tla builds on that: there a
   cold take-over simply finds that the deadline has passed.

   Time is real time, in ticks. Clock rates differ by less than the margins: a heartbeat lets its owner answer for at most Answers
   ticks, A (1 - rho) - delta on the slowest clock that is allowed, and the other waits at least Waits, A (1 + rho) + delta on the
   fastest. Requests and answers take any time, or are lost; anybody may be paused; the watch may miss that a key came and went.      *)
EXTENDS Integers, FiniteSets

CONSTANTS Answers, Waits, End, LastLease, InFlightMax, Off
Rules == {"margin", "sent before", "writes", "heartbeat compared", "passed is passed", "continuously"}
ASSUME Off \subseteq Rules /\ Waits > Answers
On(rule) == rule \notin Off

VARIABLES
  now,
  owns,       \* the owner has its roles
  deadline,   \* until when it may answer
  lease,      \* of its session, as it knows
  used,       \* leases that were granted
  key,        \* etcd: the lease of the owner's key, or NoKey
  calls,      \* the owner's transactions in flight
  answers,    \* answers to those that succeeded, in flight
  since, evidence,   \* who waits: since when the owner is gone, or Never; whether the heartbeat that it saw is the Last one, or Past
  taking,     \* its transaction in flight: whether the heartbeat that it compares is the Last one, or Past; or Never
  taken
vars == <<now, owns, deadline, lease, used, key, calls, answers, since, evidence, taking, taken>>
NoKey == 0
Never == -1
Last == 1
Past == 0

Init == /\ now = 0 /\ owns = TRUE /\ deadline = Answers /\ lease = 1 /\ used = 1 /\ key = 1
        /\ calls = {} /\ answers = {} /\ since = Never /\ evidence = Never /\ taking = Never /\ taken = FALSE

Tick == now < End /\ now' = now + 1
        /\ UNCHANGED <<owns, deadline, lease, used, key, calls, answers, since, evidence, taking, taken>>

----------------------------------------------------------------------------
(* The owner. Whatever it does, it looks at its deadline first. *)

HasTime == owns /\ now < deadline

Beat ==   \* compares its lease, and writes
  /\ HasTime /\ Cardinality(calls) + Cardinality(answers) < InFlightMax
  /\ calls' = calls \cup {[renews |-> FALSE, lease |-> lease, sent |-> now]}
  /\ UNCHANGED <<now, owns, deadline, lease, used, key, answers, since, evidence, taking, taken>>

Renew ==   \* its key is gone: another lease, and the key again in a transaction that compares it absent; counts as a heartbeat
  /\ HasTime /\ Cardinality(calls) + Cardinality(answers) < InFlightMax /\ used < LastLease
  /\ used' = used + 1
  /\ calls' = calls \cup {[renews |-> TRUE, lease |-> used + 1, sent |-> now]}
  /\ UNCHANGED <<now, owns, deadline, lease, key, answers, since, evidence, taking, taken>>

\* On time, or too late: behind the deadline somebody may have taken over, so an answer does not bring it back.
Hear(a) ==
  /\ owns /\ answers' = answers \ {a}
  /\ IF On("passed is passed") /\ now >= deadline
     THEN owns' = FALSE /\ UNCHANGED <<deadline, lease>>
     ELSE LET until == (IF On("sent before") THEN a.sent ELSE now) + Answers IN
          /\ deadline' = IF until > deadline THEN until ELSE deadline
          /\ lease' = a.lease
          /\ UNCHANGED owns
  /\ UNCHANGED <<now, used, key, calls, since, evidence, taking, taken>>

GiveUp == owns /\ now >= deadline /\ owns' = FALSE
          /\ UNCHANGED <<now, deadline, lease, used, key, calls, answers, since, evidence, taking, taken>>

----------------------------------------------------------------------------
(* etcd *)

Passed(heartbeat) == IF heartbeat = Last THEN Past ELSE heartbeat

Succeeds(c) ==
  /\ calls' = calls \ {c}
  /\ answers' = answers \cup {[lease |-> c.lease, sent |-> c.sent]}
  /\ IF ~c.renews /\ ~On("writes") THEN UNCHANGED <<key, evidence, taking>>   \* a read, which a stale member may answer
     ELSE /\ IF c.renews THEN key = NoKey ELSE key = c.lease
          /\ key' = c.lease
          /\ evidence' = Passed(evidence) /\ taking' = Passed(taking)
  /\ UNCHANGED <<now, owns, deadline, lease, used, since, taken>>

IsLost(m) == calls' = calls \ {m} /\ answers' = answers \ {m}
             /\ UNCHANGED <<now, owns, deadline, lease, used, key, since, evidence, taking, taken>>

LeaseEnds == key # NoKey /\ key' = NoKey   \* at any time, even early
             /\ UNCHANGED <<now, owns, deadline, lease, used, calls, answers, since, evidence, taking, taken>>

----------------------------------------------------------------------------
(* Who waits *)

Look ==
  /\ ~taken
  /\ IF key # NoKey THEN since' = Never /\ evidence' = Never
     ELSE IF since # Never /\ (evidence = Last \/ ~On("continuously")) THEN UNCHANGED <<since, evidence>>
     ELSE since' = now /\ evidence' = Last
  /\ UNCHANGED <<now, owns, deadline, lease, used, key, calls, answers, taking, taken>>

Take ==
  /\ taking = Never /\ ~taken /\ since # Never
  /\ now >= since + (IF On("margin") THEN Waits ELSE Answers - 1)
  /\ taking' = IF On("continuously") THEN evidence ELSE Last
  /\ UNCHANGED <<now, owns, deadline, lease, used, key, calls, answers, since, evidence, taken>>

TakeEnds ==
  /\ taking # Never /\ taking' = Never
  /\ taken' = (key = NoKey /\ (On("heartbeat compared") => taking = Last))
  /\ UNCHANGED <<now, owns, deadline, lease, used, key, calls, answers, since, evidence>>

Step == \/ Tick \/ Beat \/ Renew \/ GiveUp \/ LeaseEnds \/ Look \/ Take \/ TakeEnds
        \/ \E c \in calls : Succeeds(c)
        \/ \E a \in answers : Hear(a)
        \/ \E m \in calls \cup answers : IsLost(m)
Spec == Init /\ [][Step]_vars

Over == taken => ~HasTime
=============================================================================
