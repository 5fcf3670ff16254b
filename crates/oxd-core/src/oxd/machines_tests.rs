//! The circuit breaker and the places for threads that wait, in sequences of events that nobody wrote down.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use super::breaker::CircuitBreaker;
use super::budget::Budget;
use crate::testing::machines;

/// What callers of an oxd server see, by the clock: milliseconds since the beginning.
#[derive(Clone, Debug, Default)]
struct Calls {
    now: u64,
    under_way: usize,
    /// Failures since the last answer.
    failures: usize,
    /// When a call was let through, or has failed, while there were five failures or more.
    tried: Option<u64>,
    /// Whether the last question was answered with yes, and whether the breaker has opened with the last report.
    was_let: bool,
    has_opened: bool,
}

#[derive(Clone, Debug)]
enum OfCall {
    Ask,
    Answer,
    Fail,
    Wait(u64),
}

impl ReferenceStateMachine for Calls {
    type State = Calls;
    type Transition = OfCall;

    fn init_state() -> BoxedStrategy<Calls> {
        Just(Calls::default()).boxed()
    }

    fn transitions(_: &Calls) -> BoxedStrategy<OfCall> {
        prop_oneof![
            8 => Just(OfCall::Ask),
            1 => Just(OfCall::Answer),
            6 => Just(OfCall::Fail),
            2 => prop_oneof![Just(1_999), Just(2_000), 0..3_000u64].prop_map(OfCall::Wait),
        ]
        .boxed()
    }

    fn preconditions(calls: &Calls, step: &OfCall) -> bool {
        calls.under_way > 0 || !matches!(step, OfCall::Answer | OfCall::Fail)
    }

    fn apply(mut calls: Calls, step: &OfCall) -> Calls {
        match step {
            OfCall::Wait(milliseconds) => calls.now += milliseconds,
            OfCall::Ask => {
                let is_down = calls.failures >= 5;
                calls.was_let = !is_down || calls.tried.is_none_or(|tried| calls.now >= tried + 2_000);
                if calls.was_let {
                    calls.under_way += 1;
                    calls.tried = is_down.then_some(calls.now);
                }
            }
            OfCall::Answer => {
                calls.under_way -= 1;
                (calls.failures, calls.tried, calls.has_opened) = (0, None, false);
            }
            OfCall::Fail => {
                calls.under_way -= 1;
                calls.failures += 1;
                calls.has_opened = calls.failures == 5;
                calls.tried = (calls.failures >= 5).then_some(calls.now);
            }
        }
        calls
    }
}

struct Breaker {
    breaker: CircuitBreaker,
    began: Instant,
}

impl StateMachineTest for Breaker {
    type SystemUnderTest = Breaker;
    type Reference = Calls;

    fn init_test(_: &Calls) -> Breaker {
        Breaker {
            breaker: CircuitBreaker::default(),
            began: Instant::now(),
        }
    }

    fn apply(breaker: Breaker, calls: &Calls, step: OfCall) -> Breaker {
        let now = breaker.began + Duration::from_millis(calls.now);
        match step {
            OfCall::Wait(_) => {}
            OfCall::Ask => assert_eq!(breaker.breaker.admits_at(now), calls.was_let),
            OfCall::Answer => assert!(!breaker.breaker.report_at(true, now)),
            OfCall::Fail => assert_eq!(breaker.breaker.report_at(false, now), calls.has_opened),
        }
        breaker
    }

    /// It is never closed for ever: two seconds later a call is let through, and its answer lets all others through.
    fn teardown(breaker: Breaker, calls: Calls) {
        let later = breaker.began + Duration::from_millis(calls.now + 2_000);
        assert!(breaker.breaker.admits_at(later));
        breaker.breaker.report_at(true, later);
        assert!((0..20).all(|_| breaker.breaker.admits_at(later)));
    }
}

/// How many places each of four threads has, one within the other.
#[derive(Clone, Debug, Default)]
struct Waiting {
    depths: [usize; 4],
    /// Whether the last one who asked has got a place.
    found: bool,
}

#[derive(Clone, Debug)]
enum OfThread {
    /// A thread asks for a place, of so many.
    Enter(usize, u32),
    /// It gives back the last one.
    Leave(usize),
    /// It panics, with all that it has.
    Panic(usize),
}

