//! RateLimiter: the one API over whatever answers.
