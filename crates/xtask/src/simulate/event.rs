//! What happens in a simulation, and the messages between machines and server.

use std::rc::Rc;

use oxd_core::shm::Ended;

use super::Plan;
use super::queue::{Micros, SECOND};
use super::server::Entry;

/// Who sent a command: the process of a machine that reads, by its connection, or a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sender {
    Reader(u32),
    Request,
}

#[derive(Debug)]
pub enum Command {
    Read,
    Append(Ended, Rc<[u8]>),
}

#[derive(Debug)]
pub enum Answer {
    Entries(Vec<Entry>),
    Appended(Ended),
}

/// A message on its way: of which machine, by whom, when it was sent.
#[derive(Debug)]
pub struct Way {
    pub machine: usize,
    pub sender: Sender,
    pub sent: Micros,
}

#[derive(Debug)]
pub enum Event {
    /// A session ends somewhere.
    End,
    Arrives(Way, Command),
    /// An answer arrives that has left at a time, with connections of a server's epoch.
    Answered(Way, Answer, Micros, u32),
    Fails(Way),
    /// A reader tries to connect, and is connected.
    Connects(usize, u32),
    Connected(usize, u32),
    /// A reading has waited long enough.
    Waited(usize, u32),
    /// The connection of some machine breaks.
    Breaks,
    /// The server vanishes: silently, or so that its connections break.
    Vanishes(bool),
    Returns,
    /// Another one takes over.
    TakesOver,
    Looks,
}

/// The outage begins after a sixth of the storm, the failover after two thirds.
pub fn disturbances(plan: &Plan) -> Vec<(Micros, Event)> {
    let storm = plan.seconds * SECOND;
    let after = |begin: Micros, lasts: f64| begin + (lasts * SECOND as f64) as Micros;
    let (outage, failover) = (storm / 6, storm * 2 / 3);
    let mut events = Vec::new();
    if plan.outage > 0.0 {
        events.push((outage, Event::Vanishes(true)));
        events.push((after(outage, plan.outage), Event::Returns));
    }
    if plan.failover > 0.0 {
        events.push((failover, Event::Vanishes(false)));
        events.push((after(failover, plan.failover), Event::TakesOver));
    }
    events
}