impl ReferenceStateMachine for Waiting {
    type State = Waiting;
    type Transition = OfThread;

    fn init_state() -> BoxedStrategy<Waiting> {
        Just(Waiting::default()).boxed()
    }

    fn transitions(_: &Waiting) -> BoxedStrategy<OfThread> {
        prop_oneof![
            5 => (0..4usize, 1..4u32).prop_map(|(thread, most)| OfThread::Enter(thread, most)),
            3 => (0..4usize).prop_map(OfThread::Leave),
            1 => (0..4usize).prop_map(OfThread::Panic),
        ]
        .boxed()
    }

    fn preconditions(waiting: &Waiting, step: &OfThread) -> bool {
        match step {
            OfThread::Enter(..) => true,
            OfThread::Leave(thread) | OfThread::Panic(thread) => waiting.depths[*thread] > 0,
        }
    }

    fn apply(mut waiting: Waiting, step: &OfThread) -> Waiting {
        match step {
            OfThread::Enter(thread, most) => {
                let taken = waiting.depths.iter().filter(|depth| **depth > 0).count();
                waiting.found = waiting.depths[*thread] > 0 || taken < *most as usize;
                waiting.depths[*thread] += usize::from(waiting.found);
            }
            OfThread::Leave(thread) => waiting.depths[*thread] -= 1,
            OfThread::Panic(thread) => waiting.depths[*thread] = 0,
        }
        waiting
    }
}

struct Threads {
    budget: Arc<Budget>,
    orders: Vec<Sender<OfThread>>,
    answers: Vec<Receiver<bool>>,
}

/// Does what it is told within one more place, until that one is given back; whether it was.
fn obey(budget: &Budget, orders: &Receiver<OfThread>, answers: &Sender<bool>) {
    while let Ok(order) = orders.recv() {
        match order {
            OfThread::Enter(_, most) => {
                let place = budget.enter(most);
                answers.send(place.is_some()).unwrap();
                if place.is_some() {
                    obey(budget, orders, answers);
                    drop(place);
                    answers.send(true).unwrap();
                }
            }
            OfThread::Leave(_) => return,
            // Without the panic's line on the terminal.
            OfThread::Panic(_) => std::panic::resume_unwind(Box::new("on purpose")),
        }
    }
}

impl StateMachineTest for Threads {
    type SystemUnderTest = Threads;
    type Reference = Waiting;

    fn init_test(_: &Waiting) -> Threads {
        let budget = Arc::new(Budget::default());
        let (orders, answers) = (0..4)
            .map(|_| {
                let (order, orders) = channel();
                let (answer, answers) = channel();
                let budget = budget.clone();
                thread::spawn(move || {
                    while catch_unwind(AssertUnwindSafe(|| obey(&budget, &orders, &answer))).is_err() {
                        answer.send(true).unwrap();
                    }
                });
                (order, answers)
            })
            .unzip();
        Threads {
            budget,
            orders,
            answers,
        }
    }

    fn apply(threads: Threads, waiting: &Waiting, step: OfThread) -> Threads {
        let (OfThread::Enter(thread, _) | OfThread::Leave(thread) | OfThread::Panic(thread)) = step;
        threads.orders[thread].send(step.clone()).unwrap();
        let answer = threads.answers[thread].recv().unwrap();
        if matches!(step, OfThread::Enter(..)) {
            assert_eq!(answer, waiting.found);
        }
        threads
    }

    /// Once all have left, all places are free.
    fn teardown(threads: Threads, waiting: Waiting) {
        for (thread, depth) in waiting.depths.iter().enumerate() {
            for _ in 0..*depth {
                threads.orders[thread].send(OfThread::Leave(thread)).unwrap();
                threads.answers[thread].recv().unwrap();
            }
        }
        assert!(threads.budget.enter(1).is_some());
    }
}

prop_state_machine! {
    #![proptest_config(machines(128))]

    #[test]
    fn a_breaker_lets_through_what_its_callers_may_expect(sequential 1..60 => Breaker);

    #[test]
    fn each_thread_has_one_place_and_gives_it_back(sequential 1..40 => Threads);
}
