//! One verdict of those about several servers.

use oxd_store::probe::Place;

use super::line;
use crate::check::report::{Status, Verdict, counted};

fn weight(status: Status) -> u8 {
    match status {
        Status::Ok => 0,
        Status::Skipped => 1,
        Status::Warning => 2,
        Status::Failed => 3,
    }
}

/// The worst of these, said of the servers that it is about. `None` where there is none at all.
pub fn worst(mut verdicts: Vec<(Place, Verdict)>) -> Option<Verdict> {
    let all = verdicts.len();
    let worst = verdicts.iter().map(|(_, one)| weight(one.status)).max()?;
    // Good news of the others does not matter beside them.
    if worst > 0 {
        verdicts.retain(|(_, one)| weight(one.status) > 0);
    }
    let (_, first) = verdicts.iter().find(|(_, one)| weight(one.status) == worst)?;
    let first = first.clone();
    let alike = verdicts.iter().all(|(_, one)| one.found == first.found);
    let found = match (all, alike && verdicts.len() == all) {
        (1, _) => first.found.clone(),
        (_, true) => format!("{} (each of {})", first.found, counted(all, "server")),
        (_, false) => {
            let lines = verdicts.iter().map(|(place, one)| line(place, &one.found));
            lines.collect::<Vec<_>>().join("\n")
        }
    };
    Some(Verdict { found, ..first })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(verdicts: &[Verdict]) -> Verdict {
        let place = |number: usize| Place::Socket(format!("/{number}").into());
        let all = verdicts.iter().cloned().enumerate();
        worst(all.map(|(number, one)| (place(number), one)).collect()).unwrap()
    }

    #[test]
    fn the_worst_is_said_with_the_servers_that_it_is_about() {
        let (good, other) = (Verdict::ok("good"), Verdict::ok("as good"));
        let bad = Verdict::warn("cause", "bad", "do");
        let broken = Verdict::fail("reason", "broken", "mend");
        assert_eq!(of(std::slice::from_ref(&bad)), bad);
        assert_eq!(
            of(&[good.clone(), good.clone()]),
            Verdict::ok("good (each of 2 servers)")
        );
        assert_eq!(
            of(&[good.clone(), other.clone()]),
            Verdict::ok("/0: good\n/1: as good")
        );
        assert_eq!(
            of(&[good.clone(), bad.clone()]),
            Verdict::warn("cause", "/1: bad", "do")
        );
        assert_eq!(
            of(&[bad, good, broken]),
            Verdict::fail("reason", "/0: bad\n/2: broken", "mend")
        );
        assert_eq!(worst(Vec::new()), None);
    }
}
