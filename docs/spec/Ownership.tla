------------------------------ MODULE Ownership ------------------------------
(* Who may admit: one shard, one client, three nodes, and everything that can go wrong between them. What is proved is Safe: in no
   window are more than Limit admissions answered. README.md says what is modelled and how to run it.

   There is no clock in it. That authority ends before anybody has waited it out is proved in Authority.tla; here a deadline may
   pass at any time (DeadlinePasses), and who takes over cold finds that it has. A window ends at any time too (WindowEnds), and the
   counters of the window before are forgotten: an answer that leaves later could have left before.

   Frames and acknowledgements are lost (never received), late, reordered, and sent twice without effect. A frame carries the whole
   counter, so that a later one contains the earlier ones.                                                                           *)
EXTENDS Integers, FiniteSets, TLC

CONSTANTS Node, First,     \* the nodes, and the one that owns the shard at first
          Nobody,
          Limit,           \* admissions in a window
          LastEpoch, LastWindow, Kills, Losses, Lapses,   \* bounds: kill -9, a lost disk, a passed deadline
          Steps,           \* which of AllSteps may be taken, besides those that always may
          Off              \* which of Rules are switched off

AllSteps == {"drop", "handoff", "give", "replace", "partial"}
Rules == {"fence", "deadline", "ack deadline", "in sync", "joint", "joint kept", "acknowledged", "journal", "cold wait",
          "cold wait follower", "exhausted", "cold kept", "marker", "whole marker", "promise at start", "generation", "drop known",
          "freeze", "final frame", "settle", "never written", "learner acks", "learner kept", "follower acks"}
ASSUME Steps \subseteq AllSteps /\ Off \subseteq Rules
On(rule) == rule \notin Off

VARIABLES
  record,    \* in etcd: epoch, owner, follower (holders), inSync, cold
  requests,  \* transactions in flight that compare the record as it is; the others cannot happen any more
  life,      \* node -> number of its process lifetime; a holder is a node in one lifetime, and `life` is the generation
  ahead,     \* node -> its authority deadline is ahead
  promise,   \* node -> durable: it refuses lower epochs
  copy,      \* node -> durable: count of the window, held (epoch of the marker), wanted (the ownership about to be taken)
  owning,    \* node -> what it knows as owner, or Nobody
  frames, acks,
  window, admitted,   \* admissions answered in this window, by all nodes together
  faults,    \* what the bounds have left
  vow,       \* ghost: node -> the highest epoch that it ever promised, or read at a start
  broken     \* ghost: which promises of the protocol besides Safe were broken
vars == <<record, requests, life, ahead, promise, copy, owning, frames, acks, window, admitted, faults, vow, broken>>

Max(a, b) == IF a > b THEN a ELSE b
Me(n) == [node |-> n, life |-> life[n]]
Same(h, g) == IF On("generation") THEN h = g ELSE h # Nobody /\ g # Nobody /\ h.node = g.node
Nothing == [epoch |-> 0, life |-> 0, exhausted |-> FALSE]   \* of what is wanted
NoAck == -1

----------------------------------------------------------------------------
(* Frames, acknowledgements, answers *)

Seat(epoch, follower, inSync, count) ==   \* what an owner knows when it begins an epoch
  [epoch |-> epoch, follower |-> follower, inSync |-> inSync,
   joint |-> FALSE,                       \* it requires the follower's acks, though not known to be in sync
   acked |-> NoAck,                       \* the follower has acknowledged this count in this epoch
   learner |-> Nobody, both |-> FALSE, learnerAcked |-> NoAck,   \* the same of a learner outside the record
   asked |-> "",                          \* which request of its own it does not know the outcome of
   frozen |-> FALSE, written |-> TRUE, answered |-> count]

Stream(n, seat, count) ==   \* the owner's state is on its way to the follower and the learner
  frames \cup {[epoch |-> seat.epoch, from |-> Me(n), to |-> h, count |-> count, seeds |-> ~(seat.inSync /\ h = seat.follower)] :
               h \in {seat.follower, seat.learner} \ {Nobody}}

