//! Drives the engine with a store: decides, journals, releases replies, checkpoints, recovers.
