//! The reasons for refusals: code, status, log level, remedy for the administrator. What the user reads is in the
//! catalogues of texts (`locales`).

use std::sync::LazyLock;

use super::clock::Seconds;
use super::log::Level;
use crate::texts::Language;

macro_rules! reasons {
    ($( $(#[$doc:meta])* $name:ident {
        code: $code:literal, status: $status:literal, level: $level:ident,
        remedy: $remedy:literal $(,)?
    } )*) => {
        /// Why a request was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $( $(#[$doc])* $name, )* }

        impl Reason {
            /// All reasons, for tests and documentation.
            pub const ALL: &[Reason] = &[ $( Reason::$name, )* ];

            /// The stable code in logs and JSON answers.
            pub fn code(self) -> &'static str { match self { $( Reason::$name => $code, )* } }

            /// The HTTP status.
            pub fn status(self) -> u16 { match self { $( Reason::$name => $status, )* } }

            /// The level of its log line.
            pub fn level(self) -> Level { match self { $( Reason::$name => Level::$level, )* } }

            /// Advice for the administrator; empty where the user's request is the cause.
            pub fn remedy(self) -> &'static str { match self { $( Reason::$name => $remedy, )* } }
        }
    };
}

reasons! {
    /// A request without a session for a protected location, by a client that a login page would not help.
    LoginRequired {
        code: "login_required", status: 401, level: Info,
        remedy: "",
    }
    /// The callback came without `code` or `state`, or with one of them twice.
    CallbackMalformed {
        code: "callback_malformed", status: 400, level: Info,
        remedy: "",
    }
    /// The state belongs to no pending login of this browser, and a restart of the login did not help.
    StateUnknown {
        code: "state_unknown", status: 400, level: Info,
        remedy: "if this happens often, check that the browser returns to the host where the login started, that \
                 OxdCookiePath and OxdCookieDomain cover both the protected location and the handler, and that \
                 OxdStateTimeout is long enough",
    }
    /// The user or the provider refused the login.
    AccessDenied {
        code: "access_denied", status: 403, level: Info,
        remedy: "",
    }
    /// The provider answered with another error.
    ProviderError {
        code: "provider_error", status: 400, level: Warning,
        remedy: "see the provider's log",
    }
    /// The return address is not on an allowed host.
    ReturnAddress {
        code: "return_address_not_allowed", status: 400, level: Info,
        remedy: "OxdReturnTo lists the other hosts that a login may return to",
    }
    /// oxd does not know the code, or no longer does.
    CodeInvalid {
        code: "code_invalid", status: 400, level: Warning,
        remedy: "if this happens often, compare the clocks of this machine, of oxd and of the provider",
    }
    /// oxd does not know the state, or no longer does.
    StateUnregistered {
        code: "state_unregistered", status: 400, level: Warning,
        remedy: "oxd keeps a state for 5 minutes, in its own memory or storage; check whether oxd was restarted",
    }
    /// oxd cannot be reached.
    OxdUnreachable {
        code: "oxd_unreachable", status: 503, level: Error,
        remedy: "check that oxd runs and that OxdServer, OxdServerCAFile and OxdServerProxy are right",
    }
    /// The circuit breaker is open after repeated failures; oxd is not called for a moment.
    BreakerOpen {
        code: "oxd_resting", status: 503, level: Warning,
        remedy: "an earlier oxd_unreachable line says why",
    }
    /// The limit of concurrent calls is reached.
    OxdBusy {
        code: "oxd_busy", status: 503, level: Warning,
        remedy: "OxdServerMaxCalls limits the concurrent calls of one child process; oxd may be slow",
    }
    /// oxd did not answer in time.
    OxdTimeout {
        code: "oxd_timeout", status: 504, level: Error,
        remedy: "see oxd's log; OxdServerTimeout limits the time of one call",
    }
    /// oxd's answer is unexpected.
    OxdAnswer {
        code: "oxd_answer", status: 502, level: Error,
        remedy: "see oxd's log, and check that OxdServer names oxd itself",
    }
    /// oxd refused the client token twice.
    ClientTokenRefused {
        code: "client_token_refused", status: 502, level: Error,
        remedy: "check OxdClientId, OxdClientSecret and OxdId: the token must belong to the site's own client and \
                 have the scope oxd",
    }
    /// `get-user-info` returned an error of the provider.
    UserInfoError {
        code: "user_info_error", status: 502, level: Error,
        remedy: "the provider refused the access token; OxdUserInfo Off skips the call",
    }
    /// Two answers name different users.
    SubjectMismatch {
        code: "subject_mismatch", status: 502, level: Error,
        remedy: "user info and id token name different subjects; do not trust this provider until the cause is known",
    }
    /// The id token belongs to another login.
    NonceMismatch {
        code: "nonce_mismatch", status: 502, level: Error,
        remedy: "the id token's nonce is not that of the authorization request: a replayed token, or a broken provider",
    }
    /// The id token has expired or is incomplete.
    IdTokenInvalid {
        code: "id_token_invalid", status: 502, level: Error,
        remedy: "compare the clocks of this machine and of the provider",
    }
    /// The provider did not confirm a recent authentication.
    AuthenticationTooOld {
        code: "authentication_too_old", status: 502, level: Error,
        remedy: "the provider must honour max_age and send auth_time in the ID token (OxdMaxAge); compare its clock \
                 with this machine's",
    }
    /// The callback names another issuer than the site's provider (RFC 9207).
    IssuerMismatch {
        code: "issuer_mismatch", status: 400, level: Warning,
        remedy: "the callback's iss is not the issuer of the site's provider: an attempt to mix up two providers, or a \
                 provider whose issuer differs from its discovery document",
    }
    /// A browser fetched the address in advance.
    Prefetch {
        code: "prefetch", status: 503, level: Info,
        remedy: "",
    }
    /// The session does not fit into cookies that httpd would accept.
    SessionTooLarge {
        code: "session_too_large", status: 500, level: Error,
        remedy: "have the provider release fewer claims, request a smaller OxdScope, raise LimitRequestFieldSize, or \
                 use another OxdSessionStore",
    }
    /// The session store is unavailable.
    StoreUnavailable {
        code: "store_unavailable", status: 503, level: Error,
        remedy: "check the store that OxdSessionStore names: its server must run and be reachable from here, its file \
                 be writable",
    }
    /// Ends of sessions on other machines have not been heard for longer than `OxdRevocationsMaxLag`.
    RevocationsLag {
        code: "revocations_lag", status: 503, level: Error,
        remedy: "check the Redis that OxdRevocations names, and the log for the line that says why it is not reached; \
                 OxdRevocationsMaxLag limits for how long sessions go on without it",
    }
    /// The logout token is not valid for this site.
    LogoutTokenInvalid {
        code: "logout_token_invalid", status: 400, level: Info,
        remedy: "",
    }
    /// A front-channel logout without its two parameters.
    LogoutMalformed {
        code: "logout_malformed", status: 400, level: Info,
        remedy: "",
    }
    /// A form without an action or a user.
    FormIncomplete {
        code: "form_incomplete", status: 400, level: Info,
        remedy: "",
    }
    /// A form that was not sent from its own page.
    ForeignForm {
        code: "foreign_form", status: 403, level: Warning,
        remedy: "",
    }
    /// The provider refused the session's refresh token: the session has ended on its side.
    RefreshRefused {
        code: "refresh_refused", status: 401, level: Info,
        remedy: "",
    }
    /// The session is valid, but no `Require` rule of the location admits the user.
    Forbidden {
        code: "forbidden", status: 403, level: Info,
        remedy: "",
    }
    /// A bearer token is unknown, has expired, or is meant for another place.
    InvalidToken {
        code: "invalid_token", status: 401, level: Info,
        remedy: "",
    }
    /// A bearer token cannot be checked, whatever it is worth.
    TokenUnchecked {
        code: "token_unchecked", status: 401, level: Warning,
        remedy: "with OxdBearer jwt, JWTs are verified without oxd's introspection",
    }
    /// An `Authorization` header that cannot be understood, or several.
    InvalidRequest {
        code: "invalid_request", status: 400, level: Info,
        remedy: "",
    }
    /// A path of a place with `Require oxd-uma` is no registered resource.
    UmaUnprotected {
        code: "uma_unprotected", status: 403, level: Warning,
        remedy: "oxdctl uma protect registers the resources of OxdUmaResources; OxdUmaUnprotected allow lets requests to \
                 other paths in",
    }
    /// The client has no RPT, or one that does not open the resource.
    UmaTicket {
        code: "uma_ticket", status: 401, level: Info,
        remedy: "",
    }
    /// The authorization server does not give the user this resource.
    UmaNotGranted {
        code: "uma_not_granted", status: 403, level: Info,
        remedy: "",
    }
    /// The owner of the resource has been asked.
    UmaSubmitted {
        code: "uma_submitted", status: 403, level: Info,
        remedy: "",
    }
    /// oxd refuses access and gives no ticket.
    UmaDenied {
        code: "uma_denied", status: 403, level: Warning,
        remedy: "see oxd's log: the provider gave no permission ticket",
    }
    /// A token or a session lacks a scope of `Require oxd-scope`.
    InsufficientScope {
        code: "insufficient_scope", status: 403, level: Info,
        remedy: "",
    }
    /// The user authenticated again, but not with a required `acr`.
    AcrNotMet {
        code: "acr_not_met", status: 403, level: Info,
        remedy: "check that the provider supports the acr values of Require oxd-acr",
    }
    /// The user lacks the claim of `OxdRemoteUser`.
    NoUserName {
        code: "user_name_missing", status: 403, level: Warning,
        remedy: "check OxdRemoteUser, OxdScope and which claims the provider releases",
    }
    /// A location uses the module, but its configuration is incomplete.
    NotConfigured {
        code: "not_configured", status: 500, level: Error,
        remedy: "",
    }
    /// An error in the module itself.
    Internal {
        code: "internal", status: 500, level: Error,
        remedy: "",
    }
    /// Not an address of the handler.
    NotFound {
        code: "not_found", status: 404, level: Info,
        remedy: "",
    }
    /// The handler's address does not support this method.
    MethodNotAllowed {
        code: "method_not_allowed", status: 405, level: Info,
        remedy: "",
    }
    /// The form from the provider is over the limit.
    BodyTooLarge {
        code: "body_too_large", status: 413, level: Info,
        remedy: "",
    }
}

