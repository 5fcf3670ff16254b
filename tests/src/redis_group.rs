//! A Redis master with its replica, and three sentinels who watch them.

use std::collections::BTreeSet;

use crate::redis_node::RedisNode;
use crate::wait::wait_until;

/// The password of the servers; their replication has a user of its own, of the same password.
const PASSWORD: &str = "secret";

/// The servers of a group, all of which go when it is dropped.
pub struct RedisGroup {
    /// The master at the beginning.
    pub master: RedisNode,
    /// Its replica at the beginning.
    pub replica: RedisNode,
    /// Those who watch both.
    pub sentinels: [RedisNode; 3],
}

impl RedisGroup {
    /// Starts all of them, and waits until they know each other.
    #[track_caller]
    pub fn start() -> RedisGroup {
        let both = format!(
            "requirepass {PASSWORD}\nmasteruser copies\nmasterauth {PASSWORD}\n\
             user copies on >{PASSWORD} -@all +psync +replconf +ping"
        );
        let master = RedisNode::start(&both).with_password(PASSWORD);
        let replica = format!("{both}\nreplicaof 127.0.0.1 {}", master.number());
        let replica = RedisNode::start(&replica).with_password(PASSWORD);
        let sentinels = RedisNode::sentinels(&master, &format!("sentinel auth-pass main {PASSWORD}"));
        let group = RedisGroup {
            master,
            replica,
            sentinels,
        };
        wait_until("the sentinels to know the replica and each other", || {
            let port = group.replica.number().to_string();
            group.sentinels.iter().all(|sentinel| {
                let replicas = sentinel.ask(&["sentinel", "replicas", "main"]);
                let others = sentinel.ask(&["sentinel", "sentinels", "main"]);
                replicas.contains(&port)
                    && !replicas.contains("s_down")
                    && others.lines().filter(|line| *line == "runid").count() == 2
            })
        });
        wait_until("the replica to be in step", || {
            let replication = group.replica.ask(&["info", "replication"]);
            replication.contains("master_link_status:up")
        });
        group
    }

    /// The argument of `OxdSessionStore`, and the password.
    pub fn directives(&self) -> String {
        format!("OxdSessionStore {}\n{}", self.url(), self.credentials())
    }

    /// The directives beside the URL.
    pub fn credentials(&self) -> String {
        format!("OxdStorePassword {PASSWORD}")
    }

    /// The URL that names the sentinels.
    pub fn url(&self) -> String {
        let hosts: Vec<_> = self.sentinels.iter().map(RedisNode::address).collect();
        format!("redis+sentinel://{}/main", hosts.join(","))
    }

    /// Waits until the replica has what the master has: Redis replicates asynchronously.
    #[track_caller]
    pub fn in_step(&self) {
        wait_until("the replica to have all entries", || {
            let keys = |node: &RedisNode| -> BTreeSet<String> {
                node.ask(&["keys", "*"]).lines().map(str::to_owned).collect()
            };
            keys(&self.master) == keys(&self.replica)
        });
    }

    /// The replica gets nothing any more.
    #[track_caller]
    pub fn part(&self) {
        assert_eq!(self.master.ask(&["acl", "setuser", "copies", "off"]), "OK");
        wait_until("the replica to be cut off", || {
            // It may be about to connect anew.
            self.master.ask(&["client", "kill", "type", "replica"]);
            self.master
                .ask(&["info", "replication"])
                .contains("connected_slaves:0")
        });
    }

    /// The master ends, and the sentinels look for the next one soon.
    #[track_caller]
    pub fn lose_master(&mut self) {
        RedisNode::lose_master(&self.sentinels, &mut self.master);
    }

    /// How many sentinels name the replica as the master.
    #[track_caller]
    pub fn named(&self) -> usize {
        let port = self.replica.number().to_string();
        let asked = ["sentinel", "get-master-addr-by-name", "main"];
        let names = |sentinel: &&RedisNode| sentinel.ask(&asked).lines().nth(1) == Some(&port);
        self.sentinels.iter().filter(names).count()
    }
}
