//! Session stores on httpd's socache providers (ap_socache.h): made while the configuration is read, initialised before
//! the children, called by their threads.

use std::cell::{Cell, RefCell};
use std::ffi::{CString, c_uint};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use oxd_core::clock::{Seconds, wall};
use oxd_core::settings::StoreHandle;
use oxd_core::store::Key;

use super::pool::{Pool, c_text};
use super::{process, sys};

/// The mutex that serialises the providers which are not safe by themselves; `Mutex` in httpd's configuration may
/// choose its mechanism.
const MUTEX: &std::ffi::CStr = c"oxd-session-store";
/// What entries are told apart by from those of other modules. The same on all machines.
const NAMESPACE: &std::ffi::CStr = c"mod_oxd";
/// The longest entry that is read, in bytes. shmcb has no word for a buffer that is too small.
pub const LONGEST: usize = 128 * 1024;

/// The size of a shmcb store that names none, in bytes.
const SHMCB_BYTES: usize = 8 << 20;

/// Why a call did not succeed.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// There is no such entry; some providers say so too when they have no server left.
    NotFound,
    /// The entry is too large.
    TooLarge,
    /// Anything else, in APR's words.
    Failed(String),
}

/// One store of the configuration.
pub struct Socache {
    /// The store as the directive names it.
    pub text: String,
    /// The provider's name.
    pub provider: String,
    /// A call of this child has failed since one last succeeded.
    pub suspect: AtomicBool,
    /// Until when this child leaves the store alone, in milliseconds of its own; 0: not at all.
    pub rests_until: AtomicU64,
    functions: *const sys::ap_socache_provider_t,
    instance: *mut sys::ap_socache_instance_t,
    server: AtomicPtr<sys::server_rec>,
    mutex: AtomicPtr<sys::apr_global_mutex_t>,
}

// SAFETY: the pointers are set in the configuration phase, which has one thread. What they point at is made for use by
// several threads, under the mutex where the provider says so.
unsafe impl Send for Socache {}
// SAFETY: as above.
unsafe impl Sync for Socache {}

/// The stores of the configuration that is being read or is in force. They live in its pool.
static STORES: Mutex<Vec<&'static Socache>> = Mutex::new(Vec::new());

fn stores() -> MutexGuard<'static, Vec<&'static Socache>> {
    STORES.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    /// For what providers allocate during a call.
    static SCRATCH: Cell<*mut sys::apr_pool_t> = const { Cell::new(ptr::null_mut()) };
    /// Where an entry is read into.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Makes ready for a new configuration. Called before any directive is read.
///
/// # Safety
/// `pool` must be the pool of that configuration.
pub unsafe fn begin(pool: *mut sys::apr_pool_t) {
    stores().clear();
    // SAFETY: by this function's contract, and in the phase in which httpd wants mutexes to be registered.
    unsafe {
        sys::ap_mutex_register(
            pool,
            MUTEX.as_ptr(),
            ptr::null(),
            sys::apr_lockmech_e_APR_LOCK_DEFAULT,
            0,
        );
    }
}

/// Makes the store that a directive names, unless there is one; a message says what is wrong.
///
/// # Safety
/// `pool` must be the pool of the configuration.
pub unsafe fn open(pool: *mut sys::apr_pool_t, provider: &str, details: &str) -> Result<StoreHandle, String> {
    let text = format!("{provider}:{details}");
    let mut stores = stores();
    if let Some(known) = stores.iter().find(|store| store.text == text) {
        return Ok(handle(known));
    }
    let name = CString::new(provider).map_err(|e| e.to_string())?;
    // Left to itself, shmcb takes half a megabyte, which is room for a hundred sessions.
    let details = match (provider, details) {
        ("shmcb", "") => format!("oxd-session-store({SHMCB_BYTES})"),
        ("shmcb", path) if !path.contains('(') => format!("{path}({SHMCB_BYTES})"),
        _ => details.to_owned(),
    };
    let details = CString::new(details).map_err(|e| e.to_string())?;
    // SAFETY: the texts are C strings and are copied into the pool where the provider keeps them; the pool is live by
    // this function's contract; the provider's structure lives as long as its module, which outlives the configuration.
    unsafe {
        let functions = sys::ap_lookup_provider(
            sys::AP_SOCACHE_PROVIDER_GROUP.as_ptr().cast(),
            name.as_ptr(),
            sys::AP_SOCACHE_PROVIDER_VERSION.as_ptr().cast(),
        )
        .cast::<sys::ap_socache_provider_t>();
        let Some(create) = functions.as_ref().and_then(|functions| functions.create) else {
            return Err(format!(
                "{text} once mod_socache_{provider} is loaded: LoadModule socache_{provider}_module \
                 modules/mod_socache_{provider}.so"
            ));
        };
        let arguments = if details.is_empty() {
            ptr::null()
        } else {
            sys::apr_pstrmemdup(pool, details.as_ptr(), details.as_bytes().len() as _)
        };
        let mut instance = ptr::null_mut();
        if let Some(complaint) = c_text(create(&mut instance, arguments, pool, pool)) {
            return Err(format!(
                "what mod_socache_{provider} takes; it says: {}",
                complaint.to_string_lossy()
            ));
        }
        let Some(pool) = Pool::from_raw(pool) else {
            return Err("a pool".into());
        };
        let store: &'static Socache = pool.arena().keep(Socache {
            text,
            provider: provider.to_owned(),
            suspect: AtomicBool::new(false),
            rests_until: AtomicU64::new(0),
            functions,
            instance,
            server: AtomicPtr::new(ptr::null_mut()),
            mutex: AtomicPtr::new(ptr::null_mut()),
        });
        stores.push(store);
        Ok(handle(store))
    }
}

