//! The audit trail (`OxdAudit...`).

use crate::base::AuditSink;

/// How a line of a log names a user (`OxdAuditUser`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditUser {
    /// By the `sub`; in the error log by the name that the application gets.
    Sub,
    /// By a keyed hash of the `sub`.
    Hash,
    /// Not at all.
    None,
}

impl AuditUser {
    /// All of them, with the words of the directive.
    pub const ALL: [(&str, AuditUser); 3] = [
        ("sub", AuditUser::Sub),
        ("hash", AuditUser::Hash),
        ("none", AuditUser::None),
    ];
}

/// The audit trail of one location.
#[derive(Clone, Copy, Debug)]
pub struct AuditSettings<'a> {
    /// `OxdAuditLog`
    pub sink: &'a dyn AuditSink,
    /// `OxdAuditUser`
    pub user: AuditUser,
}
