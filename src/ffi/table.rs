//! The tables of a request: headers, environment, notes.

use std::ffi::{CStr, c_char};
use std::ptr::{self, NonNull};

use super::request::Request;
use super::request_state::{PoolText, PublishedValue};
use super::sys;

/// The tables of a request.
#[derive(Clone, Copy)]
pub enum Table {
    /// The request's headers.
    HeadersIn,
    /// Headers of a success response.
    HeadersOut,
    /// Headers of every response.
    ErrHeadersOut,
    /// The environment of CGI scripts, SSI and so on.
    Environment,
    /// Notes of modules, which the access log can show.
    Notes,
}

impl<'r> Request<'r> {
    pub(super) fn table(self, table: Table) -> *mut sys::apr_table_t {
        let rec = self.rec();
        match table {
            Table::HeadersIn => rec.headers_in,
            Table::HeadersOut => rec.headers_out,
            Table::ErrHeadersOut => rec.err_headers_out,
            Table::Environment => rec.subprocess_env,
            Table::Notes => rec.notes,
        }
    }

    /// A request header.
    pub fn header(self, name: &CStr) -> Option<&'r CStr> {
        self.entry(Table::HeadersIn, name)
    }

    /// Whether a table has an entry of this name.
    pub fn has(self, table: Table, name: &CStr) -> bool {
        self.entry(table, name).is_some()
    }

    fn entry(self, table: Table, name: &CStr) -> Option<&'r CStr> {
        // SAFETY: a request has its tables.
        let value = unsafe { sys::apr_table_get(self.table(table), name.as_ptr()) };
        // SAFETY: NULL, or a C string that lives at least as long as the request's pool.
        unsafe { self.text(value) }
    }

    /// Copies notes to the request that the access log reads them from: the last internal redirect of this one. An
    /// `ErrorDocument` request starts without notes.
    pub fn hand_on_notes(self, names: [&'static CStr; 2]) {
        if self.rec().next.is_null() {
            return;
        }
        let mut found = [None; 2];
        let mut last = self.raw;
        loop {
            // SAFETY: an internal redirect lives in the pool of the request that it came from.
            let request: Request<'r> = unsafe { Request::branded(last) };
            for (note, name) in found.iter_mut().zip(names) {
                *note = request.entry(Table::Notes, name).or(*note);
            }
            match NonNull::new(request.rec().next) {
                Some(next) => last = next,
                None => break,
            }
        }
        if last != self.raw {
            for (note, name) in found.into_iter().zip(names) {
                if let Some(text) = note {
                    // SAFETY: as above, so that the text lives as long as that request's pool.
                    let request: Request<'r> = unsafe { Request::branded(last) };
                    request.set(Table::Notes, name, text);
                }
            }
        }
    }

    /// The entries of a table whose name matches, with the identity of each value. Allocates nothing where none matches.
    /// `may_fit` decides by the first byte of a name, 0 for an empty one, whether the rest is worth a look.
    pub fn entries_that(
        self,
        table: Table,
        may_fit: impl Fn(u8) -> bool,
        fit: impl Fn(&[u8]) -> bool,
    ) -> Vec<(&'r CStr, PublishedValue)> {
        let array = array_of(self.table(table));
        // SAFETY: a request has its tables, which only this thread uses.
        let array = unsafe { array.read() };
        let entries = array.elts.cast::<sys::apr_table_entry_t>();
        (0..usize::try_from(array.nelts).unwrap_or(0))
            .filter_map(|at| {
                // SAFETY: the array has `nelts` entries.
                let entry = unsafe { entries.add(at).read() };
                // SAFETY: the key of an entry is a C string, with its NUL at the least.
                let first = unsafe { entry.key.cast::<u8>().read() };
                if !may_fit(first) {
                    return None;
                }
                // SAFETY: a C string that lives at least as long as the request's pool.
                let name = unsafe { self.text(entry.key) }?;
                Some((name, PublishedValue(entry.val)))
            })
            .filter(|(name, _)| fit(name.to_bytes()))
            .collect()
    }

    /// Whether a table lives in the request's own pool.
    ///
    /// In some versions of httpd, subrequests share the header table of the main request, and an index file's
    /// subrequest passes its tables to the request that it was made for.
    #[inline]
    pub(super) fn owns(self, table: *mut sys::apr_table_t) -> bool {
        // SAFETY: a request has its tables.
        let pool = unsafe { (*array_of(table)).pool };
        ptr::eq(pool, self.rec().pool)
    }

    /// Sets an entry. Name and value are only copied if the table is not in the request's pool.
    pub fn set(self, table: Table, name: impl Into<PoolText<'r>>, value: impl Into<PoolText<'r>>) {
        let (name, value) = (name.into(), value.into());
        // SAFETY: APR's function for this, and the one that copies.
        unsafe { self.write_entry(table, name, value, sys::apr_table_setn, sys::apr_table_set) }
    }

    /// Adds an entry, also beside others of the same name. Name and value are copied as for [`Request::set`].
    #[inline]
    pub fn add(self, table: Table, name: impl Into<PoolText<'r>>, value: impl Into<PoolText<'r>>) {
        let (name, value) = (name.into(), value.into());
        // SAFETY: as for `set`.
        unsafe { self.write_entry(table, name, value, sys::apr_table_addn, sys::apr_table_add) }
    }

    /// Writes an entry with one of two functions of APR.
    ///
    /// # Safety
    /// Both must take any live table and C strings; `copying` must keep nothing but copies.
    #[inline]
    unsafe fn write_entry(
        self,
        table: Table,
        name: PoolText<'r>,
        value: PoolText<'r>,
        keeping: WriteEntry,
        copying: WriteEntry,
    ) {
        let table = self.table(table);
        let write = if self.owns(table) { keeping } else { copying };
        // SAFETY: the table is live; the texts live as long as the request's pool, which is the table's, or are copied.
        unsafe { write(table, name.as_ptr(), value.as_ptr()) }
    }

    /// Removes all entries of a name.
    pub fn unset(self, table: Table, name: &CStr) {
        // SAFETY: a request has its tables.
        unsafe { sys::apr_table_unset(self.table(table), name.as_ptr()) }
    }
}

type WriteEntry = unsafe extern "C" fn(*mut sys::apr_table_t, *const c_char, *const c_char);

/// An APR table begins with its array of entries (apr_table_elts is a macro for this).
pub(super) fn array_of(table: *mut sys::apr_table_t) -> *const sys::apr_array_header_t {
    table.cast_const().cast()
}
