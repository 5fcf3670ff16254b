//! Refreshes of one session by two machines with one store, or by two tabs of one browser, in sequences of events that
//! nobody wrote down: requests while another one is at the provider, answers that are lost, processes that are killed
//! while they hold the lease and the lock. The provider takes each refresh token once.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use super::*;
use crate::base::Key;
use crate::config::{RawSettings, Timeouts};
use crate::oxd::commands::refresh::Refreshed;
use crate::session::with_own;
use crate::shm::Lease;
use crate::testing::{Browser, FakeStore, NOW, machines, refresh_ahead, site};

/// How long a refreshed session is kept for requests with the old cookie (`NOTE_LASTS` of `session::update`).
const FORGOTTEN_AFTER: Seconds = Seconds(600);

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Call {
    Works,
    /// While it lasts, the other one asks too.
    WorksMeanwhile,
    /// It did not reach the provider.
    Fails,
    /// The provider has used the token up.
    AnswerIsLost,
    /// The process is killed before, or after the provider has used the token up.
    KilledBefore,
    KilledAfter,
}

#[derive(Clone, Debug)]
enum Step {
    /// A request by one of the two, whose answer arrives or not.
    Ask(usize, Call, bool),
    Wait(u64),
}

/// The time, which is all that there is to know: the rest are promises about each call.
#[derive(Clone, Debug)]
struct Time {
    now: Seconds,
    has_store: bool,
}

impl ReferenceStateMachine for Time {
    type State = Time;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Time> {
        any::<bool>()
            .prop_map(|has_store| Time { now: NOW, has_store })
            .boxed()
    }

    fn transitions(_: &Time) -> BoxedStrategy<Step> {
        let call = prop_oneof![
            4 => Just(Call::Works),
            4 => Just(Call::WorksMeanwhile),
            2 => Just(Call::Fails),
            1 => Just(Call::AnswerIsLost),
            1 => Just(Call::KilledBefore),
            1 => Just(Call::KilledAfter),
        ];
        prop_oneof![
            3 => (0..2usize, call, any::<bool>()).prop_map(|(who, call, arrives)| Step::Ask(who, call, arrives)),
            2 => prop_oneof![1..20u64, 230..400u64].prop_map(Step::Wait),
        ]
        .boxed()
    }

    fn apply(mut time: Time, step: &Step) -> Time {
        if let Step::Wait(seconds) = step {
            time.now = time.now.saturating_add(Seconds(*seconds));
        }
        time
    }
}

/// The provider, the store and the two who ask. Made once: the memory of a machine is large.
struct World {
    asking: [RefCell<Browser<'static>>; 2],
    store: Option<&'static FakeStore>,
    /// The sequences so far.
    count: Cell<u32>,
    /// The number of the refresh token that is good for one use.
    valid: Cell<usize>,
    /// The number of the last one that has come.
    newest: Cell<usize>,
    /// When each was used.
    used: RefCell<Vec<Seconds>>,
    now: Cell<Seconds>,
    /// Those whose use was not answered.
    lost: RefCell<Vec<usize>>,
    /// What becomes of the next call, and who makes it.
    next: Cell<(Call, usize)>,
    under_way: Cell<bool>,
    /// What the store held during the call that was killed.
    held: RefCell<HashMap<Key, Vec<u8>>>,
    /// The lease of a dead process.
    dead: RefCell<Option<Lease<'static>>>,
}

thread_local! {
    static WITH_STORE: &'static World = Box::leak(Box::new(World::new(true)));
    static WITH_COOKIES: &'static World = Box::leak(Box::new(World::new(false)));
    static CURRENT: Cell<Option<&'static World>> = const { Cell::new(None) };
}

/// What the provider does with a refresh token.
fn refreshes(token: &str) -> Result<Refreshed, Reason> {
    let world = CURRENT.get().expect("a test runs");
    let number = token.strip_prefix("refresh").expect("a token");
    let number: usize = number.trim_start_matches('-').parse().unwrap_or(0);
    assert!(!world.under_way.replace(true), "two calls with one token");
    let answer = world.take(number);
    world.under_way.set(false);
    answer
}

impl World {
    fn new(has_store: bool) -> World {
        let store: Option<&'static FakeStore> = has_store.then(|| &*Box::leak(Box::default()));
        let at = || {
            let mut browser = Browser::at(RawSettings {
                session_idle: Some(Seconds(28_800)),
                server_timeout: Some(Timeouts {
                    total: Duration::from_secs(1),
                    connect: Duration::from_millis(1),
                }),
                ..refresh_ahead()
            });
            browser.store = store;
            browser.oxd.refreshes = Some(refreshes);
            browser
        };
        let (here, mut there) = (at(), at());
        if let Some(store) = store {
            store.is_shared.store(true, Ordering::SeqCst);
            store.is_atomic.store(true, Ordering::SeqCst);
        } else {
            there.memory = here.memory;
        }
        World {
            asking: [RefCell::new(here), RefCell::new(there)],
            count: Cell::new(0),
            store,
            valid: Cell::new(0),
            newest: Cell::new(0),
            used: RefCell::default(),
            now: Cell::new(NOW),
            lost: RefCell::default(),
            next: Cell::new((Call::Works, 0)),
            under_way: Cell::new(false),
            held: RefCell::default(),
            dead: RefCell::default(),
        }
    }

