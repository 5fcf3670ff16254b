//! APR pools: memory that lives as long as a request or a configuration.

use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;
use std::mem::needs_drop;
use std::ptr::NonNull;

use oxd_core::base::Arena;
use oxd_core::config::AuthParam;

use super::request_state::PoolText;
use super::sys;

/// A pool that lives at least as long as `'p`.
#[derive(Clone, Copy)]
pub struct Pool<'p> {
    raw: NonNull<sys::apr_pool_t>,
    life: PhantomData<&'p ()>,
}

impl<'p> Pool<'p> {
    /// # Safety
    /// `raw` must be a live pool that is not cleared or destroyed during `'p`.
    pub unsafe fn from_raw(raw: *mut sys::apr_pool_t) -> Option<Self> {
        NonNull::new(raw).map(|raw| Self {
            raw,
            life: PhantomData,
        })
    }

    pub(super) fn as_ptr(self) -> *mut sys::apr_pool_t {
        self.raw.as_ptr()
    }

    /// `len` zeroed bytes.
    pub fn bytes(self, len: usize) -> &'p mut [u8] {
        // SAFETY: the pool is live by the contract of `from_raw`.
        let memory = unsafe { sys::apr_palloc(self.raw.as_ptr(), len.max(1)) }.cast::<u8>();
        // SAFETY: apr_palloc returns memory of that size, or ends the process.
        unsafe { memory.write_bytes(0, len) };
        // SAFETY: the memory is initialised now, nobody else has it, and it lives as long as the pool.
        unsafe { std::slice::from_raw_parts_mut(memory, len) }
    }

    /// A copy of bytes.
    pub fn bytes_of(self, bytes: &[u8]) -> &'p mut [u8] {
        // SAFETY: the pool is live by the contract of `from_raw`.
        let memory = unsafe { sys::apr_palloc(self.raw.as_ptr(), bytes.len().max(1)) }.cast::<u8>();
        // SAFETY: apr_palloc returns fresh memory of that size, or ends the process.
        unsafe { memory.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        // SAFETY: the memory is initialised now, nobody else has it, and it lives as long as the pool.
        unsafe { std::slice::from_raw_parts_mut(memory, bytes.len()) }
    }

    /// A NUL-terminated copy of a text. An embedded NUL truncates it for C, which is harmless.
    pub fn text(self, text: &[u8]) -> &'p CStr {
        let memory = self.bytes(text.len() + 1);
        memory[..text.len()].copy_from_slice(text);
        CStr::from_bytes_until_nul(memory).unwrap_or_default()
    }

    /// The same for a text that only C reads.
    pub fn copy(self, text: &[u8]) -> PoolText<'p> {
        // SAFETY: the pool is live by the contract of `from_raw`.
        let memory = unsafe { sys::apr_palloc(self.raw.as_ptr(), text.len() + 1) }.cast::<u8>();
        // SAFETY: apr_palloc returns fresh memory of that size, or ends the process.
        unsafe { memory.copy_from_nonoverlapping(text.as_ptr(), text.len()) };
        // SAFETY: the last byte of that memory.
        unsafe { memory.add(text.len()).write(0) };
        // SAFETY: the memory is initialised now, nobody writes to it, and it lives as long as the pool.
        PoolText::of_terminated(unsafe { std::slice::from_raw_parts(memory, text.len() + 1) })
    }

    /// The same for several texts, in one piece of memory.
    pub fn copies<const N: usize>(self, texts: [&[u8]; N]) -> [PoolText<'p>; N] {
        let length = texts.iter().map(|text| text.len() + 1).sum();
        // SAFETY: the pool is live by the contract of `from_raw`.
        let mut memory = unsafe { sys::apr_palloc(self.raw.as_ptr(), length) }.cast::<u8>();
        texts.map(|text| {
            let start = memory;
            // SAFETY: apr_palloc has returned fresh memory for all texts, each with its NUL, or ended the process.
            unsafe {
                start.copy_from_nonoverlapping(text.as_ptr(), text.len());
                memory = start.add(text.len());
                memory.write(0);
                memory = memory.add(1);
            }
            // SAFETY: these bytes are initialised now, nobody writes to them, and they live as long as the pool.
            PoolText::of_terminated(unsafe { std::slice::from_raw_parts(start, text.len() + 1) })
        })
    }

    /// Places a value in the pool. It is never dropped.
    pub(super) fn place<T>(self, value: T) -> NonNull<T> {
        const { assert!(align_of::<T>() <= 8, "apr_palloc aligns to 8 bytes") };
        const { assert!(!needs_drop::<T>(), "nothing drops what is in a pool") };
        // SAFETY: the pool is live by the contract of `from_raw`.
        let memory = unsafe { sys::apr_palloc(self.raw.as_ptr(), size_of::<T>()) }.cast::<T>();
        // SAFETY: the memory is fresh, large enough and aligned to 8 bytes (APR_ALIGN_DEFAULT).
        unsafe { memory.write(value) };
        // SAFETY: apr_palloc does not return NULL: httpd ends when there is no memory.
        unsafe { NonNull::new_unchecked(memory) }
    }

    /// A copy of a list.
    pub fn list<T: Copy>(self, items: &[T]) -> &'p [T] {
        const { assert!(align_of::<T>() <= 8, "apr_palloc aligns to 8 bytes") };
        if items.is_empty() {
            return &[];
        }
        // SAFETY: the pool is live by the contract of `from_raw`.
        let memory = unsafe { sys::apr_palloc(self.raw.as_ptr(), size_of_val(items)) }.cast::<T>();
        // SAFETY: apr_palloc returns fresh memory of that size, aligned to 8 bytes, or ends the process.
        unsafe { memory.copy_from_nonoverlapping(items.as_ptr(), items.len()) };
        // SAFETY: the memory is initialised now, nobody writes to it, and it lives as long as the pool.
        unsafe { std::slice::from_raw_parts(memory, items.len()) }
    }

    /// Calls a function before the pool and its subpools end.
    ///
    /// # Safety
    /// The pool must end while the module's code is mapped, and `call` must not use its argument.
    pub unsafe fn before_end(self, call: unsafe extern "C" fn(*mut c_void) -> sys::apr_status_t) {
        // SAFETY: the pool is live; the rest by this function's contract.
        unsafe { sys::apr_pool_pre_cleanup_register(self.raw.as_ptr(), std::ptr::null(), Some(call)) }
    }

    /// Keeps a value in the pool.
    pub fn keep<T: Copy>(self, value: T) -> &'p T {
        // SAFETY: the value was just placed, nobody writes to it, and it lives as long as the pool.
        unsafe { self.place(value).as_ref() }
    }

    /// The arena for the directive values that are read into this pool; it is dropped with the pool.
    pub fn arena(self) -> &'p Arena<AuthParam<'p>> {
        const KEY: &CStr = c"mod_oxd arena";
        let mut found: *mut c_void = std::ptr::null_mut();
        // SAFETY: the pool is live; key and out parameter are valid.
        unsafe { sys::apr_pool_userdata_get(&mut found, KEY.as_ptr(), self.raw.as_ptr()) };
        if found.is_null() {
            found = Box::into_raw(Box::<Arena<AuthParam<'_>>>::default()).cast();
            // SAFETY: as above; the pool's cleanup frees the arena, once.
            unsafe { sys::apr_pool_userdata_setn(found, KEY.as_ptr(), Some(drop_arena), self.raw.as_ptr()) };
        }
        // SAFETY: the data under this key is only ever set above, and lives as long as the pool. Another caller may see
        // the arena with another 'p, which is harmless: the arena returns an item only to the caller that added it, and
        // does not look at items when it drops them.
        unsafe { &*found.cast::<Arena<AuthParam<'p>>>() }
    }
}

/// Frees the arena when its pool is cleared. The code is still mapped then, because it is linked with `-z nodelete`.
unsafe extern "C" fn drop_arena(data: *mut c_void) -> sys::apr_status_t {
    super::guard::contained(
        || {
            // SAFETY: the pool calls this once, with the pointer that `Pool::arena` made from a Box.
            drop(unsafe { Box::from_raw(data.cast::<Arena<AuthParam<'_>>>()) });
        },
        |_| (),
    );
    0
}

/// The bytes of a C string; `None` for NULL.
///
/// # Safety
/// `text` must be NULL or a NUL-terminated string that lives and stays unchanged during `'s`.
pub unsafe fn c_text<'s>(text: *const c_char) -> Option<&'s CStr> {
    if text.is_null() {
        return None;
    }
    // SAFETY: by this function's contract.
    Some(unsafe { CStr::from_ptr(text) })
}
