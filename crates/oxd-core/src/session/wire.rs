//! The parts of which the binary form of a session is put together: numbers of variable length, and texts that end with
//! a NUL.

/// A text with a NUL behind it, which C can be given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terminated<'r>(&'r [u8]);

impl<'r> Terminated<'r> {
    /// Takes a text that ends with a NUL; `None` for any other.
    #[inline]
    pub fn of(bytes: &'r [u8]) -> Option<Self> {
        (bytes.last() == Some(&0)).then_some(Self(bytes))
    }

    /// The text, with the NUL.
    #[inline]
    pub fn with_nul(self) -> &'r [u8] {
        self.0
    }
}

/// Reads forward through bytes; every step fails rather than reads past the end.
pub(super) struct Reader<'r>(pub(super) &'r [u8]);

impl<'r> Reader<'r> {
    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Option<&'r [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// So many bytes as an array.
    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Option<&'r [u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(taken)
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    /// A length: seven bits a byte, the lowest first, the eighth set where more follow.
    #[inline]
    pub(super) fn length(&mut self) -> Option<usize> {
        // Nearly all lengths fit into one byte.
        match self.0 {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.0 = rest;
                Some(usize::from(*byte))
            }
            _ => self.long_length(),
        }
    }

    #[cold]
    fn long_length(&mut self) -> Option<usize> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return usize::try_from(value).ok();
            }
        }
        None
    }

    /// `count` bytes and the NUL behind them.
    #[inline]
    pub(super) fn terminated(&mut self, count: usize) -> Option<&'r [u8]> {
        let with_nul = self.take(count.checked_add(1)?)?;
        (with_nul[count] == 0).then_some(with_nul)
    }

    /// A text, without the NUL behind it.
    #[inline]
    pub(super) fn string(&mut self) -> Option<&'r [u8]> {
        let count = self.length()?;
        self.terminated(count).map(|s| &s[..count])
    }
}

pub(super) fn put_length(out: &mut Vec<u8>, length: usize) {
    let mut value = length;
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    put_length(out, text.len());
    out.extend_from_slice(text);
    out.push(0);
}
