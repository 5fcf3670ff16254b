//! Small things every part needs: randomness, a clock that tests can push, locks.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// An unguessable text of `[A-Za-z0-9_-]` from `bytes` random bytes.
pub(crate) fn random(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    // Without randomness nothing here could be told apart; there is no way on.
    SystemRandom::new()
        .fill(&mut buffer)
        .expect("the system has no randomness");
    b64(&buffer)
}

/// A random identifier in the look of a UUID, as oxd gives out.
pub(crate) fn random_uuid() -> String {
    let mut bytes = [0_u8; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the system has no randomness");
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// base64url without padding (RFC 7515, section 2).
pub(crate) fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The reverse of [`b64`].
pub(crate) fn unb64(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// The claims inside a JWT, without a look at its signature.
pub(crate) fn jwt_payload(jwt: &str) -> Option<serde_json::Value> {
    let payload = jwt.split('.').nth(1)?;
    serde_json::from_slice(&unb64(payload)?).ok()
}

/// Percent-encoded as a form would be, for a query.
pub(crate) fn encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Seconds since 1970.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// Locks even after a panic elsewhere: a test that failed must not fail the others.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The clock for lifetimes: states, codes, tokens, sign-ins. Times that leave the
/// process (`iat`, `exp`) are the system's own, since others compare them with theirs.
#[derive(Clone, Default)]
pub(crate) struct Clock {
    ahead: Arc<Mutex<Duration>>,
}

impl Clock {
    pub(crate) fn now(&self) -> Instant {
        Instant::now() + *lock(&self.ahead)
    }

    pub(crate) fn advance(&self, by: Duration) {
        *lock(&self.ahead) += by;
    }

    /// Whether `since` lies `lifetime` or more in the past.
    pub(crate) fn is_over(&self, since: Instant, lifetime: Duration) -> bool {
        self.now().saturating_duration_since(since) >= lifetime
    }
}
