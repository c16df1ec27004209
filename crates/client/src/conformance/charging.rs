//! What is charged and given back, by one caller after the other.

use drl_core::caps::BATCH_CHECKS_MAX;

use super::{Broken, LIMIT, NOBODY, SMALL, SMALL_LIMIT, claims, free, is, outcome, request};
use crate::{CheckError, InvalidRequest, RateLimiter, Reason, Retry};

claims![
    a_check_charges_until_the_limit_and_says_what_is_left,
    a_cost_is_charged_whole_or_not_at_all,
    a_cost_above_the_limit_never_passes,
    a_peek_charges_nothing,
    a_batch_is_decided_in_order_with_an_answer_each,
    a_batch_that_is_too_long_is_refused_each_and_charges_nothing,
    a_refund_gives_back_what_was_charged_when_it_says,
    a_reset_forgets_what_was_used,
    a_client_without_a_policy_is_denied,
    namespaces_do_not_share_counters,
    ids_are_bytes,
];

async fn a_check_charges_until_the_limit_and_says_what_is_left(limiter: RateLimiter) -> Result<(), Broken> {
    for left in (0..LIMIT).rev() {
        let decision = limiter.check(request("charging")?).await?;
        is("a check within the limit", &outcome(&decision), &(true, left))?;
        is("its reason and retry", &(decision.reason, decision.retry), &(Reason::WithinLimit, Retry::Now))?;
        is("its limit", &decision.limit, &LIMIT)?;
    }
    let denial = limiter.check(request("charging")?).await?;
    is("a check over the limit", &(denial.allowed, denial.reason), &(false, Reason::OverLimit))?;
    is("it says when to come back", &matches!(denial.retry, Retry::After(_)), &true)?;
    is("allow_request over the limit", &limiter.allow_request("charging").await, &false)?;
    is("allow_request of somebody else", &limiter.allow_request("charging-other").await, &true)
}

async fn a_cost_is_charged_whole_or_not_at_all(limiter: RateLimiter) -> Result<(), Broken> {
    let (most, rest) = (LIMIT - 3, 3);
    is("most of it", &outcome(&limiter.check(request("cost")?.cost(most)?).await?), &(true, rest))?;
    is("more than is left", &outcome(&limiter.check(request("cost")?.cost(rest + 1)?).await?), &(false, rest))?;
    is("exactly what is left", &outcome(&limiter.check(request("cost")?.cost(rest)?).await?), &(true, 0))
}

async fn a_cost_above_the_limit_never_passes(limiter: RateLimiter) -> Result<(), Broken> {
    let decision = limiter.check(request("above")?.cost(LIMIT + 1)?).await?;
    let found = (decision.allowed, decision.retry, decision.reason);
    is("a cost above the limit", &found, &(false, Retry::Never, Reason::CostAboveLimit))?;
    is("free after it", &free(&limiter, "above").await?, &LIMIT)
}

async fn a_peek_charges_nothing(limiter: RateLimiter) -> Result<(), Broken> {
    limiter.check(request("peek")?.cost(4)?).await?;
    for _ in 0..2 {
        let fits = limiter.peek(request("peek")?.cost(LIMIT - 4)?).await?;
        is("a peek at all that is left passes", &fits.allowed, &true)?;
        is("a peek at more does not", &limiter.peek(request("peek")?.cost(LIMIT - 3)?).await?.allowed, &false)?;
        is("a check of cost 0", &outcome(&limiter.check(request("peek")?.cost(0)?).await?), &(true, LIMIT - 4))?;
    }
    is("free after it", &free(&limiter, "peek").await?, &(LIMIT - 4))
}

async fn a_batch_is_decided_in_order_with_an_answer_each(limiter: RateLimiter) -> Result<(), Broken> {
    let all = request("batch")?.cost(LIMIT)?;
    let above = request("batch-other")?.cost(LIMIT + 1)?;
    let checks = [all, request("batch")?, request("batch-other")?, above];
    let mut allowed = Vec::new();
    for answer in limiter.check_batch(&checks).await {
        allowed.push(answer?.allowed);
    }
    is("a batch", &allowed, &vec![true, false, true, false])?;
    is("an empty batch", &limiter.check_batch(&[]).await.len(), &0)
}

async fn a_batch_that_is_too_long_is_refused_each_and_charges_nothing(limiter: RateLimiter) -> Result<(), Broken> {
    let count = BATCH_CHECKS_MAX + 1;
    let answers = limiter.check_batch(&vec![request("too-long")?; count]).await;
    is("its answers", &answers.len(), &count)?;
    let refusal = Err(CheckError::Invalid(InvalidRequest::BatchTooLong { count }));
    is("refused each", &answers.iter().all(|answer| *answer == refusal), &true)?;
    is("free after it", &free(&limiter, "too-long").await?, &LIMIT)?;
    let answers = limiter.check_batch(&vec![request("longest")?; BATCH_CHECKS_MAX]).await;
    let allowed = answers.iter().flatten().filter(|decision| decision.allowed).count();
    is("allowed of the longest batch", &u64::try_from(allowed).unwrap_or(u64::MAX), &LIMIT)
}

async fn a_refund_gives_back_what_was_charged_when_it_says(limiter: RateLimiter) -> Result<(), Broken> {
    let charged = limiter.check(request("refund")?.cost(6)?).await?;
    limiter.refund(request("refund")?.cost(2)?, Some(charged.decided_at)).await?;
    is("free after a part came back", &free(&limiter, "refund").await?, &(LIMIT - 4))?;
    limiter.refund(request("refund")?.cost(4)?, None).await?;
    is("free after the rest came back", &free(&limiter, "refund").await?, &LIMIT)?;
    limiter.refund(request("refund")?.cost(LIMIT)?, Some(charged.decided_at)).await?;
    is("free after more came back than was charged", &free(&limiter, "refund").await?, &LIMIT)
}

async fn a_reset_forgets_what_was_used(limiter: RateLimiter) -> Result<(), Broken> {
    limiter.check(request("reset")?.cost(LIMIT)?).await?;
    limiter.reset(request("reset")?).await?;
    is("free after it", &free(&limiter, "reset").await?, &LIMIT)?;
    limiter.reset(request("reset-never-seen")?).await?;
    is("free of one who was never seen", &free(&limiter, "reset-never-seen").await?, &LIMIT)
}

async fn a_client_without_a_policy_is_denied(limiter: RateLimiter) -> Result<(), Broken> {
    let decision = limiter.check(request("stranger")?.namespace(NOBODY)?).await?;
    is("a stranger", &(decision.allowed, decision.reason), &(false, Reason::UnknownClient))
}

async fn namespaces_do_not_share_counters(limiter: RateLimiter) -> Result<(), Broken> {
    let small = request("both")?.namespace(SMALL)?;
    let first = limiter.check(small.cost(SMALL_LIMIT)?).await?;
    is("all of the smaller limit", &(first.allowed, first.limit, first.remaining), &(true, SMALL_LIMIT, 0))?;
    is("one more there", &limiter.check(small).await?.allowed, &false)?;
    is("free in the other namespace", &free(&limiter, "both").await?, &LIMIT)
}

async fn ids_are_bytes(limiter: RateLimiter) -> Result<(), Broken> {
    let longest = [0xff; 256];
    for id in [&[0][..], &[0, 0], &longest, &longest[..255]] {
        let decision = limiter.check(crate::CheckRequest::new(id)?).await?;
        is("the first check of an id", &outcome(&decision), &(true, LIMIT - 1))?;
    }
    is("allow_request of no id", &limiter.allow_request("").await, &false)
}
