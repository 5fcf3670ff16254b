//! Ends of sessions that machines tell each other.

use std::time::Duration;

use super::Directive;
use super::Group::Session;
use super::store::redis_url;
use crate::config::value;

const LONGEST: Duration = Duration::from_secs(365 * 86_400);

pub(super) const TABLE: &[Directive] = &[
    Directive {
        name: c"OxdRevocations",
        group: Session,
        htaccess: false,
        arguments: 1..=1,
        syntax: "redis://HOST[:PORT][/DB]",
        default: "none",
        summary: c"Redis through which machines tell each other of ended sessions",
        details: "Each end of a session (logout, front and back channel, status page) goes into a stream in Redis; one \
                  child process of each machine reads it and writes the end into shared memory, where requests find it \
                  at no cost. With sessions in cookies (`OxdSessionStore cookie`) this is how other machines hear of an \
                  end at all; with a common store, how they hear of one that the store could not be told. All forms of \
                  the URL of `OxdSessionStore` are possible, and `OxdStorePassword` and the directives beside it \
                  apply.\n\n\
                  While Redis is away, sessions go on; an end is kept in shared memory, and told when Redis is back. The \
                  status page and `oxd_revocations_lag_seconds` show it; `OxdRevocationsMaxLag` limits it.\n\n\
                  Belongs to the server or a virtual host, with `OxdCryptoKey` beside it, the same on all machines. \
                  There is one stream for each httpd: all uses must name the same one.",
        example: "OxdRevocations redis://127.0.0.1:6379",
        #[cfg(test)]
        good: &[
            &["redis://h"],
            &["rediss+sentinel://a,b/main"],
            &["redis+unix:///run/redis.sock"],
        ],
        #[cfg(test)]
        bad: &[
            &["redis:h:6379"],
            &["cookie"],
            &["redis://u:p@h"],
            &["redis://h/x"],
        ],
        apply: |s, place, args| {
            s.revocations = Some(place.arena.keep(redis_url(args[0])?));
            Ok(())
        },
    },
    Directive {
        name: c"OxdRevocationsMaxLag",
        group: Session,
        htaccess: false,
        arguments: 1..=1,
        syntax: "TIME | Off",
        default: "Off",
        summary: c"How long sessions go on while ends on other machines are not heard",
        details: "When this machine has heard nothing from the stream of `OxdRevocations` for longer, requests with a \
                  session get 503 until it is reached again; also right after a start, until it was read once. With \
                  `Off`, sessions go on. A stream that is reached is heard at least every second.",
        example: "OxdRevocationsMaxLag 5min",
        #[cfg(test)]
        good: &[&["5min"], &["2"], &["off"]],
        #[cfg(test)]
        bad: &[&["0"], &["1"], &["soon"]],
        apply: |s, _, args| {
            s.revocations_max_lag = Some(match args[0].eq_ignore_ascii_case("off") {
                true => None,
                false => Some(value::seconds(args[0], Duration::from_secs(2), LONGEST)?),
            });
            Ok(())
        },
    },
    Directive {
        name: c"OxdSessionMarks",
        group: Session,
        htaccess: false,
        arguments: 1..=1,
        syntax: "NUMBER",
        default: "131072",
        summary: c"Ended sessions that shared memory has room for",
        details: "Each end is remembered until the sessions that it covers have run out (`OxdSessionLifetime`), and \
                  used logout tokens, logins and the like for some minutes. So `ends a second x lifetime in seconds` is \
                  what is needed, with `OxdRevocations` of all machines together. A mark takes 64 bytes of shared memory, and \
                  as much of a file in `DefaultRuntimeDir`. When there is no room, the one that runs out first is given \
                  up: a line in the log and `oxd_marks_lost_total` say so. The largest number in the \
                  configuration counts; a change needs a stop and a start of httpd.",
        example: "OxdSessionMarks 1000000",
        #[cfg(test)]
        good: &[&["1024"], &["16777216"]],
        #[cfg(test)]
        bad: &[&["0"], &["1000"], &["20000000"], &["many"]],
        apply: |s, _, args| {
            s.session_marks = Some(value::number(args[0], 1_024, 1 << 24)?);
            Ok(())
        },
    },
];