/// An answer that is not a refusal; its code is in the access log like that of a [`Reason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::enum_variant_names)] // A step-up is the term for that kind of login.
pub enum Step {
    /// The browser was sent to the provider.
    LoginStarted,
    /// The same, for an authentication that a rule requires.
    StepUpStarted,
    /// The same, with the provider asked to show no page.
    SilentLoginStarted,
    /// The login was restarted.
    LoginRestarted,
    /// The login is complete.
    LoginDone,
    /// The login had been completed before.
    AlreadySignedIn,
    /// The form that came with the request is kept in a page.
    FormKept,
    /// The browser was sent to the authorization server's page for claims (UMA).
    ClaimsGathering,
    /// The session has ended; the browser was sent to the provider's logout.
    SignedOut,
    /// The session has ended here, but oxd, the provider or the store could not be notified.
    SignedOutHere,
    /// The provider has reported the logout of a session or a user.
    LogoutNoted,
}

impl Step {
    /// All of them.
    pub const ALL: &[Step] = &[
        Step::LoginStarted,
        Step::StepUpStarted,
        Step::SilentLoginStarted,
        Step::LoginRestarted,
        Step::LoginDone,
        Step::AlreadySignedIn,
        Step::FormKept,
        Step::ClaimsGathering,
        Step::SignedOut,
        Step::SignedOutHere,
        Step::LogoutNoted,
    ];

    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Step::LoginStarted => "login_started",
            Step::StepUpStarted => "step_up_started",
            Step::SilentLoginStarted => "silent_login_started",
            Step::LoginRestarted => "login_restarted",
            Step::LoginDone => "login_done",
            Step::AlreadySignedIn => "already_signed_in",
            Step::FormKept => "form_kept",
            Step::ClaimsGathering => "claims_gathering",
            Step::SignedOut => "signed_out",
            Step::SignedOutHere => "signed_out_here",
            Step::LogoutNoted => "logout_noted",
        }
    }
}

