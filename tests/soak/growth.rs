//! Whether something grows: a line through its values after the warm-up, and a bound.

/// The part at the beginning that is not looked at: caches fill, allocators take what they will keep.
const WARM_UP: f64 = 0.3;

/// Fewer values than this, after the warm-up, say nothing.
const LEAST: usize = 8;

/// How far something may rise from the end of the warm-up to the end.
pub struct Bound {
    /// What it is, for people: `descriptors of a child`.
    pub what: &'static str,
    /// The unit, for people.
    pub unit: &'static str,
    /// The most that it may rise, in its unit.
    pub most: f64,
}

/// What became of a bound.
#[derive(Clone, Debug)]
pub struct Growth {
    /// The store, and what it is.
    pub what: String,
    /// The unit of the other values.
    pub unit: &'static str,
    /// The median just after the warm-up.
    pub from: f64,
    /// The median at the end.
    pub to: f64,
    /// How far it rose.
    pub rise: f64,
    /// How far it may.
    pub most: f64,
}

impl Growth {
    /// Whether it rose too far.
    pub fn is_too_much(&self) -> bool {
        self.rise > self.most
    }
}

impl Bound {
    /// Looks at values with their times, in order; `None` when they are too few.
    ///
    /// The rise is the larger one of two: that of the line with the median of all slopes (Theil and Sen: single values
    /// do not bend it), and that from the median of the first fifth to that of the last one, which sees steps.
    pub fn check(&self, store: &str, values: &[(f64, f64)]) -> Option<Growth> {
        let (first, last) = (values.first()?.0, values.last()?.0);
        let warm = first + (last - first) * WARM_UP;
        let settled: Vec<_> = values.iter().copied().filter(|value| value.0 >= warm).collect();
        if settled.len() < LEAST {
            return None;
        }
        let fifth = settled.len().div_ceil(5);
        let middle = |part: &[(f64, f64)]| median(part.iter().map(|value| value.1).collect());
        let from = middle(&settled[..fifth]);
        let to = middle(&settled[settled.len() - fifth..]);
        let line = slope(&settled) * (last - warm);
        Some(Growth {
            what: format!("{store}: {}", self.what),
            unit: self.unit,
            from,
            to,
            rise: line.max(to - from),
            most: self.most,
        })
    }
}

/// The median of the slopes between all pairs.
fn slope(values: &[(f64, f64)]) -> f64 {
    // Of a long run every so many values are enough: pairs grow with the square.
    let step = values.len().div_ceil(400);
    let values: Vec<_> = values.iter().step_by(step).collect();
    let pairs = values.iter().enumerate().flat_map(|(number, one)| {
        let later = values[number + 1..].iter();
        let later = later.filter(|other| other.0 > one.0);
        later.map(|other| (other.1 - one.1) / (other.0 - one.0))
    });
    median(pairs.collect())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Bound = Bound {
        what: "memory",
        unit: "KiB",
        most: 100.0,
    };

    fn check(value: impl Fn(f64) -> f64) -> bool {
        let values: Vec<_> = (0..100)
            .map(|time| (f64::from(time), value(f64::from(time))))
            .collect();
        BOUND.check("test", &values).expect("enough values").is_too_much()
    }

    #[test]
    fn a_leak_is_seen_and_a_warm_up_is_not_one() {
        assert!(check(|time| 5000.0 + 2.0 * time), "a leak");
        assert!(check(|time| if time > 70.0 { 150.0 } else { 0.0 }), "a step");
        assert!(
            check(|time| 2.0 * time + if time % 3.0 < 1.0 { 500.0 } else { 0.0 }),
            "a leak under noise"
        );
        assert!(!check(|_| 5000.0), "nothing");
        assert!(
            !check(|time| if time < 25.0 { 200.0 * time } else { 5000.0 }),
            "a warm-up"
        );
        assert!(
            !check(|time| if time % 10.0 < 1.0 { 5000.0 } else { 0.0 }),
            "single peaks"
        );
        assert!(!check(|time| 5000.0 - 10.0 * time), "it shrinks");
    }

    #[test]
    fn few_values_are_no_verdict() {
        assert!(BOUND.check("test", &[]).is_none());
        let few: Vec<_> = (0..9)
            .map(|time| (f64::from(time), 1e6 * f64::from(time)))
            .collect();
        assert!(BOUND.check("test", &few).is_none());
    }
}