Decide(n) ==   \* at once, against the owner's own state; into the open frame
  /\ owning[n] # Nobody /\ copy[n].count < Limit
  /\ On("freeze") => ~owning[n].frozen
  /\ copy' = [copy EXCEPT ![n].count = @ + 1]
  /\ owning' = [owning EXCEPT ![n].written = TRUE]
  /\ frames' = Stream(n, owning[n], copy[n].count + 1)
  /\ UNCHANGED <<record, requests, life, ahead, promise, acks, window, admitted, faults, vow, broken>>

NeedsFollower(n) == owning[n].follower # Nobody /\ (owning[n].inSync \/ owning[n].joint)
                    /\ (On("drop known") \/ owning[n].asked # "drop")
                    /\ (On("follower acks") \/ ~(owning[n].both /\ owning[n].asked = "replace"))

Answer(n) ==   \* the answer to an admission leaves
  LET seat == owning[n] IN
  /\ seat # Nobody /\ seat.answered < copy[n].count
  /\ On("acknowledged") /\ NeedsFollower(n) => seat.acked > seat.answered
  /\ seat.both => seat.learnerAcked > seat.answered
  /\ On("deadline") /\ ~seat.inSync => ahead[n]
  /\ owning' = [owning EXCEPT ![n].answered = @ + 1]
  /\ admitted' = admitted + 1
  /\ UNCHANGED <<record, requests, life, ahead, promise, copy, frames, acks, window, faults, vow, broken>>

Accepts(f) ==
  LET n == f.to.node IN
  /\ Same(f.to, Me(n))
  /\ On("fence") => f.epoch >= promise[n]
  /\ On("ack deadline") => ahead[n]

Promised(n, epoch) == promise' = [promise EXCEPT ![n] = Max(@, epoch)] /\ vow' = [vow EXCEPT ![n] = Max(@, epoch)]

\* An owner that hears a higher epoch stops.
Stopped(n, epoch) == owning' = IF owning[n] # Nobody /\ owning[n].epoch < epoch THEN [owning EXCEPT ![n] = Nobody] ELSE owning

Receive(f) ==   \* applied if it is newer, by (epoch, count); acknowledged in any case
  LET n == f.to.node
      isNewer == f.epoch > copy[n].held \/ (f.epoch = copy[n].held /\ f.count > copy[n].count) IN
  /\ Accepts(f)
  /\ Promised(n, f.epoch)
  /\ Stopped(n, f.epoch)
  /\ copy' = IF isNewer THEN [copy EXCEPT ![n].count = f.count, ![n].held = f.epoch,
                                          ![n].wanted = IF @.epoch <= f.epoch THEN Nothing ELSE @] ELSE copy
  /\ frames' = frames \ {f}
  /\ acks' = acks \cup {[epoch |-> f.epoch, from |-> Me(n), to |-> f.from, count |-> f.count]}
  /\ broken' = IF f.epoch < vow[n] THEN broken \cup {"promise"} ELSE broken
  /\ UNCHANGED <<record, requests, life, ahead, window, admitted, faults>>

ReceivePart(f) ==   \* a snapshot begins: the learner starts empty, and has no marker until it has all of it
  LET n == f.to.node IN
  /\ "partial" \in Steps /\ f.seeds /\ Accepts(f) /\ copy[n].held < f.epoch
  /\ Promised(n, f.epoch)
  /\ Stopped(n, f.epoch)
  /\ copy' = [copy EXCEPT ![n] = [count |-> 0, held |-> IF On("whole marker") THEN 0 ELSE f.epoch, wanted |-> Nothing]]
  /\ UNCHANGED <<record, requests, life, ahead, frames, acks, window, admitted, faults, broken>>

ReceiveAck(a) ==
  LET n == a.to.node
      seat == owning[n]
      isFollower == Same(a.from, seat.follower)
      isLearner == Same(a.from, seat.learner) IN
  /\ seat # Nobody /\ a.to = Me(n) /\ a.epoch = seat.epoch
  /\ isFollower \/ isLearner
  /\ owning' = [owning EXCEPT ![n].acked = IF isFollower THEN Max(@, a.count) ELSE @,
                              ![n].learnerAcked = IF isLearner THEN Max(@, a.count) ELSE @]
  /\ acks' = acks \ {a}
  /\ UNCHANGED <<record, requests, life, ahead, promise, copy, frames, window, admitted, faults, vow, broken>>