impl Reason {
    /// Heading and text in a language. They are looked up in the catalogues once: what a script asks for without a
    /// session is refused as often as it asks.
    fn words(self, language: Language) -> (&'static str, &'static str) {
        static WORDS: LazyLock<Vec<Vec<(&str, &str)>>> = LazyLock::new(|| {
            let words = |language: Language, reason: Reason| {
                let name = format!("reason-{}", reason.code().replace('_', "-"));
                (language.text(&name), language.text(&format!("{name}.text")))
            };
            let all = |language| {
                Reason::ALL
                    .iter()
                    .map(|reason| words(language, *reason))
                    .collect()
            };
            Language::all().map(all).collect()
        });
        let of_language = WORDS.get(language.number()).map_or(&[][..], Vec::as_slice);
        // Reasons have no values of their own: they count from 0 in the order of ALL.
        of_language.get(self as usize).copied().unwrap_or_default()
    }

    /// Looks the texts up now, before httpd forks its children.
    pub fn prepare_texts() {
        Reason::NotFound.words(Language::ENGLISH);
    }

    /// The page's heading, in English.
    pub fn title(self) -> &'static str {
        self.title_in(Language::ENGLISH)
    }

    /// The page's heading.
    pub fn title_in(self, language: Language) -> &'static str {
        self.words(language).0
    }

    /// The text for the user, in English: for logs and programs.
    pub fn text(self) -> &'static str {
        self.text_in(Language::ENGLISH)
    }

    /// The page's text for the user.
    pub fn text_in(self, language: Language) -> &'static str {
        self.words(language).1
    }

    /// Whether something is wrong here, at oxd or at the provider, and not with what the user did: such refusals are
    /// logged at `warn` or `error`.
    pub fn is_trouble(self) -> bool {
        matches!(self.level(), Level::Error | Level::Warning)
    }

    /// Whether a request has waited for oxd in vain, or was not let wait: it does not call oxd once more.
    pub fn is_oxd_away(self) -> bool {
        matches!(
            self,
            Reason::OxdTimeout | Reason::OxdUnreachable | Reason::OxdBusy
        )
    }

    /// Seconds for `Retry-After`, where trying again soon makes sense.
    pub fn retry_after(self) -> Option<Seconds> {
        (self.status() == 503).then_some(Seconds(5))
    }

    /// Whether the page offers to start the login over.
    pub fn can_start_over(self) -> bool {
        !matches!(
            self,
            Reason::NotFound
                | Reason::MethodNotAllowed
                | Reason::NotConfigured
                | Reason::Forbidden
                | Reason::StoreUnavailable
                | Reason::RevocationsLag
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_errors_say_what_to_do() {
        let mut codes: Vec<_> = Reason::ALL.iter().map(|r| r.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert!(
                !reason.title().is_empty() && !reason.text().is_empty(),
                "{reason:?}"
            );
            let own_words = matches!(reason, Reason::NotConfigured | Reason::Internal);
            assert!(
                reason.level() != Level::Error || own_words || !reason.remedy().is_empty(),
                "{reason:?}"
            );
        }
    }

    #[test]
    fn every_code_has_its_entry_in_the_troubleshooting_page_and_no_other_has() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/TROUBLESHOOTING.md");
        let page = std::fs::read_to_string(path).unwrap();
        let entries: Vec<&str> = page
            .lines()
            .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'))
            .collect();
        let reasons = Reason::ALL.iter().map(|reason| reason.code());
        let codes: Vec<&str> = reasons.chain(Step::ALL.iter().map(|step| step.code())).collect();
        for code in &codes {
            assert_eq!(entries.iter().filter(|entry| entry == &code).count(), 1, "{code}");
        }
        for entry in &entries {
            assert!(codes.contains(entry), "{entry}");
        }
        for reason in Reason::ALL {
            let entry = page
                .split("\n### `")
                .find(|entry| entry.starts_with(&format!("{}`", reason.code())));
            let entry = entry.unwrap_or_default();
            assert!(
                entry.contains(&reason.status().to_string()),
                "{}: status",
                reason.code()
            );
            assert!(
                entry.contains("**Cause.**") && entry.contains("**Cure.**"),
                "{}",
                reason.code()
            );
        }
    }
}
