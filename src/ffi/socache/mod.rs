//! httpd's socache providers (ap_socache.h): an instance is created while the configuration is read, initialised before
//! the children start, and called by their threads.

mod buffer;
mod calls;
mod mutex;

pub use buffer::Room;
pub use calls::{Calls, LONGEST, Refusal};
pub use mutex::{prepare_child, register_mutex};

use std::ffi::{CStr, c_uint, c_void};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

use super::command::Command;
use super::pool::c_text;
use super::server::Servers;
use super::sys;

/// A slot for a provider's instance, filled while a configuration names the store.
#[derive(Debug)]
pub struct Socache {
    /// Allocated in the pool of the configuration, whose cleanup removes it.
    instance: AtomicPtr<Instance>,
    /// The main server of that configuration.
    server: AtomicPtr<sys::server_rec>,
}

/// The instance that a provider created.
#[derive(Clone, Copy)]
struct Instance {
    functions: NonNull<sys::ap_socache_provider_t>,
    raw: *mut sys::ap_socache_instance_t,
}

/// Why a provider created no instance.
pub enum NotOpened {
    /// No loaded module has this provider.
    NoProvider,
    /// The provider's error message about its arguments.
    Refused(String),
}

/// Hints to a provider about the entries.
pub struct Hints {
    /// The length of a key.
    pub key_bytes: u32,
    /// The usual length of a value.
    pub value_bytes: u32,
    /// How often the provider may look for expired entries, in microseconds.
    pub expiry_interval: i64,
}

impl Instance {
    fn functions(&self) -> &sys::ap_socache_provider_t {
        // SAFETY: the provider's structure is static data of its module, which outlives the configuration.
        unsafe { self.functions.as_ref() }
    }

    /// Whether only one thread of all processes may call the provider at a time.
    fn is_serial(&self) -> bool {
        self.functions().flags & sys::AP_SOCACHE_FLAG_NOTMPSAFE as c_uint != 0
    }
}

impl Socache {
    /// An empty slot.
    pub const fn new() -> Self {
        Self {
            instance: AtomicPtr::new(ptr::null_mut()),
            server: AtomicPtr::new(ptr::null_mut()),
        }
    }

    fn instance(&self) -> Option<Instance> {
        // SAFETY: NULL, or what `open` put there; the configuration's pool removes it before it frees the memory. A
        // child does not free the configuration while its threads run.
        unsafe { self.instance.load(Ordering::Acquire).as_ref() }.copied()
    }

    /// Whether the configuration that was read last has an instance here.
    pub fn is_open(&self) -> bool {
        self.instance().is_some()
    }

    /// Creates the instance of a provider for the configuration that is being read.
    pub fn open(
        &'static self,
        command: Command<'_>,
        provider: &CStr,
        arguments: Option<&CStr>,
    ) -> Result<(), NotOpened> {
        if !command.is_of_server() {
            // A request's pool ends before the threads that would call the instance.
            return Err(NotOpened::Refused(
                "it belongs into the server's configuration".into(),
            ));
        }
        let pool = command.pool();
        // SAFETY: all three texts are C strings.
        let functions = unsafe {
            sys::ap_lookup_provider(
                sys::AP_SOCACHE_PROVIDER_GROUP.as_ptr().cast(),
                provider.as_ptr(),
                sys::AP_SOCACHE_PROVIDER_VERSION.as_ptr().cast(),
            )
        };
        let functions = NonNull::new(functions.cast::<sys::ap_socache_provider_t>());
        let mut instance = Instance {
            functions: functions.ok_or(NotOpened::NoProvider)?,
            raw: ptr::null_mut(),
        };
        let create = instance.functions().create.ok_or(NotOpened::NoProvider)?;
        // The provider may keep a pointer to the text.
        let arguments = arguments.map_or(ptr::null(), |text| pool.text(text.to_bytes()).as_ptr());
        // SAFETY: the out parameter is valid; text and pool live as long as the configuration.
        let complaint = unsafe { create(&mut instance.raw, arguments, pool.as_ptr(), pool.as_ptr()) };
        // SAFETY: NULL, or a C string in the pool.
        if let Some(complaint) = unsafe { c_text(complaint) } {
            return Err(NotOpened::Refused(complaint.to_string_lossy().into_owned()));
        }
        let place = pool.place(instance).as_ptr();
        // SAFETY: the pool is live; `self` is static.
        unsafe {
            sys::apr_pool_cleanup_register(
                pool.as_ptr(),
                ptr::from_ref(self).cast_mut().cast(),
                Some(close),
                Some(sys::apr_pool_cleanup_null),
            );
        }
        self.instance.store(place, Ordering::Release);
        Ok(())
    }

    /// Initialises the instance, in the parent; an error message when that fails.
    pub fn prepare(
        &self,
        servers: Servers<'_>,
        namespace: &'static CStr,
        hints: &Hints,
    ) -> Result<(), String> {
        let Some(instance) = self.instance() else {
            return Ok(());
        };
        if instance.is_serial() {
            mutex::make(servers)?;
        }
        let hints = sys::ap_socache_hints {
            avg_id_len: hints.key_bytes as _,
            avg_obj_size: hints.value_bytes as _,
            expiry_interval: hints.expiry_interval,
        };
        self.server.store(servers.as_ptr(), Ordering::Release);
        let Some(init) = instance.functions().init else {
            return Ok(());
        };
        // SAFETY: functions and instance belong together; server and pool are live, and are those of the configuration.
        let status = unsafe {
            init(
                instance.raw,
                namespace.as_ptr(),
                &hints,
                servers.as_ptr(),
                servers.pool().as_ptr(),
            )
        };
        if status == sys::APR_SUCCESS {
            Ok(())
        } else {
            Err(words(status))
        }
    }
}

/// Removes the instance before its configuration's pool is cleared. The code is still mapped then, because it is linked
/// with `-z nodelete`.
unsafe extern "C" fn close(place: *mut c_void) -> sys::apr_status_t {
    // SAFETY: `open` registered this with a static `Socache`.
    let socache = unsafe { &*place.cast::<Socache>() };
    socache.instance.store(ptr::null_mut(), Ordering::Release);
    socache.server.store(ptr::null_mut(), Ordering::Release);
    sys::APR_SUCCESS
}

/// APR's message for a status.
fn words(status: sys::apr_status_t) -> String {
    let mut buffer = [0 as std::ffi::c_char; 200];
    // SAFETY: the buffer has that length.
    unsafe { sys::apr_strerror(status, buffer.as_mut_ptr(), buffer.len() as _) };
    // SAFETY: APR ends the text with a NUL.
    unsafe { c_text(buffer.as_ptr()) }.map_or_else(String::new, |text| text.to_string_lossy().into_owned())
}
