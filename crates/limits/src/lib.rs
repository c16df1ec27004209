//! Policies, limits and the algorithms: fixed window, sliding window, token bucket.
