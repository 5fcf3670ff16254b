//! The day of a busy site, in numbers.
//!
//! 5,000 users who sign in four times a day each (at work, on the phone, after lunch, from home), look at some twenty
//! pages each time, half of the time sign out; applications with access tokens; a provider and administrators at work.

use crate::record::Kind;

/// How often each kind of request happens in a day.
pub const REQUESTS: [(Kind, u64); 12] = [
    (Kind::Login, 20_000),
    (Kind::Page, 300_000),
    (Kind::Tabs, 10_000),
    (Kind::Session, 40_000),
    (Kind::Open, 60_000),
    (Kind::Jwt, 40_000),
    (Kind::Opaque, 4_000),
    (Kind::Logout, 10_000),
    (Kind::BackChannel, 3_000),
    (Kind::Ended, 15_000),
    (Kind::Stranger, 10_000),
    (Kind::Metrics, 2_880),
];

/// What is done to httpd and to what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// `apachectl graceful`.
    Graceful,
    /// The logs are moved away, then a graceful restart, as logrotate does. With piped logs `rotatelogs` does it.
    Rotation,
    /// A new `OxdCryptoKey` in front of the old one, then a graceful restart.
    CryptoKey,
    /// The provider signs with a new key; the old one stays published.
    SigningKey,
    /// It publishes the old ones no more.
    RetiredKeys,
    /// oxd takes requests and answers none.
    OxdStalled,
    /// Nobody listens at oxd's port.
    OxdGone,
    /// A graceful restart while oxd is stalled.
    OxdStalledAtRestart,
    /// The store does nothing more for a while.
    StoreStalled,
    /// The store is killed and started again.
    StoreKilled,
}

impl Event {
    /// What the tables call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Graceful => "graceful restart",
            Self::Rotation => "graceful restart with rotated logs",
            Self::CryptoKey => "graceful restart with another OxdCryptoKey",
            Self::SigningKey => "new key of the provider",
            Self::RetiredKeys => "old keys of the provider withdrawn",
            Self::OxdStalled => "oxd stalled",
            Self::OxdGone => "oxd away",
            Self::OxdStalledAtRestart => "oxd stalled at a graceful restart",
            Self::StoreStalled => "store stalled",
            Self::StoreKilled => "store killed",
        }
    }
}

/// What happens in a part of a store's turn: in that with restarts, of which `count` are plain ones, or in that
/// without, where the list is always the same. Each store gets its fifth of a day's requests, and all of these events:
/// with five stores a day that reloads 40 times has 200 plain reloads.
pub fn events(restarts: bool, count: usize) -> Vec<Event> {
    use Event::*;
    if restarts {
        // Others are worked in between.
        let mut events = vec![Graceful; count];
        let others = [
            Rotation,
            CryptoKey,
            SigningKey,
            OxdStalledAtRestart,
            Rotation,
            CryptoKey,
            Rotation,
            RetiredKeys,
            CryptoKey,
            Rotation,
        ];
        let others = &others[..others.len().min(count)];
        for (number, other) in others.iter().enumerate() {
            let at = count * (number + 1) / (others.len() + 1);
            events.insert((at + number).min(events.len()), *other);
        }
        return events;
    }
    // A new key of the provider soon after oxd's return is the one that children may have missed.
    vec![
        OxdStalled,
        StoreStalled,
        OxdGone,
        SigningKey,
        StoreKilled,
        RetiredKeys,
    ]
}
