//! A request of httpd. Missing texts are `None`, and memory comes from the request's pool.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use oxd_core::base::{Level, Millis};
use oxd_core::http::Method;

use super::dir_config::{DirConfig, slot};
use super::handlers::HandlerId;
use super::log::{line_text, raw_level};
use super::pool::{Pool, c_text};
use super::request_state::{ConfigId, PoolText, RequestState};
use super::{Status, sys};

/// A request during one hook.
///
/// `'r` is the lifetime of the request's pool. It is invariant and belongs to one request alone, because
/// [`Request::during`] introduces a new one for each call. A value with this lifetime comes from this request, from one
/// that lives longer, from the configuration, or is static. So text of a subrequest cannot be stored with its main
/// request.
#[derive(Clone, Copy)]
pub struct Request<'r> {
    pub(super) raw: NonNull<sys::request_rec>,
    brand: PhantomData<fn(&'r ()) -> &'r ()>,
}

impl<'r> Request<'r> {
    /// Runs `body` with a request; `None` for NULL.
    ///
    /// # Safety
    /// `raw` must be NULL or a live request that only this thread uses while `body` runs.
    pub unsafe fn during<A>(
        raw: *mut sys::request_rec,
        body: impl for<'o> FnOnce(Request<'o>) -> A,
    ) -> Option<A> {
        // SAFETY: by this function's contract; `body` takes any lifetime and so cannot mix this one with another.
        NonNull::new(raw).map(|raw| body(unsafe { Request::branded(raw) }))
    }

    /// # Safety
    /// `raw` must be a live request that only this thread uses, and whatever has the lifetime `'r` must live as long as
    /// its pool, unless the value is only read.
    pub(super) unsafe fn branded(raw: NonNull<sys::request_rec>) -> Self {
        Self {
            raw,
            brand: PhantomData,
        }
    }

    pub(super) fn rec(&self) -> &sys::request_rec {
        // SAFETY: live by the contract of `branded`; no reference is held across a call into httpd.
        unsafe { self.raw.as_ref() }
    }

    /// # Safety
    /// `text` must be NULL or a C string that lives as long as the request's pool.
    pub(super) unsafe fn text(self, text: *const c_char) -> Option<&'r CStr> {
        // SAFETY: by this function's contract.
        unsafe { c_text(text) }
    }

    /// The request's pool.
    pub fn pool(self) -> Pool<'r> {
        // SAFETY: a request has a pool, which stands for 'r.
        match unsafe { Pool::from_raw(self.rec().pool) } {
            Some(pool) => pool,
            None => unreachable!("a request has a pool"),
        }
    }

    /// The module's merged configuration for the location of the request.
    pub fn config(self) -> Option<&'r DirConfig<'r>> {
        let vector = NonNull::new(self.rec().per_dir_config)?.as_ptr().cast();
        // SAFETY: httpd's vector for the location of the request is live.
        let slot = unsafe { slot(vector) };
        // SAFETY: the slot is NULL or holds what the module made; a request's configuration outlives it.
        unsafe { (*slot).cast::<DirConfig<'r>>().as_ref() }
    }

    /// Shows the state of this request, then those of the requests that it came from.
    #[inline]
    pub fn each_state(self, mut look: impl FnMut(&RequestState<'r>)) {
        let mut at = Some(self.raw);
        while let Some(raw) = at {
            // SAFETY: an origin outlives the request that came from it, and is only read here.
            let request: Request<'r> = unsafe { Request::branded(raw) };
            if let Some(own) = request.state_cell() {
                look(&own.borrow());
            }
            at = request.origin();
        }
    }

    /// Looks at the state of this request alone; the default answer where it has none yet. `look` must not change it.
    #[inline]
    pub fn own_state<A: Default>(self, look: impl FnOnce(&RequestState<'r>) -> A) -> A {
        // In place, as the state is large to hand on.
        self.state_cell()
            .map_or_else(A::default, |own| look(&own.borrow()))
    }

    /// Changes the state of this request alone. `change` must not look at it in another way.
    #[inline]
    pub fn update_state(self, change: impl FnOnce(&mut RequestState<'r>)) {
        if let Some(own) = self.state_cell().or_else(|| self.make_state()) {
            change(&mut own.borrow_mut());
        }
    }

    /// The place of httpd's vector for data of the request where the module's state is.
    #[inline]
    fn state_slot(self) -> Option<*mut *mut c_void> {
        let vector = NonNull::new(self.rec().request_config)?;
        // SAFETY: httpd's vector for data of the request is live.
        Some(unsafe { slot(vector.as_ptr().cast()) })
    }

    #[inline]
    fn state_cell(self) -> Option<&'r RefCell<RequestState<'r>>> {
        let slot = self.state_slot()?;
        // SAFETY: the slot is NULL or holds what `make_state` put there, which lives in the request's pool. Only this
        // thread uses the request.
        unsafe { (*slot).cast::<RefCell<RequestState<'r>>>().as_ref() }
    }

    fn make_state(self) -> Option<&'r RefCell<RequestState<'r>>> {
        let slot = self.state_slot()?;
        let state = self.pool().place(RefCell::<RequestState<'r>>::default());
        // SAFETY: the value lives in the request's pool like everything that it refers to.
        unsafe { *slot = state.as_ptr().cast() }
        self.state_cell()
    }

    /// Which merged configuration the request has now. An internal fast redirect (`DirectoryIndex`, `FallbackResource`,
    /// MultiViews) replaces it.
    pub fn config_id(self) -> ConfigId {
        ConfigId(self.rec().per_dir_config.cast_const().cast())
    }

    /// The request that this one came from: the main request of a subrequest, the one before an internal redirect.
    fn origin(self) -> Option<NonNull<sys::request_rec>> {
        let rec = self.rec();
        NonNull::new(if rec.main.is_null() { rec.prev } else { rec.main })
    }

    /// Whether this is a subrequest, whose response is not sent to the browser as it is.
    pub fn is_subrequest(self) -> bool {
        !self.rec().main.is_null()
    }

    /// Whether this is the request that the browser sent.
    pub fn is_first(self) -> bool {
        self.origin().is_none()
    }

    /// Runs `body` with the request that the browser sent. That request may outlive this one, so it can only store
    /// values of its own.
    pub fn with_first<A>(self, body: impl for<'o> FnOnce(Request<'o>) -> A) -> A {
        let mut first = self.raw;
        // SAFETY: an origin outlives the request that came from it, and is only read here.
        while let Some(before) = unsafe { Request::branded(first) }.origin() {
            first = before;
        }
        // SAFETY: as above; `body` takes any lifetime and so cannot mix this one with 'r.
        body(unsafe { Request::branded(first) })
    }

    /// Runs `body` with the request whose response a subrequest is a part of. That request may outlive this one, so it
    /// can only store values of its own.
    pub fn with_main<A>(self, body: impl for<'o> FnOnce(Request<'o>) -> A) -> A {
        let mut outer = self.raw;
        // SAFETY: a main request outlives its subrequest.
        while let Some(main) = NonNull::new(unsafe { outer.as_ref() }.main) {
            outer = main;
        }
        // SAFETY: as above; `body` takes any lifetime and so cannot mix this one with 'r.
        body(unsafe { Request::branded(outer) })
    }

    /// When the request came.
    pub fn millis(self) -> Millis {
        Millis(u64::try_from(self.rec().request_time / 1_000).unwrap_or(0))
    }

    /// The method.
    pub fn method(self) -> Method {
        // SAFETY: httpd's texts of a request live in its pool.
        match unsafe { self.text(self.rec().method) }.map_or(&b""[..], CStr::to_bytes) {
            b"GET" if self.rec().header_only != 0 => Method::Head,
            b"GET" => Method::Get,
            b"HEAD" => Method::Head,
            b"POST" => Method::Post,
            _ => Method::Other,
        }
    }

    /// The method's name; `HEAD` where httpd reads it as a GET without a body.
    pub fn method_name(self) -> &'r CStr {
        match self.method() {
            Method::Head => c"HEAD",
            // SAFETY: httpd's texts of a request live in its pool.
            _ => unsafe { self.text(self.rec().method) }.unwrap_or(c""),
        }
    }

    /// The decoded path.
    pub fn path(self) -> Option<&'r CStr> {
        // SAFETY: as for `method`.
        unsafe { self.text(self.rec().uri) }
    }

    /// Whether the decoded path begins so; `prefix` has no NUL.
    #[inline]
    pub fn path_begins(self, prefix: &[u8]) -> bool {
        let path = self.rec().uri.cast_const().cast::<u8>();
        !path.is_null()
            && prefix.iter().enumerate().all(|(at, byte)| {
                // SAFETY: httpd's text lives in the request's pool; every byte before this one was no NUL.
                let here = unsafe { path.add(at).read() };
                here == *byte && here != 0
            })
    }

    /// The query string as received.
    pub fn query(self) -> Option<&'r CStr> {
        // SAFETY: as for `method`.
        unsafe { self.text(self.rec().args) }
    }

    /// The request target as received.
    pub fn unparsed(self) -> Option<&'r CStr> {
        // SAFETY: as for `method`.
        unsafe { self.text(self.rec().unparsed_uri) }
    }

    /// The handler that httpd has chosen.
    pub fn handler(self) -> Option<&'r CStr> {
        // SAFETY: as for `method`.
        unsafe { self.text(self.rec().handler) }
    }

    /// The handler that `SetHandler` configures; known before httpd chooses the handler.
    pub fn configured_handler(self) -> Option<&'r CStr> {
        let vector = self.rec().per_dir_config;
        // SAFETY: the core module's per-directory configuration is a core_dir_config, and outlives the request.
        let core = unsafe {
            sys::ap_get_core_module_config(vector)
                .cast::<sys::core_dir_config>()
                .as_ref()
        }?;
        // Since httpd 2.4.13, SetHandler takes an expression, and a plain word is stored as one too.
        if core.expr_handler.is_null() {
            // SAFETY: NULL, or a C string of the configuration.
            return unsafe { self.text(core.handler) };
        }
        let mut error: *const c_char = ptr::null();
        // SAFETY: request and expression are live; the out parameter is valid.
        let handler = unsafe { sys::ap_expr_str_exec(self.raw.as_ptr(), core.expr_handler, &mut error) };
        if error.is_null() {
            // SAFETY: NULL, or a C string in the request's pool.
            unsafe { self.text(handler) }
        } else {
            None
        }
    }

    /// `AuthType`
    pub fn auth_type(self) -> Option<&'r CStr> {
        // SAFETY: a plain query.
        let name = unsafe { sys::ap_auth_type(self.raw.as_ptr()) };
        // SAFETY: NULL, or a C string of the configuration or in the request's pool.
        unsafe { self.text(name) }
    }

    /// `AuthName`
    pub fn auth_name(self) -> Option<&'r CStr> {
        // SAFETY: a plain query.
        let name = unsafe { sys::ap_auth_name(self.raw.as_ptr()) };
        // SAFETY: as for `auth_type`.
        unsafe { self.text(name) }
    }

    /// Evaluates the location's `Require` rules for the request with its current user.
    ///
    /// `Declined` means that they need a user and there is none.
    pub fn rules_decide(self) -> Status {
        // SAFETY: the hook runs in the thread of the request, as it did before the user was known.
        match unsafe { sys::ap_run_access_checker_ex(self.raw.as_ptr()) } {
            sys::OK => Status::Ok,
            sys::DECLINED => Status::Declined,
            status => Status::Http(u16::try_from(status).unwrap_or(500)),
        }
    }

    /// Scheme, host and port of self-referential URLs (`UseCanonicalName` and so on apply).
    pub fn server_address(self) -> (Option<&'r CStr>, Option<&'r CStr>, u16) {
        let r = self.raw.as_ptr();
        // SAFETY: plain queries.
        let (scheme, host) = unsafe { (sys::ap_run_http_scheme(r), sys::ap_get_server_name_for_url(r)) };
        // SAFETY: both are NULL or C strings of httpd's, of the configuration or in the request's pool.
        let (scheme, host) = unsafe { (self.text(scheme), self.text(host)) };
        // SAFETY: a plain query.
        (scheme, host, unsafe { sys::ap_get_server_port(r) })
    }

    /// `LimitRequestFieldSize`
    pub fn header_limit(self) -> usize {
        // SAFETY: a request has a server.
        unsafe { usize::try_from((*self.rec().server).limit_req_fieldsize).unwrap_or(0) }
    }

    /// Sets `REMOTE_USER`.
    pub fn set_user(mut self, user: PoolText<'r>) {
        // SAFETY: only this thread uses the request; httpd only reads the text.
        unsafe { self.raw.as_mut().user = user.as_ptr().cast_mut() }
    }

    /// The user.
    pub fn user(self) -> Option<&'r CStr> {
        // SAFETY: as for `method`.
        unsafe { self.text(self.rec().user) }
    }

    /// `ServerName` of the server that answers.
    pub fn server_name(self) -> Option<&'r CStr> {
        // SAFETY: NULL, or the server of the request, which outlives it.
        let server = unsafe { self.rec().server.as_ref() }?;
        // SAFETY: NULL, or a C string of the configuration.
        unsafe { self.text(server.server_hostname) }
    }

    /// The client's address, which mod_remoteip may have replaced.
    pub fn client_address(self) -> Option<&'r CStr> {
        // SAFETY: as for `method`; mod_remoteip sets it for the time of the request at least.
        unsafe { self.text(self.rec().useragent_ip) }
    }

    /// Whether the request has a user.
    pub fn has_user(self) -> bool {
        !self.rec().user.is_null()
    }

    /// Whether the request has a user with an empty name.
    pub fn has_empty_user(self) -> bool {
        // SAFETY: as for `method`.
        unsafe { self.text(self.rec().user) }.is_some_and(CStr::is_empty)
    }

    /// Removes the user.
    pub fn unset_user(mut self) {
        // SAFETY: as for `set_user`.
        unsafe { self.raw.as_mut().user = ptr::null_mut() }
    }

    /// Sets `AUTH_TYPE`.
    pub fn set_auth_type(mut self, name: &'static CStr) {
        // SAFETY: as for `set_user`.
        unsafe { self.raw.as_mut().ap_auth_type = name.as_ptr().cast_mut() }
    }

    /// The status of the response so far.
    pub fn status(self) -> u16 {
        u16::try_from(self.rec().status).unwrap_or(500)
    }

    /// Whether httpd serves this request as the `ErrorDocument` of another one; its status is that of the error.
    pub fn is_error_document(self) -> bool {
        !self.rec().prev.is_null() && self.status() >= 400
    }

    /// Whether the client waits for `100 Continue` before it sends its body.
    pub fn expects_continue(self) -> bool {
        self.rec().expecting_100 != 0
    }

    /// Closes the connection after the response.
    pub fn close_connection(self) {
        // SAFETY: a request has its connection, which only this thread uses.
        unsafe { (*self.rec().connection).keepalive = sys::ap_conn_keepalive_e_AP_CONN_CLOSE }
    }

    /// Lets mod_headers and others see a response that a hook sends before httpd inserts the filters of the handler's
    /// responses (`Header always`).
    pub fn insert_error_filters(self) {
        // SAFETY: the request is live; httpd does the same for the responses that it writes itself.
        unsafe { sys::ap_run_insert_error_filter(self.raw.as_ptr()) }
    }

    /// Makes the request one for this handler again, with the query string that it came with.
    pub fn take_back(mut self, handler: &'static CStr, query: Option<&'r CStr>) {
        // SAFETY: only this thread uses the request; httpd only reads the texts.
        let rec = unsafe { self.raw.as_mut() };
        rec.handler = handler.as_ptr();
        rec.args = query.map_or(ptr::null_mut(), |text| text.as_ptr().cast_mut());
    }

    /// Runs `body` with a request for another address of this server, as far as httpd has looked it up; it is not
    /// served. `None` where httpd does not look it up.
    pub fn with_lookup<A>(self, address: &CStr, body: impl for<'o> FnOnce(Request<'o>) -> A) -> Option<A> {
        // SAFETY: the request is live; httpd copies what it keeps of the address.
        let found =
            unsafe { sys::ap_sub_req_lookup_uri(address.as_ptr(), self.raw.as_ptr(), ptr::null_mut()) };
        // SAFETY: NULL, or a request that this thread has just made.
        let answer = unsafe { Request::during(found, body) };
        if !found.is_null() {
            // SAFETY: it was made above, and `body` cannot have kept anything of it.
            unsafe { sys::ap_destroy_sub_req(found) }
        }
        answer
    }

    /// The `SetHandler` that applies, if it stands in the server's configuration and not in a `.htaccess` file.
    pub fn handler_of_server(self, known: &[HandlerId]) -> bool {
        let vector = self.rec().per_dir_config;
        // SAFETY: the core module's per-directory configuration is a core_dir_config, and outlives the request.
        let core = unsafe {
            sys::ap_get_core_module_config(vector)
                .cast::<sys::core_dir_config>()
                .as_ref()
        };
        core.is_some_and(|core| known.contains(&HandlerId::of(core)))
    }

    /// Sets the status of the response.
    pub fn set_status(mut self, status: u16) {
        // SAFETY: as for `set_user`.
        unsafe { self.raw.as_mut().status = status.into() }
    }

    /// Whether an `ErrorDocument` is configured for a status here.
    pub fn has_error_document(self, status: u16) -> bool {
        // SAFETY: plain queries.
        unsafe {
            let index = sys::ap_index_of_response(status.into());
            !sys::ap_response_code_string(self.raw.as_ptr(), index).is_null()
        }
    }

    /// Whether a line of this level would be logged.
    pub fn logs(self, level: Level) -> bool {
        // SAFETY: a plain query.
        unsafe { sys::oxd_logs_request(self.raw.as_ptr(), raw_level(level)) != 0 }
    }

    /// Writes a line to the error log.
    pub fn log(self, level: Level, line: &str) {
        let line = line_text(line);
        // SAFETY: the request is live, the line a C string.
        unsafe { sys::oxd_log_request(self.raw.as_ptr(), raw_level(level), line.as_ptr()) }
    }
}

/// Whether a text equals a word, ignoring case.
pub fn is_word(text: Option<&CStr>, word: &str) -> bool {
    text.is_some_and(|t| t.to_bytes().eq_ignore_ascii_case(word.as_bytes()))
}
