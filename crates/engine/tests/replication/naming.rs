//! What an owner does about its followers: named, marked in sync, replaced and dropped (protocol, section 2).

use drl_core::Epoch;
use drl_engine::ownership::{Command, Guard, Outcome, Promise, Revision};
use drl_engine::replication::{News, Order, Silence, Start};

use crate::agent::*;
use crate::ledgers::holder;

fn near(agent: &mut Agent, to: drl_engine::ownership::Holder) -> Vec<Command> {
    agent.hear(News::Near { shard: ONE, to })
}

fn caught_up(agent: &mut Agent, to: drl_engine::ownership::Holder) -> Vec<Command> {
    agent.hear(News::CaughtUp { shard: ONE, to })
}

#[test]
fn an_owner_names_a_learner_under_its_lease_and_the_revision_it_knows() {
    let agent = Agent::solo(&[n2()]);
    assert_eq!(agent.wants(), Some(&learner(5, me(), n2())));
    let guards = &agent.asked[0].1.guards;
    assert!(guards.contains(&Guard::Lease { node: me().node, lease: LEASE }));
    assert!(guards.iter().any(|guard| matches!(guard, Guard::Record { changed, .. } if *changed > Revision(2))));
}

#[test]
fn an_owner_alone_names_nobody() {
    assert_eq!(Agent::solo(&[]).wants(), None);
}

#[test]
fn the_next_epoch_is_promised_on_disk_before_the_ledger_goes_on_under_it_and_a_copy_is_asked_for() {
    let (_, commands) = Agent::seeding(&[n2()]);
    assert_eq!(promises(&commands), [Promise { epoch: Epoch(5), generation: me().generation }]);
    let persisted = commands.iter().position(|command| matches!(command, Command::Persist { .. })).unwrap();
    let advance = Command::Copies(Order::Advance { shard: ONE, epoch: Epoch(5), keep: None });
    assert!(commands[persisted..].contains(&advance) && !commands[..persisted].contains(&advance));
    assert!(orders(&commands).contains(&Order::Seat { shard: ONE, to: n2(), start: Start::Anew }));
}

#[test]
fn a_follower_is_required_before_it_is_marked_in_sync_and_marked_only_when_it_has_caught_up() {
    let (mut agent, _) = Agent::seeding(&[n2()]);
    assert_eq!(agent.wants(), None, "a learner that has nothing yet");
    let commands = near(&mut agent, n2());
    assert_eq!(orders(&commands), [Order::Require { shard: ONE, to: n2() }]);
    assert_eq!(agent.wants(), None, "joint, and not yet caught up");
    caught_up(&mut agent, n2());
    assert_eq!(agent.wants(), Some(&in_sync(5, me(), n2())), "the epoch stays");
    assert_eq!(orders(&agent.commits()), [], "replies wait already");
}

#[test]
fn what_another_lifetime_of_the_learner_has_does_not_count() {
    let (mut agent, _) = Agent::seeding(&[n2()]);
    near(&mut agent, holder(2, 6));
    caught_up(&mut agent, holder(2, 6));
    assert_eq!(agent.wants(), None);
}

#[test]
fn a_mark_with_an_unknown_outcome_is_sent_again_and_nothing_else_is_done_meanwhile() {
    let (mut agent, _) = Agent::seeding(&[n2()]);
    near(&mut agent, n2());
    caught_up(&mut agent, n2());
    let sent = agent.asked[0].1.clone();
    agent.ends(Outcome::Unknown);
    agent.suspects(n2(), Silence::Quiet);
    assert_eq!(agent.wants(), None, "the mark may have happened");
    agent.pass(600);
    assert_eq!(agent.asked[0].1, sent, "the very same transaction");
    let commands = agent.commits();
    assert!(!orders(&commands).iter().any(|order| matches!(order, Order::Advance { .. } | Order::Unseat { .. })));
    assert_eq!(agent.wants(), Some(&record(6, me())), "and then it is dropped");
}

#[test]
fn a_follower_that_is_well_is_not_dropped_whatever_time_passes() {
    let mut agent = Agent::with_follower(&[n2()]);
    for _ in 0..100 {
        agent.pass(300);
        assert_eq!(agent.wants(), None);
    }
}

#[test]
fn a_follower_is_dropped_when_it_is_quiet_or_broken_or_another_lifetime_now() {
    type Cause = fn(&mut Agent) -> Vec<Command>;
    let causes: [Cause; 4] = [
        |agent| agent.suspects(n2(), Silence::Quiet),
        |agent| agent.suspects(n2(), Silence::Silent),
        |agent| agent.hear(News::Broken { shard: ONE, to: n2() }),
        |agent| agent.sees_nodes(&[(me(), false), (holder(2, 70), false)]),
    ];
    for cause in causes {
        let mut agent = Agent::with_follower(&[n2()]);
        let commands = cause(&mut agent);
        assert_eq!(agent.wants(), Some(&record(6, me())));
        assert_eq!(orders(&commands), [], "replies wait for it until the drop is known");
        let commands = agent.commits();
        let advance = Order::Advance { shard: ONE, epoch: Epoch(6), keep: None };
        assert_eq!(orders(&commands).first(), Some(&advance));
        assert_eq!(promises(&commands)[0], Promise { epoch: Epoch(6), generation: me().generation });
    }
}

