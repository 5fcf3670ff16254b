//! The commands that the user of the store needs rights for. The check of `oxdctl` tries those of [`COMMANDS`], and the
//! documentation names them.

use oxd_core::config::store::{Servers, StoreAddress};

/// What a store is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `OxdSessionStore`
    Sessions,
    /// `OxdRevocations`
    Revocations,
}

/// When a command is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// For sessions.
    Sessions,
    /// For revocations.
    Revocations,
    /// For both.
    Both,
    /// In a database other than 0.
    Database,
    /// Where sentinels name the master.
    Sentinel,
    /// In a cluster.
    Cluster,
}

/// A command that the user needs the right to.
#[derive(Debug)]
pub struct Command {
    /// Its name in a rule of `ACL SETUSER`, without the `+`.
    pub name: &'static str,
    /// When it is needed.
    pub need: Need,
}

const fn command(name: &'static str, need: Need) -> Command {
    Command { name, need }
}

/// All commands that the module sends, or runs in scripts.
pub const COMMANDS: &[Command] = &[
    command("get", Need::Both),
    command("getrange", Need::Both),
    command("set", Need::Both),
    command("del", Need::Both),
    command("eval", Need::Both),
    command("exists", Need::Sessions),
    command("expire", Need::Sessions),
    command("zadd", Need::Sessions),
    command("zrange", Need::Sessions),
    command("zrem", Need::Sessions),
    command("zremrangebyscore", Need::Sessions),
    command("zremrangebyrank", Need::Sessions),
    command("xadd", Need::Revocations),
    command("xread", Need::Revocations),
    command("xtrim", Need::Revocations),
    command("select", Need::Database),
    // They are the client's own: it makes sure of the master, learns who has which slots, and follows one that moves.
    command("role", Need::Sentinel),
    command("ping", Need::Cluster),
    command("asking", Need::Cluster),
    command("cluster|slots", Need::Cluster),
];

/// The names of the commands that a store with this address needs.
pub fn needed(address: &StoreAddress, purpose: Purpose) -> Vec<&'static str> {
    let is_needed = |command: &&Command| match command.need {
        Need::Sessions => purpose == Purpose::Sessions,
        Need::Revocations => purpose == Purpose::Revocations,
        Need::Both => true,
        Need::Database => address.database != 0,
        Need::Sentinel => matches!(address.servers, Servers::Sentinel { .. }),
        Need::Cluster => matches!(address.servers, Servers::Cluster(_)),
    };
    COMMANDS
        .iter()
        .filter(is_needed)
        .map(|command| command.name)
        .collect()
}

/// The line for `redis-cli` that gives a user the right to these commands, with keys below this prefix, and to nothing
/// else. A new user gets a password, too.
pub fn acl_line(user: &str, is_new: bool, prefix: &str, commands: &[&str]) -> String {
    let start = if is_new { " on >PASSWORD" } else { "" };
    let keys = word(&format!("~{}*", literally(prefix)));
    let rights: String = commands.iter().map(|name| format!(" +{name}")).collect();
    format!(
        "ACL SETUSER {}{start} resetkeys {keys} resetchannels -@all{rights}",
        word(user)
    )
}

/// A text as a pattern that fits nothing but it.
fn literally(text: &str) -> String {
    let special = |c: char| matches!(c, '*' | '?' | '[' | ']' | '\\');
    text.chars()
        .flat_map(|c| special(c).then_some('\\').into_iter().chain([c]))
        .collect()
}

/// A word as `redis-cli` and `redis.conf` read it.
fn word(text: &str) -> String {
    if text.contains(['"', '\'', ' ']) {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(url: &str, purpose: Purpose) -> String {
        let address = StoreAddress::parse(url).unwrap();
        needed(&address, purpose).join(" ")
    }

    #[test]
    fn each_address_needs_its_own_commands() {
        let usual =
            "get getrange set del eval exists expire zadd zrange zrem zremrangebyscore zremrangebyrank";
        for (url, more) in [
            ("redis://h", ""),
            ("redis+unix:///s", ""),
            ("redis://h/2", " select"),
            ("redis+sentinel://h/main", " role"),
            ("redis+sentinel://h/main/2", " select role"),
            ("rediss+cluster://h", " ping asking cluster|slots"),
        ] {
            assert_eq!(rights(url, Purpose::Sessions), format!("{usual}{more}"), "{url}");
            assert_eq!(
                rights(url, Purpose::Revocations),
                format!("get getrange set del eval xadd xread xtrim{more}"),
                "{url}"
            );
        }
    }

    #[test]
    fn a_line_takes_names_and_prefixes_as_they_are() {
        assert_eq!(
            acl_line("mod_oxd", true, "mod_oxd:", &["get", "set"]),
            "ACL SETUSER mod_oxd on >PASSWORD resetkeys ~mod_oxd:* resetchannels -@all +get +set"
        );
        assert_eq!(
            acl_line("a b", false, "{x}*[y]", &["get"]),
            "ACL SETUSER \"a b\" resetkeys ~{x}\\*\\[y\\]* resetchannels -@all +get"
        );
        assert_eq!(
            acl_line("u", false, "a\"*", &[]),
            "ACL SETUSER u resetkeys \"~a\\\"\\\\**\" resetchannels -@all"
        );
    }

    /// The commands in the sources are words in capitals, alone in their quotes.
    #[test]
    fn every_command_of_the_sources_is_listed() {
        // Their arguments.
        let words = [
            "EX",
            "NX",
            "XX",
            "PX",
            "MAXLEN",
            "MINID",
            "LIMIT",
            "COUNT",
            "BLOCK",
            "STREAMS",
            "REV",
            "WITHSCORES",
            "BYSCORE",
            "GT",
            "LT",
            // Errors.
            "NOAUTH",
            "WRONGPASS",
            "NOPERM",
        ];
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
        let mut seen = 0;
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            // What asks for the check alone is in a folder.
            if !path.is_file() {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap();
            for word in text.split(['"', '\'']) {
                let is_command = word.len() > 1 && word.bytes().all(|b| b.is_ascii_uppercase());
                if is_command && !words.contains(&word) {
                    let name = word.to_ascii_lowercase();
                    let known = COMMANDS.iter().any(|command| command.name == name);
                    assert!(known, "{word} of {} is not in COMMANDS", path.display());
                    seen += 1;
                }
            }
        }
        assert!(seen > 5, "{seen} commands");
    }
}