----------------------------------------------------------------------------
(* Changes of the record. A request is sent when its guard holds, and committed at any later time, or never: if the record is still
   the one that it compares, and the session of who sent it still stands. Who sent it learns of that by reading the record.          *)

InFlight(n) == \E r \in requests : r.by = Me(n)

Send(n, what, next, exhausted) ==   \* one at a time, and the intent is on disk first
  /\ ~InFlight(n) /\ next.epoch <= LastEpoch
  /\ requests' = requests \cup {[by |-> Me(n), next |-> next]}
  /\ copy' = IF next.epoch = record.epoch THEN copy
             ELSE [copy EXCEPT ![n].wanted = [epoch |-> next.epoch, life |-> life[n], exhausted |-> exhausted]]
  /\ owning' = IF owning[n] = Nobody THEN owning ELSE [owning EXCEPT ![n].asked = what]
  /\ UNCHANGED <<record, life, ahead, promise, frames, acks, window, admitted, faults, vow, broken>>

Changed(owner, follower, inSync, cold) ==
  [epoch |-> record.epoch + 1, owner |-> owner, follower |-> follower, inSync |-> inSync, cold |-> cold]

Commit(r) ==
  LET isHandoff == r.next.owner # record.owner /\ r.next.follower = record.owner
      owner == record.owner.node
      withholds == isHandoff /\ owning[owner] # Nobody /\ copy[owner].count > owning[owner].acked IN
  /\ record' = r.next
  /\ requests' = {}
  /\ broken' = IF withholds THEN broken \cup {"handoff withholds"} ELSE broken
  /\ UNCHANGED <<life, ahead, promise, copy, owning, frames, acks, window, admitted, faults, vow>>

\* What became of an unanswered transaction is made sure of, in a way that it cannot happen any more.
Settle(n) ==
  /\ InFlight(n)
  /\ requests' = {r \in requests : r.by # Me(n)}
  /\ owning' = IF owning[n] = Nobody THEN owning ELSE [owning EXCEPT ![n].asked = ""]
  /\ UNCHANGED <<record, life, ahead, promise, copy, frames, acks, window, admitted, faults, vow, broken>>

\* n owns the shard, and knows the record as it is; of any other its requests would come to nothing.
Knows(n) == owning[n] # Nobody /\ record.owner = Me(n) /\ record.epoch = owning[n].epoch /\ record.inSync = owning[n].inSync

Name(n, f) ==   \* a follower, as a learner
  /\ Knows(n) /\ record.follower = Nobody /\ f # n
  /\ Send(n, "name", Changed(Me(n), Me(f), FALSE, FALSE), FALSE)

Require(n) ==   \* joint: from here on answers wait for the follower's acks too
  /\ On("joint") /\ owning[n] # Nobody
  /\ owning[n].follower # Nobody /\ ~owning[n].inSync /\ ~owning[n].joint
  /\ owning' = [owning EXCEPT ![n].joint = TRUE]
  /\ UNCHANGED <<record, requests, life, ahead, promise, copy, frames, acks, window, admitted, faults, vow, broken>>

Relax(n) ==   \* it gives the follower up, and waits for its acks no longer
  /\ owning[n] # Nobody /\ owning[n].joint
  /\ On("joint kept") => owning[n].asked = ""
  /\ owning' = [owning EXCEPT ![n].joint = FALSE]
  /\ UNCHANGED <<record, requests, life, ahead, promise, copy, frames, acks, window, admitted, faults, vow, broken>>

MarkInSync(n) ==
  /\ Knows(n) /\ record.follower # Nobody /\ ~record.inSync
  /\ On("joint") => owning[n].joint
  /\ owning[n].acked >= owning[n].answered
  /\ Send(n, "mark", [record EXCEPT !.inSync = TRUE, !.cold = FALSE], FALSE)

Drop(n) ==
  /\ "drop" \in Steps /\ Knows(n) /\ record.follower # Nobody
  /\ Send(n, "drop", Changed(Me(n), Nobody, FALSE, FALSE), FALSE)

