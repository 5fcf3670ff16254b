//! The labels of all series: fixed lists, so that no label ever holds a user, a token, a path or a host.
//!
//! An item's number is its index in the shared memory of one server start, and is stored nowhere else: items may be
//! added and moved.

macro_rules! series {
    ($(#[$doc:meta])* $kind:ident { $( $(#[$item_doc:meta])* $item:ident = $name:literal, )* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $kind { $( $(#[$item_doc])* $item, )* }

        impl $kind {
            /// All items, in the order of their indices.
            pub const ALL: &[$kind] = &[ $( $kind::$item, )* ];

            /// The value of its label.
            pub fn name(self) -> &'static str { match self { $( $kind::$item => $name, )* } }
        }
    };
}

series! {
    /// The steps of a login.
    Login {
        /// The browser was sent to the provider.
        Begun = "begun",
        /// The callback was accepted and a session created.
        Completed = "completed",
        /// Restarted, because the callback belonged to no pending login of this browser.
        Restarted = "restarted",
    }
}

series! {
    /// The result of reading a request's session cookie.
    Presented {
        /// A session that is alive.
        Alive = "alive",
        /// No valid session: expired, ended, altered, of another site.
        Refused = "refused",
        /// Unknown: the store is unavailable.
        Unknown = "unknown",
    }
}

series! {
    /// The tokens that requests are let in with, other than sessions.
    Token {
        /// A bearer token (`OxdBearer`).
        Access = "access_token",
        /// A client's RPT (`Require oxd-uma`).
        Rpt = "rpt",
        /// The RPT that the module holds for a browser session.
        SessionRpt = "session_rpt",
    }
}

series! {
    /// What a [`Token`] turned out to be.
    Worth {
        /// Answered from memory, without a question.
        Kept = "kept",
        /// It works, as found out now.
        Active = "active",
        /// It does not, or does not suffice.
        Refused = "refused",
        /// Nobody could tell: oxd is away, busy, or fails.
        Unknown = "unknown",
    }
}

series! {
    /// The cause of a session's end. One logout may end several sessions.
    End {
        /// The user, by signing out.
        User = "user",
        /// The provider, through the browser.
        FrontChannel = "front_channel",
        /// The provider itself.
        BackChannel = "back_channel",
        /// The provider, by refusing a refresh token.
        Provider = "provider",
        /// An administrator.
        Administrator = "administrator",
        /// A newer login of the same browser.
        Login = "login",
        /// `OxdSessionMax`.
        Limit = "limit",
    }
}

series! {
    /// The commands of oxd that the module sends.
    Command {
        /// `get-client-token`
        ClientToken = "get-client-token",
        /// `get-authorization-url`
        AuthorizationUrl = "get-authorization-url",
        /// `get-tokens-by-code`
        TokensByCode = "get-tokens-by-code",
        /// `get-user-info`
        UserInfo = "get-user-info",
        /// `get-access-token-by-refresh-token`
        Refresh = "get-access-token-by-refresh-token",
        /// `get-logout-uri`
        LogoutUri = "get-logout-uri",
        /// `get-jwks`
        Jwks = "get-jwks",
        /// `introspect-access-token`
        Introspect = "introspect-access-token",
        /// `introspect-rpt`
        IntrospectRpt = "introspect-rpt",
        /// `uma-rs-check-access`
        CheckAccess = "uma-rs-check-access",
        /// Any other.
        Other = "other",
    }
}

impl Command {
    /// The command of a name.
    pub fn of(name: &str) -> Self {
        let known = Self::ALL.iter().find(|command| command.name() == name);
        known.copied().unwrap_or(Command::Other)
    }
}

series! {
    /// The result of a call to oxd.
    Outcome {
        /// Status 200, and HTTP worked.
        Ok = "ok",
        /// Another status.
        Refused = "refused",
        /// Not HTTP, cut off, or too large.
        Broken = "broken",
        /// No whole answer in time.
        Timeout = "timeout",
        /// No connection.
        Unreachable = "unreachable",
        /// Not sent: as many calls as allowed were under way.
        Busy = "busy",
        /// Not sent: the circuit breaker was open.
        BreakerOpen = "resting",
    }
}

series! {
    /// Other events of calls.
    Event {
        /// The breaker opened: oxd could not be reached several times in a row.
        BreakerOpened = "breaker_opened",
    }
}

series! {
    /// The renewal of sessions' tokens and claims.
    Renewal {
        /// New tokens.
        Tokens = "tokens",
        /// New claims.
        Claims = "claims",
        /// Another request had done it.
        Shared = "shared",
        /// It failed, and the session stayed as it was.
        Failed = "failed",
    }
}

series! {
    /// The operations of a session store.
    Action {
        /// Read an entry.
        Get = "get",
        /// Write an entry.
        Put = "put",
        /// Delete an entry.
        Remove = "remove",
        /// Tell other machines of an end.
        Tell = "tell",
    }
}

series! {
    /// What became of a line of the audit trail (`OxdAuditLog`).
    Audit {
        /// It was written.
        Written = "written",
        /// It could not be written.
        Lost = "lost",
    }
}

series! {
    /// The result of a session store's operation.
    Answered {
        /// Done.
        Ok = "ok",
        /// No such entry.
        Absent = "absent",
        /// An error, or no answer in time.
        Failed = "failed",
    }
}
