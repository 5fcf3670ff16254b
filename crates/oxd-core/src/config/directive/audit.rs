//! The audit trail.

use super::Directive;
use super::Group::Audit;
use crate::config::audit::AuditUser;
use crate::config::value::Complaint;

pub(super) const TABLE: &[Directive] = &[
    Directive {
        name: c"OxdAuditLog",
        group: Audit,
        htaccess: false,
        arguments: 1..=1,
        syntax: "FILE | \"|PROGRAM ARGUMENTS\" | Off",
        default: "Off",
        summary: c"File or program that gets a line of JSON for each login, logout and refusal",
        details: "One line for each event: a login or a step-up, a refused login, a logout and by whom, a refused refresh \
                  token, a session that is ended, an administrator's act, a refused access token, a refused access. \
                  [The audit trail](AUDIT.md) lists events and fields. Requests that are let in with a session write \
                  nothing.\n\n\
                  The value is that of `CustomLog`: a file, relative to `ServerRoot`, or a program behind `|` (behind `|$` \
                  run by a shell), which httpd keeps running. httpd opens it before it gives up root's rights; a new file \
                  can be read by its owner and group (0640). Places that name the same one share it. A line is written \
                  in one piece. A line that cannot be written is lost: the request goes on, the error log says so, and \
                  `oxd_audit_lines_total` counts it. A program that does not read is waited for at most a quarter of a \
                  second.",
        example: "OxdAuditLog \"${APACHE_LOG_DIR}/oxd-audit.log\"",
        #[cfg(test)]
        good: &[&["logs/audit.log"], &["|/bin/cat >x"], &["Off"]],
        #[cfg(test)]
        bad: &[&[""], &["|"], &["|missing"], &["missing/audit.log"]],
        apply: |s, place, args| {
            let refused = |allowed: String| Complaint {
                value: Some(args[0].to_owned()),
                allowed,
            };
            s.audit_log = Some(match args[0] {
                off if off.eq_ignore_ascii_case("off") => None,
                target => Some(place.env.open_audit(target).map_err(refused)?),
            });
            Ok(())
        },
    },
    Directive {
        name: c"OxdAuditUser",
        group: Audit,
        htaccess: false,
        arguments: 1..=1,
        syntax: "hash | sub | none",
        default: "hash",
        summary: c"How lines of the audit trail name a user",
        details: "With `hash`, by a hash of the `sub` that is keyed with the newest `OxdCryptoKey`: the lines of one user \
                  are found together, and a reader without the key can neither learn nor guess who it is. It stays the \
                  same across restarts as long as the key does; without `OxdCryptoKey` it changes whenever httpd stops. With \
                  `sub`, by the `sub` itself; with `none`, not at all.\n\n\
                  Given explicitly, it also applies to the user in the error log's refusals. Without it, these name the user as \
                  the access log's `%u` does.",
        example: "OxdAuditUser sub",
        #[cfg(test)]
        good: &[&["sub"], &["Hash"], &["none"]],
        #[cfg(test)]
        bad: &[&["name"], &[""]],
        apply: |s, _, args| {
            let known = AuditUser::ALL
                .into_iter()
                .find(|(word, _)| word.eq_ignore_ascii_case(args[0]));
            let (_, user) = known.ok_or_else(|| Complaint {
                value: Some(args[0].to_owned()),
                allowed: "hash, sub, none".into(),
            })?;
            s.audit_user = Some(user);
            Ok(())
        },
    },
];