Learn(n, l) ==   \* a learner outside the record: it gets the frames too. Nobody is asked, so a stale owner may do it as well
  /\ "replace" \in Steps /\ owning[n] # Nobody /\ owning[n].inSync
  /\ On("learner kept") => owning[n].asked = ""
  /\ l # n /\ Me(l) \notin {owning[n].learner, owning[n].follower}
  /\ LET seat == [owning[n] EXCEPT !.learner = Me(l), !.both = FALSE, !.learnerAcked = NoAck] IN
     /\ owning' = [owning EXCEPT ![n] = seat]
     /\ frames' = Stream(n, seat, copy[n].count)
  /\ UNCHANGED <<record, requests, life, ahead, promise, copy, acks, window, admitted, faults, vow, broken>>

RequireBoth(n) ==
  /\ On("learner acks") /\ owning[n] # Nobody /\ owning[n].learner # Nobody /\ ~owning[n].both
  /\ owning' = [owning EXCEPT ![n].both = TRUE]
  /\ UNCHANGED <<record, requests, life, ahead, promise, copy, frames, acks, window, admitted, faults, vow, broken>>

Replace(n) ==   \* the follower by the learner: inSync stays true
  /\ Knows(n) /\ record.inSync /\ owning[n].learner # Nobody
  /\ On("learner acks") => owning[n].both
  /\ owning[n].learnerAcked >= owning[n].answered
  /\ Send(n, "replace", Changed(Me(n), owning[n].learner, TRUE, FALSE), FALSE)

Freeze(n) ==
  /\ Steps \cap {"handoff", "give"} # {} /\ owning[n] # Nobody /\ ~owning[n].frozen
  /\ owning' = [owning EXCEPT ![n].frozen = TRUE]
  /\ UNCHANGED <<record, requests, life, ahead, promise, copy, frames, acks, window, admitted, faults, vow, broken>>

Thaw(n) ==   \* the handoff is given up
  /\ owning[n] # Nobody /\ owning[n].frozen
  /\ On("settle") => owning[n].asked = ""
  /\ owning' = [owning EXCEPT ![n].frozen = FALSE]
  /\ UNCHANGED <<record, requests, life, ahead, promise, copy, frames, acks, window, admitted, faults, vow, broken>>

HandOff(n) ==   \* to the follower in sync, which has the final frame; the old owner stays as follower
  /\ "handoff" \in Steps /\ Knows(n) /\ record.inSync /\ owning[n].frozen
  /\ On("final frame") => owning[n].acked = copy[n].count
  /\ Send(n, "hand off", Changed(record.follower, Me(n), TRUE, FALSE), FALSE)

Give(n, t) ==   \* a shard that was never written to, to anyone
  /\ "give" \in Steps /\ Knows(n) /\ t # n /\ owning[n].frozen
  /\ On("never written") => ~owning[n].written
  /\ Send(n, "give", Changed(Me(t), Nobody, FALSE, FALSE), FALSE)

TakeOverWarm(n) ==   \* whenever it suspects the owner, rightly or not
  /\ record.follower = Me(n)
  /\ On("in sync") => record.inSync
  /\ Send(n, "take over", Changed(Me(n), Nobody, FALSE, FALSE), FALSE)

IsOver(h) == life[h.node] # h.life \/ ~ahead[h.node]

TakeOverCold(n) ==
  /\ owning[n] = Nobody
  /\ On("cold wait") => IsOver(record.owner)
  /\ On("cold wait follower") /\ record.inSync => IsOver(record.follower)
  /\ Send(n, "take over", Changed(Me(n), Nobody, FALSE, TRUE), TRUE)

\* A directory holds all that was answered under the record, if its marker names that very epoch, or the intent did.
HasMarker(n, h) == copy[n].held = record.epoch \/ (copy[n].wanted.epoch = record.epoch /\ copy[n].wanted.life = h.life)
WantedExhausted(n) == copy[n].held # record.epoch /\ copy[n].wanted.exhausted

Resume(n) ==   \* an earlier lifetime of n is in the record
  \E h \in {record.owner} \cup IF record.inSync THEN {record.follower} ELSE {} :
    /\ h.node = n /\ h.life < life[n]
    /\ On("marker") => HasMarker(n, h)
    /\ LET exhausted == On("cold kept") /\ WantedExhausted(n) IN
       Send(n, "take over", Changed(Me(n), Nobody, FALSE, On("cold kept") /\ record.cold), exhausted)