#[test]
fn a_drop_with_an_unknown_outcome_lets_nothing_go() {
    let mut agent = Agent::with_follower(&[n2()]);
    agent.suspects(n2(), Silence::Quiet);
    let sent = agent.asked[0].1.clone();
    assert_eq!(orders(&agent.ends(Outcome::Unknown)), []);
    assert_eq!(orders(&agent.suspects(n2(), Silence::None)), [], "also when the follower is heard again");
    assert_eq!(orders(&agent.pass(600)), []);
    assert_eq!(agent.asked[0].1, sent);
    assert_eq!(orders(&agent.commits())[0], Order::Advance { shard: ONE, epoch: Epoch(6), keep: None });
}

#[test]
fn a_drop_that_is_refused_because_the_follower_took_over_closes_the_shard() {
    let mut agent = Agent::with_follower(&[n2()]);
    agent.suspects(n2(), Silence::Quiet);
    let (_, transaction) = agent.asked[0].clone();
    let commands = agent.sees(record(6, n2()));
    assert!(commands.iter().any(|command| matches!(command, Command::Close { shard: ONE, .. })));
    assert!(transaction.guards.iter().any(|guard| matches!(guard, Guard::Record { .. })));
    assert_eq!(orders(&agent.refuses()), []);
}

#[test]
fn an_owner_past_its_deadline_drops_nobody_and_answers_nothing() {
    let mut agent = Agent::with_follower(&[n2()]);
    agent.now.boottime.0 += drl_core::Nanos::from_secs(61).0;
    let commands = agent.suspects(n2(), Silence::Silent);
    assert!(commands.contains(&Command::SetDeadline(drl_core::Nanos::ZERO)));
    assert_eq!(orders(&commands).first(), Some(&Order::Lifetime(None)));
    assert!(commands.iter().any(|command| matches!(command, Command::Close { shard: ONE, .. })));
}

#[test]
fn a_follower_is_replaced_by_a_learner_outside_the_record_that_has_everything_and_is_required() {
    let mut agent = Agent::with_follower(&[n2()]);
    let commands = agent.sees_nodes(&[(me(), false), (n2(), true), (n3(), false)]);
    assert_eq!(orders(&commands), [Order::Seat { shard: ONE, to: n3(), start: Start::Anew }]);
    assert_eq!(agent.wants(), None, "the record stays as it is");
    assert_eq!(orders(&near(&mut agent, n3())), [Order::Require { shard: ONE, to: n3() }], "both are required now");
    assert_eq!(agent.wants(), None);
    caught_up(&mut agent, n3());
    assert_eq!(agent.wants(), Some(&in_sync(6, me(), n3())), "in sync all the time");
    let commands = agent.commits();
    assert_eq!(orders(&commands), [Order::Advance { shard: ONE, epoch: Epoch(6), keep: Some(n3()) }]);
}

#[test]
fn a_replacement_that_breaks_is_left_and_the_follower_stays() {
    let mut agent = Agent::with_follower(&[n2()]);
    agent.sees_nodes(&[(me(), false), (n2(), true), (n3(), false)]);
    near(&mut agent, n3());
    let commands = agent.hear(News::Broken { shard: ONE, to: n3() });
    assert_eq!(orders(&commands).first(), Some(&Order::Unseat { shard: ONE, to: n3() }));
    assert_eq!((agent.wants(), agent.record()), (None, &in_sync(5, me(), n2())));
}

#[test]
fn a_replacement_that_broke_while_it_was_named_is_dropped_when_the_ledger_tells_again() {
    let mut agent = Agent::with_follower(&[n2()]);
    agent.sees_nodes(&[(me(), false), (n2(), true), (n3(), false)]);
    near(&mut agent, n3());
    caught_up(&mut agent, n3());
    agent.hear(News::Broken { shard: ONE, to: n3() });
    agent.commits();
    assert_eq!(agent.record(), &in_sync(6, me(), n3()));
    agent.hear(News::Broken { shard: ONE, to: n3() });
    assert_eq!(agent.wants(), Some(&record(7, me())));
}

#[test]
fn a_node_that_was_dropped_twice_is_named_again_after_two_seconds_and_another_one_at_once() {
    let mut agent = Agent::with_follower(&[n2()]);
    let mut epoch = 5;
    for round in 0..2 {
        agent.hear(News::Broken { shard: ONE, to: n2() });
        agent.commits();
        epoch += 1;
        if round == 0 {
            assert_eq!(agent.wants(), Some(&learner(epoch + 1, me(), n2())), "once is an accident");
            agent.commits();
            epoch += 1;
            agent.pass(3_000);
        }
    }
    assert_eq!((agent.wants(), agent.record()), (None, &record(epoch, me())));
    agent.pass(1_999);
    assert_eq!(agent.wants(), None);
    agent.pass(1);
    assert_eq!(agent.wants(), Some(&learner(epoch + 1, me(), n2())));
}

#[test]
fn a_copy_that_should_have_replaced_the_follower_is_left_when_the_ring_wants_that_no_more() {
    let mut agent = Agent::with_follower(&[n2(), n3()]);
    let commands = agent.sees_nodes(&[(me(), false), (n2(), true), (n3(), false)]);
    assert_eq!(orders(&commands), [Order::Seat { shard: ONE, to: n3(), start: Start::Anew }]);
    let commands = agent.sees_nodes(&[(me(), false), (n2(), false), (n3(), true)]);
    assert_eq!(orders(&commands), [Order::Unseat { shard: ONE, to: n3() }]);
    agent.hear(News::Near { shard: ONE, to: n3() });
    assert_eq!(agent.wants(), None);
}