fn handle(store: &'static Socache) -> StoreHandle {
    StoreHandle(ptr::from_ref(store).expose_provenance())
}

/// The store of a handle.
pub fn at(handle: StoreHandle) -> &'static Socache {
    // SAFETY: handles come from `open` only, stand in a configuration, and are used no longer than that lives; the
    // store lives in the same pool.
    unsafe { &*ptr::with_exposed_provenance::<Socache>(handle.0) }
}

/// Initialises all stores, in the parent; a message names the one that failed.
///
/// # Safety
/// `server` must be the main server and `pool` the pool of the configuration.
pub unsafe fn prepare(server: *mut sys::server_rec, pool: *mut sys::apr_pool_t) -> Result<(), String> {
    let stores = stores();
    let mut mutex: *mut sys::apr_global_mutex_t = ptr::null_mut();
    for store in stores.iter() {
        // SAFETY: by this function's contract; httpd calls this in its one configuration thread.
        let status = unsafe {
            let functions = &*store.functions;
            if functions.flags & sys::AP_SOCACHE_FLAG_NOTMPSAFE as c_uint != 0 {
                if mutex.is_null() {
                    let status = sys::ap_global_mutex_create(
                        &mut mutex,
                        ptr::null_mut(),
                        MUTEX.as_ptr(),
                        ptr::null(),
                        server,
                        pool,
                        0,
                    );
                    if status != sys::APR_SUCCESS {
                        return Err(format!("the mutex of the session store: {}", words(status)));
                    }
                }
                store.mutex.store(mutex, Ordering::Release);
            }
            store.server.store(server, Ordering::Release);
            let hints = sys::ap_socache_hints {
                avg_id_len: 32,
                avg_obj_size: 1_500,
                expiry_interval: 60_000_000,
            };
            match functions.init {
                Some(init) => init(store.instance, NAMESPACE.as_ptr(), &hints, server, pool),
                None => sys::APR_SUCCESS,
            }
        };
        if status != sys::APR_SUCCESS {
            return Err(format!("OxdSessionStore {}: {}", store.text, words(status)));
        }
    }
    Ok(())
}

/// Makes the mutex usable in a child; a message when that fails.
///
/// # Safety
/// `pool` must be the child's pool.
pub unsafe fn prepare_child(pool: *mut sys::apr_pool_t) -> Result<(), String> {
    let stores = stores();
    let mut mutex = stores
        .iter()
        .map(|store| store.mutex.load(Ordering::Acquire))
        .find(|mutex| !mutex.is_null())
        .unwrap_or(ptr::null_mut());
    if mutex.is_null() {
        return Ok(());
    }
    // SAFETY: the mutex was made in `prepare`, and the child has only this thread yet.
    let status = unsafe {
        let file = sys::apr_global_mutex_lockfile(mutex);
        sys::apr_global_mutex_child_init(&mut mutex, file, pool)
    };
    for store in stores
        .iter()
        .filter(|s| !s.mutex.load(Ordering::Acquire).is_null())
    {
        store.mutex.store(mutex, Ordering::Release);
    }
    if status == sys::APR_SUCCESS {
        Ok(())
    } else {
        Err(format!("the mutex of the session store: {}", words(status)))
    }
}

/// APR's words for a status.
fn words(status: sys::apr_status_t) -> String {
    let mut buffer = [0 as std::ffi::c_char; 200];
    // SAFETY: the buffer has that length; APR ends the text with a NUL.
    unsafe {
        sys::apr_strerror(status, buffer.as_mut_ptr(), buffer.len() as _);
        c_text(buffer.as_ptr()).map_or_else(String::new, |text| text.to_string_lossy().into_owned())
    }
}

/// The mutex of stores that are not safe by themselves, as long as it is held.
struct Held(*mut sys::apr_global_mutex_t);

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: the mutex was locked by this thread.
        unsafe {
            sys::apr_global_mutex_unlock(self.0);
        }
    }
}

/// Calls to one store, one after the other, with the mutex held where it is wanted.
pub struct Calls<'s> {
    store: &'s Socache,
    pool: *mut sys::apr_pool_t,
    _held: Option<Held>,
}