----------------------------------------------------------------------------
(* Reading the record *)

Adopt(n) ==   \* a new owner: promise, marker and state are durable before it answers
  /\ owning[n] = Nobody /\ record.owner = Me(n)
  /\ LET isCounted == copy[n].wanted = [epoch |-> record.epoch, life |-> life[n], exhausted |-> FALSE]
         exhausted == record.cold /\ ~isCounted
         count == IF ~exhausted THEN copy[n].count ELSE IF On("exhausted") THEN Limit ELSE 0
         seat == Seat(record.epoch, record.follower, record.inSync, count) IN
     /\ copy' = [copy EXCEPT ![n] = [count |-> count, held |-> record.epoch, wanted |-> Nothing]]
     /\ owning' = [owning EXCEPT ![n] = seat]
     /\ frames' = Stream(n, seat, count)
  /\ Promised(n, record.epoch)
  /\ UNCHANGED <<record, requests, life, ahead, acks, window, admitted, faults, broken>>

Read(n) ==   \* an owner sees that the record has changed
  /\ owning[n] # Nobody /\ ~Knows(n)
  /\ IF record.owner # Me(n)
     THEN owning' = [owning EXCEPT ![n] = Nobody] /\ UNCHANGED <<copy, frames, promise, vow>>
     ELSE IF record.epoch = owning[n].epoch
     THEN /\ owning' = [owning EXCEPT ![n].inSync = record.inSync, ![n].joint = FALSE, ![n].asked = ""]
          /\ UNCHANGED <<copy, frames, promise, vow>>
     ELSE LET seat == [Seat(record.epoch, record.follower, record.inSync, owning[n].answered)
                       EXCEPT !.written = owning[n].written] IN
          /\ owning' = [owning EXCEPT ![n] = seat]
          /\ copy' = [copy EXCEPT ![n].held = record.epoch, ![n].wanted = Nothing]
          /\ frames' = Stream(n, seat, copy[n].count)
          /\ Promised(n, record.epoch)
  /\ UNCHANGED <<record, requests, life, ahead, acks, window, admitted, faults, broken>>

----------------------------------------------------------------------------
(* Time and faults *)

WindowEnds ==
  LET old(set) == {[m EXCEPT !.count = 0] : m \in set}
      seen(count) == IF count = NoAck THEN NoAck ELSE 0 IN
  /\ window < LastWindow
  /\ window' = window + 1
  /\ admitted' = 0
  /\ copy' = [n \in Node |-> [copy[n] EXCEPT !.count = 0]]
  /\ owning' = [n \in Node |-> IF owning[n] = Nobody THEN Nobody
                               ELSE [owning[n] EXCEPT !.answered = 0, !.acked = seen(@), !.learnerAcked = seen(@)]]
  /\ frames' = old(frames) /\ acks' = old(acks)
  /\ UNCHANGED <<record, requests, life, ahead, promise, faults, vow, broken>>

DeadlinePasses(n) ==
  /\ faults.lapses > 0 /\ ahead[n]
  /\ ahead' = [ahead EXCEPT ![n] = FALSE]
  /\ faults' = [faults EXCEPT !.lapses = @ - 1]
  /\ UNCHANGED <<record, requests, life, promise, copy, owning, frames, acks, window, admitted, vow, broken>>

NewLife(n, promised) ==   \* no roles; the promises are those of all records before anything is acknowledged
  /\ life' = [life EXCEPT ![n] = @ + 1]
  /\ ahead' = [ahead EXCEPT ![n] = TRUE]
  /\ owning' = [owning EXCEPT ![n] = Nobody]
  /\ promise' = [promise EXCEPT ![n] = IF On("promise at start") THEN Max(promised, record.epoch) ELSE promised]
  /\ vow' = [vow EXCEPT ![n] = Max(@, record.epoch)]
  /\ requests' = {r \in requests : r.by # Me(n)}
  /\ UNCHANGED <<record, frames, acks, window, admitted, broken>>

Rejoin(n) == ~ahead[n] /\ NewLife(n, promise[n]) /\ UNCHANGED <<copy, faults>>

