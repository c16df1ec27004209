//! What a request costs.

use http::Request;

/// Says how many units a request takes. Every `Fn(&Request<B>) -> u64` does.
pub trait CostOf<B>: Send + Sync {
    /// 0 to 2^53; 0 lets a request pass while a cost of 1 would, and charges nothing. A larger one is refused as impossible.
    fn units(&self, request: &Request<B>) -> u64;
}

impl<B, F: Fn(&Request<B>) -> u64 + Send + Sync> CostOf<B> for F {
    fn units(&self, request: &Request<B>) -> u64 {
        self(request)
    }
}

/// One unit each.
#[derive(Debug, Clone, Copy, Default)]
pub struct One;

impl<B> CostOf<B> for One {
    fn units(&self, _: &Request<B>) -> u64 {
        1
    }
}
