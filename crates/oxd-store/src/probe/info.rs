//! The answer to `INFO`.

use std::collections::HashMap;

/// What a server says of itself.
#[derive(Clone, Debug, Default)]
pub struct Info(HashMap<String, String>);

/// A replica, as its master sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// Host and port.
    pub address: String,
    /// `online` once it has everything.
    pub state: String,
    /// The seconds since it was last heard of.
    pub lag: u64,
    /// The bytes that it has not confirmed yet.
    pub behind: u64,
}

impl Info {
    /// Reads the text.
    pub fn parse(text: &str) -> Self {
        let fields = text.lines().filter_map(|line| line.trim_end().split_once(':'));
        Self(
            fields
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// A field, unless it is empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    }

    /// A field that is a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    /// The replicas of a master.
    pub fn replicas(&self) -> Vec<Replica> {
        let sent = self.number("master_repl_offset").unwrap_or_default();
        (0..)
            .map_while(|number| self.get(&format!("slave{number}")))
            .map(|line| replica(line, sent))
            .collect()
    }
}

/// As in `ip=10.0.0.2,port=6379,state=online,offset=14,lag=0`.
fn replica(line: &str, sent: u64) -> Replica {
    let field = |name: &str| {
        let mut pairs = line.split(',').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(found, _)| *found == name)
            .map_or("", |(_, value)| value)
    };
    let number = |name: &str| field(name).parse::<u64>().ok();
    Replica {
        address: format!("{}:{}", field("ip"), field("port")),
        state: field("state").to_owned(),
        lag: number("lag").unwrap_or_default(),
        behind: number("offset").map_or(0, |offset| sent.saturating_sub(offset)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_replicas_are_read() {
        let info = Info::parse(
            "# Server\r\nredis_version:7.0.15\r\nconfig_file:\r\n\r\nmaxmemory:100\r\nmaster_repl_offset:500\r\n\
             slave0:ip=10.0.0.2,port=6379,state=online,offset=480,lag=1\r\n\
             slave1:ip=10.0.0.3,port=6380,state=wait_bgsave,offset=0,lag=0\r\n",
        );
        assert_eq!(info.get("redis_version"), Some("7.0.15"));
        assert_eq!((info.get("config_file"), info.get("none")), (None, None));
        assert_eq!(info.number("maxmemory"), Some(100));
        let replicas = info.replicas();
        assert_eq!(
            replicas[0],
            Replica {
                address: "10.0.0.2:6379".into(),
                state: "online".into(),
                lag: 1,
                behind: 20
            }
        );
        assert_eq!((replicas[1].state.as_str(), replicas.len()), ("wait_bgsave", 2));
    }
}
