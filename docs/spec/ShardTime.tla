------------------------------ MODULE ShardTime ------------------------------
(* That shard time never goes back, and opens no window early. One shard that goes from node to node: warm, by handoff, or cold. What is
   proved: an admission is never stamped earlier than one that was answered before (Forward); between two of them no more shard time
   passes than real time (Slow); and behind a cold start none is nearer than a window to those that were lost (Apart).

   Monotonic clocks run at the rate of real time (Authority.tla has the margins). Wall clocks are wrong by anything in Offsets. Who
   may own the shard when is Ownership.tla's affair: here an earlier owner answers nothing more once the shard has gone on. A follower
   is in sync from its first frame on, and everything answered is in a frame that it has.                                              *)
EXTENDS Integers, FiniteSets, TLC

CONSTANTS Node, First, Nobody,
          Window, Ahead,   \* how far ahead of its time a heartbeat promises
          Offsets, End, LastEpoch, FramesMax, Off
Rules == {"continued", "below time_hi", "time_hi of the predecessor", "cold promises time_hi", "warm promises time_hi", "floor",
          "starts empty"}
ASSUME Off \subseteq Rules
On(rule) == rule \notin Off

VARIABLES
  now, offset,     \* real time; node -> its wall clock minus real time
  epoch, owner, follower,
  lead,            \* the owner's shard time minus real time: constant, since both run at the same rate
  floor,           \* no admission before floor + Window
  hi,              \* node -> the time_hi of its last heartbeat, in etcd
  heard,           \* node -> the follower's shard time minus real time, as of the newest frame that it has, or Nobody
  stored,          \* node -> the highest stamp in its journal
  frames,          \* in flight: epoch, time, whether an admission waits for it
  latest, slowest, \* ghosts: the highest stamp answered; the smallest lead of an answer since the last cold start
  before,          \* ghost: the highest stamp answered before that cold start
  broken           \* ghost: what did not hold
vars == <<now, offset, epoch, owner, follower, lead, floor, hi, heard, stored, frames, latest, slowest, before, broken>>

Max(a, b) == IF a > b THEN a ELSE b
Min(a, b) == IF a < b THEN a ELSE b
Long == 1000      \* later, or earlier, than anything
Time == now + lead
Wall(n) == now + offset[n]

Init ==
  /\ now = 0 /\ offset \in [Node -> Offsets] /\ epoch = 1 /\ owner = First /\ follower = Nobody
  /\ lead = offset[First] /\ floor = -Long /\ hi = [n \in Node |-> IF n = First THEN offset[n] + Ahead ELSE -Long]
  /\ heard = [n \in Node |-> Nobody] /\ stored = [n \in Node |-> -Long] /\ frames = {}
  /\ latest = -Long /\ slowest = Long /\ before = -2 * Long /\ broken = {}

Tick == now < End /\ now' = now + 1
        /\ UNCHANGED <<offset, epoch, owner, follower, lead, floor, hi, heard, stored, frames, latest, slowest, before, broken>>

Heartbeat ==
  /\ Time + Ahead > hi[owner]
  /\ hi' = [hi EXCEPT ![owner] = Time + Ahead]
  /\ UNCHANGED <<now, offset, epoch, owner, follower, lead, floor, heard, stored, frames, latest, slowest, before, broken>>

Answered(stamp, ahead) == latest' = Max(latest, stamp) /\ slowest' = Min(slowest, ahead)

Decide ==   \* an admission: answered at once while solo, with its frame otherwise
  /\ Cardinality(frames) < FramesMax
  /\ On("below time_hi") => Time <= hi[owner]
  /\ On("floor") => Time >= floor + Window
  /\ stored' = [stored EXCEPT ![owner] = Max(@, Time)]
  /\ broken' = broken \cup (IF Time < latest THEN {"forward"} ELSE {}) \cup (IF lead > slowest THEN {"slow"} ELSE {})
                       \cup (IF Time < before + Window THEN {"apart"} ELSE {})
  /\ IF follower = Nobody THEN Answered(Time, lead) /\ UNCHANGED frames
     ELSE frames' = frames \cup {[epoch |-> epoch, time |-> Time, lead |-> lead, admits |-> TRUE]}
          /\ UNCHANGED <<latest, slowest>>
  /\ UNCHANGED <<now, offset, epoch, owner, follower, lead, floor, hi, heard, before>>

Name(f) ==   \* a learner starts empty; a first frame says what time it is
  /\ f # owner /\ follower = Nobody
  /\ follower' = f
  /\ heard' = [heard EXCEPT ![f] = Nobody]
  /\ stored' = IF On("starts empty") THEN [stored EXCEPT ![f] = -Long] ELSE stored
  /\ frames' = frames \cup {[epoch |-> epoch, time |-> Time, lead |-> lead, admits |-> FALSE]}
  /\ UNCHANGED <<now, offset, epoch, owner, lead, floor, hi, latest, slowest, before, broken>>

\* The follower goes on from the frame by its own clock: late by as long as the frame was on its way. An old frame moves nothing.
Receive(f) ==
  /\ f.epoch = epoch /\ follower # Nobody
  /\ frames' = frames \ {f}
  /\ heard' = [heard EXCEPT ![follower] = IF @ = Nobody THEN f.time - now ELSE Max(@, f.time - now)]
  /\ stored' = [stored EXCEPT ![follower] = Max(@, f.time)]
  /\ IF f.admits THEN Answered(f.time, f.lead) ELSE UNCHANGED <<latest, slowest>>
  /\ UNCHANGED <<now, offset, epoch, owner, follower, lead, floor, hi, before, broken>>

Goes(n, ahead, promises) ==
  /\ epoch < LastEpoch /\ epoch' = epoch + 1
  /\ owner' = n
  /\ lead' = ahead
  /\ frames' = {}
  /\ hi' = IF promises THEN [hi EXCEPT ![n] = Max(@, hi[owner])] ELSE hi
  /\ UNCHANGED <<now, offset, heard, stored>>

\* Warm, or by handoff: shard time goes on as the follower has heard it.
GoesOn ==
  /\ follower # Nobody /\ heard[follower] # Nobody
  /\ LET at == Max(now + heard[follower], stored[follower]) IN
     Goes(follower, IF On("continued") THEN at - now ELSE offset[follower], On("warm promises time_hi"))
  /\ follower' = Nobody
  /\ UNCHANGED <<floor, latest, slowest, before, broken>>

\* Cold: later than anything that was stamped, and exhausted for a whole window.
GoesCold(n) ==
  /\ n # owner
  /\ LET at == Max(Max(stored[n], Wall(n)), IF On("time_hi of the predecessor") THEN hi[owner] ELSE -Long) IN
     /\ Goes(n, at - now, On("cold promises time_hi"))
     /\ floor' = at
  /\ slowest' = Long /\ before' = latest
  /\ follower' = Nobody
  /\ UNCHANGED <<latest, broken>>

Step == \/ Tick \/ Heartbeat \/ Decide \/ GoesOn
        \/ \E n \in Node : Name(n) \/ GoesCold(n)
        \/ \E f \in frames : Receive(f)
Spec == Init /\ [][Step]_vars

Symmetry == Permutations(Node \ {First})

Forward == "forward" \notin broken
Slow == "slow" \notin broken
Apart == "apart" \notin broken
=============================================================================
