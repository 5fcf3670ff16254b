//! What must not grow, the file of samples, and the verdict.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::growth::{Bound, Growth};
use crate::sample::Row;
use crate::site::CHILDREN;
use crate::usage::Usage;

/// A bound, and the value that it is for.
type Watched = (Bound, fn(&Usage) -> u64);

const CHILD: [Watched; 3] = [
    (
        Bound {
            what: "private memory of a child",
            unit: "KiB",
            most: 4096.0,
        },
        |usage| usage.private,
    ),
    // Connections: those that visitors keep (eight for each of four threads at most), and some to oxd and to the store.
    (
        Bound {
            what: "descriptors of a child",
            unit: "",
            most: 24.0,
        },
        |usage| usage.descriptors,
    ),
    // One of httpd's network stores has up to eight helper threads, which begin when they are needed.
    (
        Bound {
            what: "threads of a child",
            unit: "",
            most: 9.0,
        },
        |usage| usage.threads,
    ),
];

const PARENT: [Watched; 4] = [
    (
        Bound {
            what: "private memory of the parent",
            unit: "KiB",
            most: 512.0,
        },
        |usage| usage.private,
    ),
    (
        Bound {
            what: "descriptors of the parent",
            unit: "",
            most: 2.0,
        },
        |usage| usage.descriptors,
    ),
    (
        Bound {
            what: "threads of the parent",
            unit: "",
            most: 0.5,
        },
        |usage| usage.threads,
    ),
    (
        Bound {
            what: "shared memory of the parent",
            unit: "KiB",
            most: 64.0,
        },
        |usage| usage.shared,
    ),
];

/// All growths of one store's turn. The children are looked at while there are no restarts, which would replace them;
/// the parent all the time, and most of all during the restarts.
pub fn growths(store: &str, rows: &[Row]) -> Vec<Growth> {
    let part = |restarts: bool| {
        rows.iter()
            .filter(move |row| row.store == store && row.restarts == restarts)
    };
    let quiet: Vec<_> = part(false).collect();
    let mut growths = Vec::new();
    let pids: BTreeSet<u32> = quiet
        .iter()
        .flat_map(|row| row.children.iter().map(|child| child.pid))
        .collect();
    for (bound, value) in &CHILD {
        // Of several children the one that grew most; those that came late have few values.
        let of = |pid: &u32| {
            let one = |row: &&Row| {
                let child = row.children.iter().find(|child| child.pid == *pid)?;
                Some((row.time, value(child) as f64))
            };
            let values: Vec<_> = quiet.iter().filter_map(one).collect();
            bound.check(store, &values)
        };
        growths.extend(
            pids.iter()
                .filter_map(of)
                .max_by(|one, other| one.rise.total_cmp(&other.rise)),
        );
    }
    for (name, restarts) in [("without restarts", false), ("over the restarts", true)] {
        for (bound, value) in &PARENT {
            // What a restart leaves behind is seen by their number: they are not evenly spread over the time.
            let at = |row: &Row| if restarts { row.starts as f64 } else { row.time };
            // In the middle of a restart some of it is not there.
            let whole = part(restarts).filter(|row| row.children.len() >= CHILDREN);
            let values: Vec<_> = whole.map(|row| (at(row), value(&row.parent) as f64)).collect();
            growths.extend(bound.check(store, &values).map(|growth| Growth {
                what: format!("{}, {name}", growth.what),
                ..growth
            }));
        }
    }
    growths
}

/// All growths, as a Markdown table.
pub fn table(growths: &[Growth]) -> String {
    let mut text =
        "| what | after the warm-up | at the end | rise | bound |\n|---|---|---|---|---|\n".to_owned();
    for growth in growths {
        let Growth {
            what,
            unit,
            from,
            to,
            rise,
            most,
        } = growth;
        let _ = writeln!(
            text,
            "| {what} | {from:.0} {unit} | {to:.0} {unit} | {rise:.1} | {most} |"
        );
    }
    text
}

/// The samples as CSV.
pub fn csv(rows: &[Row]) -> String {
    let mut text = "seconds,store,part,starts,processes,all_pss_kib,parent_private_kib,parent_descriptors,parent_threads,\
                    shared_kib,child_private_kib,child_descriptors,child_threads,answers_per_second,pages_per_second,\
                    page_p50_ms,page_p99_ms,page_p999_ms,excused,wrong\n"
        .to_owned();
    for row in rows {
        let part = if row.restarts { "restarts" } else { "quiet" };
        let [p50, p99, p999] = row.times;
        let Usage {
            private,
            descriptors,
            threads,
            shared,
            ..
        } = row.parent;
        let _ = writeln!(
            text,
            "{:.1},{},{part},{},{},{},{private},{descriptors},{threads},{shared},{},{},{},{:.1},{:.1},{p50:.2},{p99:.2},\
             {p999:.2},{},{}",
            row.time,
            row.store,
            row.starts,
            row.children.len() + 1,
            row.whole(),
            row.largest(|child| child.private),
            row.largest(|child| child.descriptors),
            row.largest(|child| child.threads),
            row.answers,
            row.pages,
            row.excused,
            row.wrong
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(restarts: bool, change: impl Fn(&mut Row, u64)) -> Vec<Row> {
        let usage = |pid| Usage {
            pid,
            private: 9000,
            share: 9000,
            shared: 3000,
            descriptors: 20,
            threads: 26,
        };
        let row = |time: u64| {
            let mut row = Row {
                time: time as f64,
                store: "cookie",
                restarts,
                starts: 1 + time / 3,
                parent: usage(1),
                children: vec![usage(2), usage(3)],
                pages: 1.0,
                answers: 1.0,
                times: [1.0; 3],
                excused: 0,
                wrong: 0,
            };
            change(&mut row, time);
            row
        };
        (0..60).map(row).collect()
    }

    fn too_much(rows: &[Row]) -> Vec<String> {
        let grown = growths("cookie", rows).into_iter().filter(Growth::is_too_much);
        grown.map(|growth| growth.what).collect()
    }

    #[test]
    fn each_value_that_grows_is_named() {
        assert!(too_much(&rows(false, |_, _| ())).is_empty());
        assert!(too_much(&rows(true, |_, _| ())).is_empty());
        let leaky = rows(false, |row, time| row.children[1].private += 200 * time);
        assert_eq!(too_much(&leaky), ["cookie: private memory of a child"]);
        let leaky = rows(false, |row, time| row.children[0].descriptors += 2 * time);
        assert_eq!(too_much(&leaky), ["cookie: descriptors of a child"]);
        let leaky = rows(true, |row, time| row.parent.descriptors += time / 4);
        assert_eq!(
            too_much(&leaky),
            ["cookie: descriptors of the parent, over the restarts"]
        );
        let leaky = rows(true, |row, time| row.parent.shared += 64 * time);
        assert_eq!(
            too_much(&leaky),
            ["cookie: shared memory of the parent, over the restarts"]
        );
    }

    #[test]
    fn a_line_of_the_file_has_as_many_fields_as_its_head() {
        let text = csv(&rows(false, |_, _| ()));
        let counts: BTreeSet<_> = text.lines().map(|line| line.split(',').count()).collect();
        assert_eq!(counts.len(), 1, "{text}");
    }
}
