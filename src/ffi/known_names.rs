//! Entries with names that are known beforehand, which go to a table of a request together.
//!
//! `apr_table_addn` computes a checksum of each name and makes room for each entry. Here the checksums are taken once
//! from entries that APR has made, and `apr_table_overlay` puts old and new entries into one table and indexes it:
//! about 25 instructions for an entry in place of 62.

use std::ffi::{CStr, c_char, c_int};
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

use super::pool::Pool;
use super::request::Request;
use super::request_state::PoolText;
use super::sys;
use super::table::{Table, array_of};

/// Names of entries.
pub struct KnownNames<const N: usize> {
    names: [&'static CStr; N],
    read: OnceLock<ReadNames<N>>,
}

/// The same as APR has them.
struct ReadNames<const N: usize> {
    names: [Name; N],
    /// Whether a table finds what is added as it is done here.
    is_found: bool,
}

/// A name of an entry.
#[derive(Clone, Copy)]
pub struct Name {
    /// A static C string. A name of two words is found sooner than one of three.
    text: *const c_char,
    /// `key_checksum` of `apr_table_entry_t` (apr_tables.h).
    checksum: u32,
}

// SAFETY: the text is static, and nobody writes to it.
unsafe impl Send for Name {}
// SAFETY: as above.
unsafe impl Sync for Name {}

impl<const N: usize> KnownNames<N> {
    /// These names.
    pub const fn new(names: [&'static CStr; N]) -> Self {
        Self {
            names,
            read: OnceLock::new(),
        }
    }

    /// Asks APR about them, before the first request would have to.
    pub fn prepare(&self, pool: Pool<'_>) {
        self.read(pool);
    }

    fn read(&self, pool: Pool<'_>) -> &ReadNames<N> {
        self.read.get_or_init(|| ReadNames::of(self.names, pool))
    }
}

impl<const N: usize> ReadNames<N> {
    #[cold]
    fn of(names: [&'static CStr; N], pool: Pool<'_>) -> Self {
        // SAFETY: the pool is live.
        let table = unsafe { sys::apr_table_make(pool.as_ptr(), 1) };
        for name in names {
            // SAFETY: the table was just made; the texts are static.
            unsafe { sys::apr_table_addn(table, name.as_ptr(), name.as_ptr()) };
        }
        // SAFETY: the table was just made.
        let array = unsafe { array_of(table).read() };
        // SAFETY: this one has an entry for each name, in that order.
        let made = unsafe { array.elts.cast::<[sys::apr_table_entry_t; N]>().read() };
        let names = std::array::from_fn(|place| Name {
            text: names[place].as_ptr(),
            checksum: made[place].key_checksum,
        });
        let is_found = are_found(&names, pool);
        Self { names, is_found }
    }
}

/// Whether `apr_table_get` finds entries that were put into a table together.
fn are_found(names: &[Name], pool: Pool<'_>) -> bool {
    let mut list = List::of(pool, names.len());
    for name in names {
        list.push(name, name.text);
    }
    // SAFETY: the pool is live.
    let empty = unsafe { sys::apr_table_make(pool.as_ptr(), 1) };
    // SAFETY: the table was just made in this pool; the texts are static.
    let table = unsafe { list.before(pool, empty) };
    names.iter().all(|name| {
        // SAFETY: a live table, a C string.
        let value = unsafe { sys::apr_table_get(table, name.text) };
        value == name.text
    })
}

/// A table whose entries are written and not yet indexed.
struct List {
    /// `None` where it has room for no entry.
    table: Option<NonNull<sys::apr_table_t>>,
    /// The next free place.
    next: *mut sys::apr_table_entry_t,
    /// Behind the last place.
    end: *mut sys::apr_table_entry_t,
}

impl List {
    const NONE: Self = Self {
        table: None,
        next: ptr::null_mut(),
        end: ptr::null_mut(),
    };

