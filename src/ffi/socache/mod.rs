//! Session stores on httpd's socache providers (ap_socache.h): made while the configuration is read, initialised before
//! the children, called by their threads.

mod calls;

pub use calls::{LONGEST, Refusal};

use std::ffi::{CString, c_uint};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::ffi::pool::{Pool, c_text};
use crate::ffi::{process, sys};

/// The mutex that serialises the providers which are not safe by themselves; `Mutex` in httpd's configuration may
/// choose its mechanism.
const MUTEX: &std::ffi::CStr = c"oxd-session-store";
/// What entries are told apart by from those of other modules. The same on all machines.
const NAMESPACE: &std::ffi::CStr = c"mod_oxd";
/// The size of a shmcb store that names none, in bytes.
const SHMCB_BYTES: usize = 8 << 20;

/// One store of the configuration.
#[derive(Debug)]
pub struct Socache {
    /// The store as the directive names it.
    pub text: String,
    /// The provider's name.
    pub provider: String,
    /// A call of this child has failed since one last succeeded.
    pub suspect: AtomicBool,
    /// Until when this child leaves the store alone, in milliseconds of its own; 0: not at all.
    pub rests_until: AtomicU64,
    pub(super) functions: *const sys::ap_socache_provider_t,
    pub(super) instance: *mut sys::ap_socache_instance_t,
    pub(super) server: AtomicPtr<sys::server_rec>,
    pub(super) mutex: AtomicPtr<sys::apr_global_mutex_t>,
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
pub unsafe fn open(
    pool: *mut sys::apr_pool_t,
    provider: &str,
    details: &str,
) -> Result<&'static Socache, String> {
    let text = format!("{provider}:{details}");
    let mut stores = stores();
    if let Some(known) = stores.iter().find(|store| store.text == text) {
        return Ok(known);
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
        Ok(store)
    }
}

/// Initialises all stores, in the parent; a message names the one that failed.
///
/// # Safety
/// `server` must be the main server and `pool` the pool of the configuration.
pub unsafe fn prepare(server: *mut sys::server_rec, pool: *mut sys::apr_pool_t) -> Result<(), String> {
    let stores = stores();
    for store in stores.iter() {
        // SAFETY: by this function's contract; httpd calls this in its one configuration thread.
        let status = unsafe {
            let functions = &*store.functions;
            if functions.flags & sys::AP_SOCACHE_FLAG_NOTMPSAFE as c_uint != 0 {
                store.mutex.store(process_mutex(server)?, Ordering::Release);
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

/// The mutex of all stores that want one, made at the first start.
///
/// It lives as long as the process: a child that is born during a graceful restart must not lose it with the old
/// configuration, and the children of both configurations may use one file.
///
/// # Safety
/// `server` must be the main server.
unsafe fn process_mutex(server: *mut sys::server_rec) -> Result<*mut sys::apr_global_mutex_t, String> {
    static MADE: AtomicPtr<sys::apr_global_mutex_t> = AtomicPtr::new(ptr::null_mut());
    let mut mutex = MADE.load(Ordering::Acquire);
    if mutex.is_null() {
        // SAFETY: the main server has its process, whose pool lives longest; httpd calls this in its one configuration
        // thread. What the pool cleans up at its end is APR's own.
        let status = unsafe {
            sys::ap_global_mutex_create(
                &mut mutex,
                ptr::null_mut(),
                MUTEX.as_ptr(),
                ptr::null(),
                server,
                (*(*server).process).pool,
                0,
            )
        };
        if status != sys::APR_SUCCESS {
            return Err(format!("the mutex of the session store: {}", words(status)));
        }
        MADE.store(mutex, Ordering::Release);
    }
    Ok(mutex)
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
pub(super) fn words(status: sys::apr_status_t) -> String {
    let mut buffer = [0 as std::ffi::c_char; 200];
    // SAFETY: the buffer has that length; APR ends the text with a NUL.
    unsafe {
        sys::apr_strerror(status, buffer.as_mut_ptr(), buffer.len() as _);
        c_text(buffer.as_ptr()).map_or_else(String::new, |text| text.to_string_lossy().into_owned())
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