    fn begin(&self) {
        self.dead.take();
        self.lost.take();
        self.used.take();
        self.valid.set(0);
        self.newest.set(0);
        self.under_way.set(false);
        // A site of its own: that a token was refused is remembered.
        let count = self.count.replace(self.count.get() + 1);
        let file: &'static _ = Box::leak(Box::new(site(&count.to_string())));
        let mut here = self.asking[0].borrow_mut();
        let mut there = self.asking[1].borrow_mut();
        (here.settings.site, there.settings.site) = (Some(file), Some(file));
        here.now = NOW;
        here.cookies.clear();
        here.log_in("/app");
        (there.now, there.cookies) = (NOW, here.cookies.clone());
    }

    /// The provider takes a token.
    fn take(&self, number: usize) -> Result<Refreshed, Reason> {
        let (call, who) = self.next.get();
        if call == Call::Fails {
            return Err(Reason::OxdUnreachable);
        }
        if let Some(store) = self.store {
            *self.held.borrow_mut() = store.entries.lock().unwrap().clone();
        }
        if call == Call::KilledBefore {
            std::panic::resume_unwind(Box::new("killed"));
        }
        if number < self.valid.get() {
            // A browser that has not got its answer for so long has nothing but the old cookie, and nobody knows more.
            let is_forgotten =
                self.store.is_none() && self.used.borrow()[number] + FORGOTTEN_AFTER.0 <= self.now.get();
            let is_lost = self.lost.borrow().contains(&number);
            assert!(
                is_lost || is_forgotten,
                "a token is used again whose answer has come"
            );
            self.lost.borrow_mut().push(number);
            return Err(Reason::RefreshRefused);
        }
        self.valid.set(number + 1);
        self.used.borrow_mut().push(self.now.get());
        if call == Call::WorksMeanwhile {
            // It makes no call of its own.
            self.ask(1 - who);
        }
        if matches!(call, Call::AnswerIsLost | Call::KilledAfter) {
            self.lost.borrow_mut().push(number);
        }
        match call {
            Call::AnswerIsLost => Err(Reason::OxdTimeout),
            Call::KilledAfter => std::panic::resume_unwind(Box::new("killed")),
            _ => Ok(self.delivers(number + 1)),
        }
    }

    fn delivers(&self, number: usize) -> Refreshed {
        self.newest.set(number);
        Refreshed {
            access_token: Secret::new(format!("access-{number}")),
            expires_in: Some(300),
            refresh_token: Some(Secret::new(format!("refresh-{number}"))),
            scope: Value::Null,
        }
    }

