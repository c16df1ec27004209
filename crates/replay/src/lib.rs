//! What-if: runs an access log through the algorithms, with the log's own times.
