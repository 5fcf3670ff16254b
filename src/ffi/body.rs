//! Request bodies, read or discarded, and response bodies.

use std::ffi::{CStr, c_int};

use super::request::Request;
use super::sys;

impl<'r> Request<'r> {
    /// Sends a body with its content type; httpd omits the body where the method wants none.
    pub fn send_body(self, content_type: &'r CStr, body: &[u8]) {
        let r = self.raw.as_ptr();
        // SAFETY: the request is live; httpd copies what it needs of the body.
        unsafe {
            sys::ap_set_content_type(r, content_type.as_ptr());
            sys::ap_set_content_length(r, body.len() as _);
            sys::ap_rwrite(
                body.as_ptr().cast(),
                c_int::try_from(body.len()).unwrap_or(c_int::MAX),
                r,
            );
        }
    }

    /// Adds to a body that another module is sending.
    pub fn write(self, text: &[u8]) {
        // SAFETY: the request is live; httpd copies what it needs of the text.
        unsafe {
            sys::ap_rwrite(
                text.as_ptr().cast(),
                c_int::try_from(text.len()).unwrap_or(c_int::MAX),
                self.raw.as_ptr(),
            );
        }
    }

    /// Reads and discards the request body, so that the connection can be reused.
    pub fn discard_body(self) {
        // SAFETY: the request is live.
        unsafe {
            sys::ap_discard_request_body(self.raw.as_ptr());
        }
    }

    /// Reads the request's body: `Ok(None)` when it is longer than `limit`, an HTTP status when it cannot be read.
    pub fn read_body(self, limit: usize) -> Result<Option<Vec<u8>>, u16> {
        let r = self.raw.as_ptr();
        // SAFETY: the request is live.
        let status = unsafe { sys::ap_setup_client_block(r, sys::REQUEST_CHUNKED_DECHUNK as c_int) };
        if status != sys::OK {
            return Err(u16::try_from(status).unwrap_or(400));
        }
        let mut body = Vec::new();
        // SAFETY: the request is live.
        if unsafe { sys::ap_should_client_block(r) } == 0 {
            return Ok(Some(body));
        }
        let mut buffer = [0u8; 8192];
        loop {
            // SAFETY: the request is live; the buffer is valid for the length given.
            let count = unsafe { sys::ap_get_client_block(r, buffer.as_mut_ptr().cast(), buffer.len() as _) };
            match usize::try_from(count) {
                Ok(0) => return Ok(Some(body)),
                Ok(count) if body.len() + count > limit => return Ok(None),
                Ok(count) => body.extend_from_slice(buffer.get(..count).unwrap_or_default()),
                Err(_) => return Err(400),
            }
        }
    }
}