    /// A request; `None` without a session.
    fn ask(&self, who: usize) -> Option<Refresh> {
        self.asking[who].borrow().look("/app", |ctx| {
            with_own(ctx, |session| {
                session.map(|session| refresh(ctx, &session).unwrap())
            })
            .unwrap()
        })
    }

    /// The process of a request is killed: what it held stays held.
    fn keep_held(&self, who: usize) {
        self.under_way.set(false);
        if let Some(store) = self.store {
            let mut entries = store.entries.lock().unwrap();
            for (key, value) in self.held.take() {
                entries.entry(key).or_insert(value);
            }
        }
        let browser = self.asking[who].borrow();
        let id = browser.look("/app", |ctx| {
            with_own(ctx, |session| session.map(|session| session.record.id)).unwrap()
        });
        let lease = id.and_then(|id| browser.memory.lease(Mark::of_session(&id), wall(), wall() + 60));
        *self.dead.borrow_mut() = lease;
    }

    /// Leases and locks of the dead run out.
    fn time_passes(&self) {
        self.dead.take();
        if let Some(store) = self.store {
            // A lock is a name of 16 bytes, and no sealed entry is as short.
            store.entries.lock().unwrap().retain(|_, value| value.len() != 16);
        }
    }
}

impl StateMachineTest for World {
    type SystemUnderTest = &'static World;
    type Reference = Time;

    fn init_test(time: &Time) -> &'static World {
        let world = if time.has_store {
            WITH_STORE.with(|world| *world)
        } else {
            WITH_COOKIES.with(|world| *world)
        };
        CURRENT.set(Some(world));
        world.begin();
        world
    }

    fn apply(world: &'static World, time: &Time, step: Step) -> &'static World {
        world.now.set(time.now);
        for browser in &world.asking {
            browser.borrow_mut().now = time.now;
        }
        let (who, call, arrives) = match step {
            Step::Wait(seconds) => {
                if seconds > 60 {
                    world.time_passes();
                }
                return world;
            }
            Step::Ask(who, call, arrives) => (who, call, arrives),
        };
        world.next.set((call, who));
        match catch_unwind(AssertUnwindSafe(|| world.ask(who))) {
            Ok(Some(Refresh::Changed(written, cookies))) => {
                let tokens = Tokens::read(&written.tokens).unwrap();
                let newest = format!("access-{}", world.newest.get());
                assert_eq!(text(tokens.access_token), newest, "the newest token for all");
                if arrives {
                    world.asking[who].borrow_mut().take_cookies(&cookies);
                }
            }
            Ok(Some(Refresh::Unchanged)) => {}
            Ok(Some(Refresh::Ended | Refresh::Unauthorized) | None) => {
                assert!(!world.lost.borrow().is_empty(), "only a refusal ends a session");
            }
            Err(panic) if panic.downcast_ref() == Some(&"killed") => world.keep_held(who),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        world
    }

    /// Whatever has failed or was killed: once that is over, both have a token that works, unless an answer was lost.
    fn teardown(world: &'static World, time: Time) {
        world.time_passes();
        if !world.lost.borrow().is_empty() || world.store.is_none() {
            return;
        }
        world.next.set((Call::Works, 0));
        for browser in &world.asking {
            let mut browser = browser.borrow_mut();
            // Longer than the longest pause after failures.
            browser.now = time.now + 400;
        }
        for who in 0..2 {
            world.ask(who).expect("a session");
            let expires = world.asking[who].borrow().look("/app", |ctx| {
                with_own(ctx, |session| session.unwrap().record.access_expires).unwrap()
            });
            assert_eq!(expires, time.now + 700, "a fresh token");
        }
    }
}

prop_state_machine! {
    #![proptest_config(machines(48))]

    #[test]
    fn a_refresh_token_is_used_once_whatever_happens(sequential 1..40 => World);
}