    /// An empty one with room for so many; for none where APR makes another table than it was asked for.
    #[inline]
    fn of(pool: Pool<'_>, most: usize) -> Self {
        let Ok(count) = i32::try_from(most) else {
            return Self::NONE;
        };
        // SAFETY: the pool is live.
        let Some(table) = NonNull::new(unsafe { sys::apr_table_make(pool.as_ptr(), count) }) else {
            return Self::NONE;
        };
        // SAFETY: the table was just made.
        let array = unsafe { array_of(table.as_ptr()).read() };
        if array.nalloc != count || usize::try_from(array.elt_size) != Ok(size_of::<sys::apr_table_entry_t>())
        {
            return Self::NONE;
        }
        let next = array.elts.cast::<sys::apr_table_entry_t>();
        Self {
            table: Some(table),
            next,
            // SAFETY: the array has room for so many entries.
            end: unsafe { next.add(most) },
        }
    }

    /// Writes an entry; answers whether there was room for it.
    #[inline]
    fn push(&mut self, name: &Name, value: *const c_char) -> bool {
        if self.next == self.end {
            return false;
        }
        // SAFETY: a free place of the array, which nobody else uses.
        unsafe {
            self.next.write(sys::apr_table_entry_t {
                key: name.text.cast_mut(),
                val: value.cast_mut(),
                key_checksum: name.checksum,
            });
            self.next = self.next.add(1);
        }
        true
    }

    /// A new table of these entries with those of another table behind them; the other one where there are none.
    ///
    /// # Safety
    /// The other table must be live, and all that both refer to must live as long as the pool.
    unsafe fn before(self, pool: Pool<'_>, other: *mut sys::apr_table_t) -> *mut sys::apr_table_t {
        let Some(table) = self.table else {
            return other;
        };
        let array = array_of(table.as_ptr()).cast_mut();
        // SAFETY: as many entries were written, one after the other, into the array that nobody else has.
        unsafe {
            let first = (*array).elts.cast::<sys::apr_table_entry_t>();
            (*array).nelts = self.next.offset_from(first) as c_int;
        }
        // SAFETY: by this function's contract. apr_table_overlay takes the entries alone and indexes them anew.
        unsafe { sys::apr_table_overlay(pool.as_ptr(), table.as_ptr(), other) }
    }
}

/// Entries that are added to a request's environment together.
pub struct Entries<'r> {
    request: Request<'r>,
    list: List,
}

impl<'r> Request<'r> {
    /// Begins a list of entries for the environment, where they will stand before all others; and their names, in the
    /// order in which they were given.
    #[inline]
    pub fn environment_entries<const N: usize>(
        self,
        names: &'static KnownNames<N>,
    ) -> (&'static [Name; N], Entries<'r>) {
        let known = names.read(self.pool());
        let list = match known.is_found && self.owns(self.table(Table::Environment)) {
            true => List::of(self.pool(), N),
            false => List::NONE,
        };
        (&known.names, Entries { request: self, list })
    }
}

impl<'r> Entries<'r> {
    /// Adds an entry. There is room for as many as there are names; further ones go into the environment one by one.
    #[inline]
    pub fn add(&mut self, name: &Name, value: PoolText<'r>) {
        if !self.list.push(name, value.as_ptr()) {
            // SAFETY: a static C string.
            add_alone(self.request, unsafe { CStr::from_ptr(name.text) }, value);
        }
    }

    /// Puts them into the environment.
    pub fn finish(self) {
        let request = self.request;
        // SAFETY: a request has its tables. This one lives in the request's pool, or there is no list; the list and the
        // values do, too, and the names are static.
        let table = unsafe {
            self.list
                .before(request.pool(), request.table(Table::Environment))
        };
        // SAFETY: the request is live, and only this thread uses it. httpd replaces this table in the same way
        // (ap_internal_fast_redirect); the new one is in the request's pool, too.
        unsafe { (*request.raw.as_ptr()).subprocess_env = table };
    }
}

/// Apart from the list, which the loop over the claims keeps in registers.
#[cold]
#[inline(never)]
fn add_alone<'r>(request: Request<'r>, name: &'static CStr, value: PoolText<'r>) {
    request.add(Table::Environment, name, value);
}
