//! The counters of shards and the frames they travel in: pure state, no IO, no clock.
