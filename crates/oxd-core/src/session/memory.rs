//! Memory for an opened session, which its opener provides.

use std::iter;

use typed_arena::Arena;

use super::record::SessionRecord;

/// Memory that lives as long as a request, or as long as somebody looks at a session.
pub trait SessionMemory<'b> {
    /// `len` zeroed bytes.
    fn bytes(&self, len: usize) -> &'b mut [u8];

    /// A place for a record: it is large to hand on.
    fn keep(&self, record: SessionRecord<'b>) -> &'b SessionRecord<'b>;

    /// A copy of a text.
    fn copy(&self, text: &[u8]) -> &'b mut [u8] {
        let bytes = self.bytes(text.len());
        bytes.copy_from_slice(text);
        bytes
    }
}

/// Memory of its own, for a look outside of httpd's pools.
#[derive(Default)]
pub(super) struct Own<'b> {
    bytes: Arena<u8>,
    records: Arena<SessionRecord<'b>>,
}

impl<'b> SessionMemory<'b> for &'b Own<'b> {
    fn bytes(&self, len: usize) -> &'b mut [u8] {
        self.bytes.alloc_extend(iter::repeat_n(0, len))
    }

    fn keep(&self, record: SessionRecord<'b>) -> &'b SessionRecord<'b> {
        self.records.alloc(record)
    }
}

/// Memory that is never freed, for tests.
#[cfg(test)]
pub(crate) struct Leaked;

#[cfg(test)]
impl SessionMemory<'static> for Leaked {
    fn bytes(&self, len: usize) -> &'static mut [u8] {
        vec![0; len].leak()
    }

    fn keep(&self, record: SessionRecord<'static>) -> &'static SessionRecord<'static> {
        Box::leak(Box::new(record))
    }
}