impl Socache {
    /// The same store for other threads, which live as long as the configuration.
    pub fn lasting(&self) -> &'static Self {
        // SAFETY: every store lives in the pool of the configuration, and so do those who call it: a child never
        // reads another configuration.
        unsafe { &*ptr::from_ref(self) }
    }

    /// Begins calls.
    pub fn calls(&self) -> Result<Calls<'_>, Refusal> {
        let mutex = self.mutex.load(Ordering::Acquire);
        let held = if mutex.is_null() {
            None
        } else {
            // SAFETY: the mutex lives as long as the configuration.
            match unsafe { sys::apr_global_mutex_lock(mutex) } {
                status if status == sys::APR_SUCCESS => Some(Held(mutex)),
                status => return Err(Refusal::Failed(format!("the mutex: {}", words(status)))),
            }
        };
        let pool = SCRATCH.with(|scratch| {
            if scratch.get().is_null() {
                let mut pool = ptr::null_mut();
                // SAFETY: the out parameter is valid; a pool without a parent is the process's own and may be made in
                // any thread.
                unsafe {
                    sys::apr_pool_create_ex(&mut pool, ptr::null_mut(), None, ptr::null_mut());
                }
                scratch.set(pool);
            }
            scratch.get()
        });
        if pool.is_null() {
            return Err(Refusal::Failed("no memory for a pool".into()));
        }
        Ok(Calls {
            store: self,
            pool,
            _held: held,
        })
    }
}

impl Calls<'_> {
    fn outcome(&self, status: sys::apr_status_t) -> Result<(), Refusal> {
        // SAFETY: the pool is this thread's own, and nothing that the call has put there is used any more.
        unsafe { sys::apr_pool_clear(self.pool) }
        if status == sys::APR_SUCCESS {
            Ok(())
        } else if status == sys::APR_NOTFOUND {
            Err(Refusal::NotFound)
        } else if status == sys::APR_ENOSPC || status == sys::APR_ENOMEM {
            Err(Refusal::TooLarge)
        } else {
            Err(Refusal::Failed(words(status)))
        }
    }

    fn server(&self) -> *mut sys::server_rec {
        self.store.server.load(Ordering::Acquire)
    }

    /// Reads an entry.
    pub fn retrieve(&self, key: &Key) -> Result<Vec<u8>, Refusal> {
        BUFFER.with_borrow_mut(|buffer| {
            buffer.resize(LONGEST, 0);
            let mut length = buffer.len() as c_uint;
            // SAFETY: provider and instance belong together and are initialised; key and buffer have the lengths given.
            let status = unsafe {
                match (*self.store.functions).retrieve {
                    Some(retrieve) => retrieve(
                        self.store.instance,
                        self.server(),
                        key.as_ptr(),
                        key.len() as c_uint,
                        buffer.as_mut_ptr(),
                        &mut length,
                        self.pool,
                    ),
                    None => sys::APR_NOTFOUND,
                }
            };
            // With Berkeley DB below, mod_socache_dbm has this word for an entry that is not there.
            let is_absent = self.store.provider == "dbm" && status == sys::APR_EGENERAL;
            self.outcome(if is_absent { sys::APR_NOTFOUND } else { status })?;
            let bytes = usize::try_from(length)
                .ok()
                .and_then(|length| buffer.get(..length));
            bytes
                .map(<[u8]>::to_vec)
                .ok_or_else(|| Refusal::Failed("an entry longer than its buffer".into()))
        })
    }

    /// Writes an entry.
    pub fn store(&self, key: &Key, value: &[u8], until: Seconds) -> Result<(), Refusal> {
        let mut value = value.to_vec();
        // Providers turn this into whole seconds from now, cut off; what has no second left they refuse or keep for ever.
        let until = until.max(wall()).saturating_add(2);
        let until = i64::try_from(until.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
        // SAFETY: as for `retrieve`; the provider may change the value, which is a copy.
        let status = unsafe {
            match (*self.store.functions).store {
                Some(store) => store(
                    self.store.instance,
                    self.server(),
                    key.as_ptr(),
                    key.len() as c_uint,
                    until,
                    value.as_mut_ptr(),
                    value.len() as c_uint,
                    self.pool,
                ),
                None => sys::APR_EINVAL,
            }
        };
        self.outcome(status)
    }

    /// Takes an entry away.
    pub fn remove(&self, key: &Key) -> Result<(), Refusal> {
        // SAFETY: as for `retrieve`.
        let status = unsafe {
            match (*self.store.functions).remove {
                Some(remove) => remove(
                    self.store.instance,
                    self.server(),
                    key.as_ptr(),
                    key.len() as c_uint,
                    self.pool,
                ),
                None => sys::APR_EINVAL,
            }
        };
        self.outcome(status)
    }
}

/// Starts a thread for calls that may stall.
pub fn spawn(body: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    process::with_signals_blocked(|| {
        std::thread::Builder::new()
            .name("mod_oxd store".into())
            .spawn(body)
            .map(drop)
    })
}
