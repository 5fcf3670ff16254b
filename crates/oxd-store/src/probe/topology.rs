//! What sentinels and nodes of a cluster know of the servers.

use std::collections::HashMap;

use oxd_core::config::store::HostPort;
use redis::{Cmd, FromRedisValue as _, Value};

use super::{Failure, FailureKind, Node};

/// A service, as one sentinel sees it.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The master.
    pub master: HostPort,
    /// What is the matter with it (`s_down`, `o_down`), among other words.
    pub flags: String,
    /// The replicas that answer the sentinel.
    pub replicas: Vec<HostPort>,
    /// The replicas that do not.
    pub lost_replicas: Vec<HostPort>,
    /// The other sentinels that it knows of.
    pub others: u64,
    /// How many sentinels have to agree that the master is gone.
    pub quorum: u64,
    /// Whether enough of them can be reached for a failover.
    pub agreement: Result<(), Failure>,
}

/// The part of a cluster's slots that one master has.
#[derive(Clone, Debug)]
pub struct Shard {
    /// The master.
    pub master: HostPort,
    /// Its replicas.
    pub replicas: Vec<HostPort>,
    /// Its slots: first and last.
    pub slots: Vec<(u16, u16)>,
}

/// A cluster, as one node sees it.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The masters with slots.
    pub shards: Vec<Shard>,
    /// `CLUSTER INFO`, which the user need not be allowed.
    pub info: Result<super::Info, Failure>,
}

impl Cluster {
    /// How many of the 16,384 slots have a master.
    pub fn covered(&self) -> u32 {
        let ranges = self.shards.iter().flat_map(|shard| &shard.slots);
        ranges
            .map(|(first, last)| u32::from(*last) + 1 - u32::from(*first).min(u32::from(*last)))
            .sum()
    }
}

type Fields = HashMap<String, String>;

fn host(fields: &Fields) -> Option<HostPort> {
    Some(HostPort {
        host: fields.get("ip")?.clone(),
        port: fields.get("port")?.parse().ok()?,
    })
}

fn number(fields: &Fields, name: &str) -> u64 {
    let text = fields.get(name);
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

impl Node {
    async fn ask_sentinel<A: redis::FromRedisValue>(
        &mut self,
        what: &str,
        service: &str,
    ) -> Result<A, Failure> {
        self.ask(Cmd::new().arg("SENTINEL").arg(what).arg(service)).await
    }

    /// Asks a sentinel for a service.
    ///
    /// # Errors
    /// It does not know it, or is no sentinel.
    pub async fn watch(&mut self, service: &str) -> Result<Watch, Failure> {
        let master: Fields = self.ask_sentinel("MASTER", service).await?;
        // Redis before 5 has no other name for them.
        let replicas: Vec<Fields> = self.ask_sentinel("SLAVES", service).await.unwrap_or_default();
        let is_lost = |fields: &&Fields| {
            let flags = fields.get("flags").map_or("", String::as_str);
            flags.contains("down") || flags.contains("disconnected")
        };
        let (lost, well): (Vec<_>, Vec<_>) = replicas.iter().partition(is_lost);
        let hosts = |fields: Vec<&Fields>| fields.into_iter().filter_map(host).collect();
        let odd = || Failure::new(FailureKind::Other, "the sentinel names no address of the master");
        Ok(Watch {
            master: host(&master).ok_or_else(odd)?,
            flags: master.get("flags").cloned().unwrap_or_default(),
            replicas: hosts(well),
            lost_replicas: hosts(lost),
            others: number(&master, "num-other-sentinels"),
            quorum: number(&master, "quorum"),
            agreement: self.ask_sentinel::<String>("CKQUORUM", service).await.map(|_| ()),
        })
    }

    /// The services that a sentinel knows.
    ///
    /// # Errors
    /// It is no sentinel.
    pub async fn services(&mut self) -> Result<Vec<String>, Failure> {
        let masters: Vec<Fields> = self.ask(Cmd::new().arg("SENTINEL").arg("MASTERS")).await?;
        Ok(masters
            .into_iter()
            .filter_map(|mut fields| fields.remove("name"))
            .collect())
    }

    /// The cluster that this node, reached under this address, belongs to.
    ///
    /// # Errors
    /// It belongs to none, or the user may not ask.
    pub async fn cluster(&mut self, own: &HostPort) -> Result<Cluster, Failure> {
        let slots: Vec<Value> = self.ask(Cmd::new().arg("CLUSTER").arg("SLOTS")).await?;
        let info: Result<String, Failure> = self.ask(Cmd::new().arg("CLUSTER").arg("INFO")).await;
        Ok(Cluster {
            shards: shards(slots, own),
            info: info.map(|text| super::Info::parse(&text)),
        })
    }
}

/// Reads `CLUSTER SLOTS`: first slot, last slot, master, replicas.
fn shards(slots: Vec<Value>, own: &HostPort) -> Vec<Shard> {
    let mut shards: Vec<Shard> = Vec::new();
    for range in slots {
        let Value::Array(parts) = range else { continue };
        let mut parts = parts.into_iter();
        let mut slot = || u16::from_redis_value(parts.next()?).ok();
        let (Some(first), Some(last)) = (slot(), slot()) else {
            continue;
        };
        let mut nodes = parts.filter_map(|node| named(node, own));
        let Some(master) = nodes.next() else { continue };
        match shards.iter_mut().find(|shard| shard.master == master) {
            Some(shard) => shard.slots.push((first, last)),
            None => shards.push(Shard {
                master,
                replicas: nodes.collect(),
                slots: vec![(first, last)],
            }),
        }
    }
    shards
}

/// A node in it. One that does not know its own address names none.
fn named(node: Value, own: &HostPort) -> Option<HostPort> {
    let Value::Array(parts) = node else { return None };
    let mut parts = parts.into_iter();
    let host: Option<String> = Option::from_redis_value(parts.next()?).ok()?;
    let port = u16::from_redis_value(parts.next()?).ok()?;
    Some(HostPort {
        host: host
            .filter(|host| !host.is_empty())
            .unwrap_or_else(|| own.host.clone()),
        port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_put_together_by_master() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let node = |host: Value, port: i64| Value::Array(vec![host, Value::Int(port), text("id")]);
        let range = |first: i64, last: i64, nodes: Vec<Value>| {
            let mut parts = vec![Value::Int(first), Value::Int(last)];
            parts.extend(nodes);
            Value::Array(parts)
        };
        let own = HostPort {
            host: "10.0.0.9".into(),
            port: 1,
        };
        let slots = vec![
            range(
                0,
                99,
                vec![node(text("10.0.0.1"), 7001), node(text("10.0.0.2"), 7002)],
            ),
            range(100, 100, vec![node(Value::Nil, 7003)]),
            range(200, 299, vec![node(text("10.0.0.1"), 7001)]),
            Value::Nil,
        ];
        let shards = shards(slots, &own);
        let said: Vec<String> = shards
            .iter()
            .map(|shard| format!("{} {} {:?}", shard.master, shard.replicas.len(), shard.slots))
            .collect();
        assert_eq!(
            said,
            [
                "10.0.0.1:7001 1 [(0, 99), (200, 299)]",
                "10.0.0.9:7003 0 [(100, 100)]"
            ]
        );
        let info = Ok(super::super::Info::default());
        assert_eq!(Cluster { shards, info }.covered(), 201);
    }
}