Kill(n) ==   \* and start again; decisions that were not answered may not have reached the journal
  /\ faults.kills > 0 /\ faults' = [faults EXCEPT !.kills = @ - 1]
  /\ NewLife(n, promise[n])
  /\ \E lost \in 0..(IF owning[n] = Nobody THEN 0
                     ELSE copy[n].count - (IF On("journal") THEN owning[n].answered ELSE 0)) :
       copy' = [copy EXCEPT ![n].count = @ - lost]

Lose(n) ==   \* starts again with an empty directory, or with one that is not whole
  /\ faults.losses > 0 /\ faults' = [faults EXCEPT !.losses = @ - 1]
  /\ NewLife(n, 0)
  /\ copy' = [copy EXCEPT ![n] = [count |-> 0, held |-> 0, wanted |-> Nothing]]

----------------------------------------------------------------------------
Init ==
  /\ record = [epoch |-> 1, owner |-> [node |-> First, life |-> 1], follower |-> Nobody, inSync |-> FALSE, cold |-> FALSE]
  /\ requests = {} /\ frames = {} /\ acks = {}
  /\ life = [n \in Node |-> 1] /\ ahead = [n \in Node |-> TRUE]
  /\ promise = [n \in Node |-> IF n = First THEN 1 ELSE 0] /\ vow = promise
  /\ copy = [n \in Node |-> [count |-> 0, held |-> promise[n], wanted |-> Nothing]]
  /\ owning = [n \in Node |-> IF n = First THEN [Seat(1, Nobody, FALSE, 0) EXCEPT !.written = FALSE] ELSE Nobody]
  /\ window = 1 /\ admitted = 0 /\ broken = {}
  /\ faults = [kills |-> Kills, losses |-> Losses, lapses |-> Lapses]

Step ==
  \/ \E n \in Node : \/ Decide(n) \/ Answer(n) \/ Settle(n) \/ Require(n) \/ Relax(n) \/ MarkInSync(n) \/ Drop(n) \/ RequireBoth(n)
                     \/ Replace(n) \/ Freeze(n) \/ Thaw(n) \/ HandOff(n) \/ TakeOverWarm(n) \/ TakeOverCold(n) \/ Resume(n)
                     \/ Adopt(n) \/ Read(n) \/ DeadlinePasses(n) \/ Rejoin(n) \/ Kill(n) \/ Lose(n)
  \/ \E n, m \in Node : Name(n, m) \/ Learn(n, m) \/ Give(n, m)
  \/ \E f \in frames : Receive(f) \/ ReceivePart(f)
  \/ \E a \in acks : ReceiveAck(a)
  \/ \E r \in requests : Commit(r)
  \/ WindowEnds
Spec == Init /\ [][Step]_vars

----------------------------------------------------------------------------
(* What must hold *)

Safe == admitted <= Limit
OneOwner == \A n, m \in Node : owning[n] # Nobody /\ owning[m] # Nobody /\ owning[n].epoch = owning[m].epoch => n = m
\* In sync: all that was answered is with the follower, as long as it lives.
FollowerHasAll == record.inSync /\ record.follower = Me(record.follower.node) => copy[record.follower.node].count >= admitted
PromisesKept == "promise" \notin broken
HandoffWithholdsNothing == "handoff withholds" \notin broken

----------------------------------------------------------------------------
(* Fewer states for the same behaviours. A message that nobody takes now, nor ever, is as good as gone; nodes other than First can be
   exchanged for each other.                                                                                                         *)
IsDead(f) == (On("generation") /\ f.to # Me(f.to.node)) \/ (On("fence") /\ f.epoch < promise[f.to.node])
IsDeadAck(a) ==
  LET seat == owning[a.to.node] IN
  \/ seat = Nobody \/ a.to # Me(a.to.node) \/ a.epoch < seat.epoch
  \/ a.from = seat.follower /\ a.count <= seat.acked
  \/ a.from = seat.learner /\ a.count <= seat.learnerAcked
View == <<record, requests, life, ahead, promise, copy, owning, {f \in frames : ~IsDead(f)}, {a \in acks : ~IsDeadAck(a)},
          window, admitted, faults, vow, broken>>
Symmetry == Permutations(Node \ {First})
=============================================================================
