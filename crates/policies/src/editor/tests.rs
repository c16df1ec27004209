//! The editor over embedded coordination: what is refused, and what becomes of a change that is not answered.
