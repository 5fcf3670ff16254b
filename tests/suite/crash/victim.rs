//! Whom a blow strikes, and who gets up again by what.

use std::thread;
use std::time::Duration;

use oxd_tests::{Httpd, Store, TestSite, kill_group, kill_process};

use super::random::Random;
use super::service::Place;

/// A process, or several, that `kill -9` ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Victim {
    /// A child of httpd; its parent starts another one.
    Child,
    /// All of them.
    Children,
    /// httpd's parent. Its children go on until systemd ends them and starts httpd again.
    Parent,
    /// httpd as a whole, at once.
    Httpd,
    /// Redis or memcached.
    Store,
    /// oxd.
    Oxd,
    /// All of the above.
    Everything,
}

impl Victim {
    /// Those that there are with a store.
    pub(crate) fn all(place: Place) -> Vec<Victim> {
        let mut all = vec![
            Victim::Child,
            Victim::Children,
            Victim::Parent,
            Victim::Httpd,
            Victim::Oxd,
            Victim::Everything,
        ];
        if place.is_server() {
            all.push(Victim::Store);
        }
        all
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Victim::Child => "a child",
            Victim::Children => "all children",
            Victim::Parent => "the parent",
            Victim::Httpd => "httpd",
            Victim::Store => "the store",
            Victim::Oxd => "oxd",
            Victim::Everything => "everything",
        }
    }

    /// Whether sessions may be lost: those of shared memory with httpd's parent, those of a server that writes nothing
    /// down with the server.
    pub(crate) fn is_lossy(self, place: Place) -> bool {
        let ends_httpd = matches!(self, Victim::Parent | Victim::Httpd | Victim::Everything);
        let ends_store = matches!(self, Victim::Store | Victim::Everything);
        match place {
            Place::Cookie | Place::KeptRedisUrl => false,
            Place::Shmcb => ends_httpd,
            Place::Redis | Place::RedisUrl | Place::Memcache => ends_store,
        }
    }

    /// How long after its repair requests may still fail. A child that has seen oxd fail leaves it alone for two
    /// seconds; httpd's own clients of Redis and memcached leave a failed server out for five.
    pub(crate) fn grace(self, place: Place) -> Duration {
        let ends_store = matches!(self, Victim::Store | Victim::Everything);
        match place {
            Place::Redis | Place::Memcache if ends_store => Duration::from_secs(25),
            _ => Duration::from_secs(4),
        }
    }

    /// Strikes, and lets whoever has no parent to do so start it again. Notes the processes of httpd that were killed.
    pub(crate) fn strike(
        self,
        site: &mut TestSite,
        store: &mut Store,
        random: &mut Random,
        killed: &mut Vec<u32>,
    ) {
        match self {
            Victim::Child => {
                let children = site.httpd.children();
                if !children.is_empty() {
                    let child = children[random.below(children.len())];
                    kill_process(child);
                    killed.push(child);
                }
            }
            Victim::Children => {
                for child in site.httpd.children() {
                    kill_process(child);
                    killed.push(child);
                }
            }
            Victim::Parent => {
                let group = site.httpd.lose_parent();
                pause(random, 300);
                kill_group(group);
                pause(random, 100);
                site.httpd.start();
            }
            Victim::Httpd => {
                kill_httpd(&mut site.httpd);
                pause(random, 200);
                site.httpd.start();
            }
            Victim::Store => {
                store.server_mut().kill();
                pause(random, 400);
                store.server_mut().start();
            }
            Victim::Oxd => {
                site.oxd.stop();
                pause(random, 400);
                revive(site, random);
            }
            Victim::Everything => {
                let has_server = store.has_server();
                if has_server {
                    store.server_mut().kill();
                }
                kill_httpd(&mut site.httpd);
                site.oxd.stop();
                pause(random, 200);
                // In any order.
                let mut order = [0, 1, 2];
                random.shuffle(&mut order);
                for one in order {
                    match one {
                        0 if has_server => store.server_mut().start(),
                        1 => site.httpd.start(),
                        2 => revive(site, random),
                        _ => {}
                    }
                    pause(random, 100);
                }
            }
        }
    }
}

/// oxd keeps its sites, and sometimes its client tokens.
fn revive(site: &mut TestSite, random: &mut Random) {
    if random.percent(50) {
        site.oxd.expire_client_tokens();
    }
    site.oxd.resume();
}

/// Ends httpd and its children at once.
pub(crate) fn kill_httpd(httpd: &mut Httpd) {
    let group = httpd.lose_parent();
    kill_group(group);
}

/// Lets a random time pass, below so many milliseconds.
pub(crate) fn pause(random: &mut Random, below: usize) {
    let milliseconds = u64::try_from(random.below(below)).expect("a small number");
    thread::sleep(Duration::from_millis(milliseconds));
}
