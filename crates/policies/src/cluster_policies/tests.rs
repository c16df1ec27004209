//! The service over embedded coordination: what is in force after which change, failure and restart.
