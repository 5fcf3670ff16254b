//! The metrics, as a parser reads them that knows nothing of the module.

use std::collections::BTreeMap;

use oxd_tests::{Browser, TestSite};
use prom_text_format_parser::{Metric, Type, ValueType};

/// The metrics of one moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scrape {
    /// The kind of each family.
    pub(crate) families: BTreeMap<String, Type>,
    /// The value of each series; a series is written as `name{label="value",...}`.
    pub(crate) series: BTreeMap<String, f64>,
    /// The labels of all series.
    pub(crate) labels: Vec<(String, String)>,
}

impl Scrape {
    /// Asks a site for its metrics.
    #[track_caller]
    pub(crate) fn of(site: &TestSite) -> Scrape {
        let answer = Browser::new().get(site.url("/oxd-metrics"));
        answer.expect(200);
        Scrape::parse(&answer.text())
    }

    /// Reads the text; fails the test where it is not as Prometheus wants it.
    #[track_caller]
    pub(crate) fn parse(text: &str) -> Scrape {
        let parsed = prom_text_format_parser::Scrape::parse(text);
        let parsed = parsed.unwrap_or_else(|error| panic!("{error:?}\n{text}"));
        // The parser has understood every line.
        assert_eq!(parsed.to_string(), text);
        let mut scrape = Scrape {
            families: BTreeMap::new(),
            series: BTreeMap::new(),
            labels: Vec::new(),
        };
        for metric in &parsed.metrics {
            scrape.add(metric);
        }
        scrape
    }

    #[track_caller]
    fn add(&mut self, metric: &Metric) {
        let name = &metric.name;
        assert!(metric.help_desc.is_some(), "{name} says what it is");
        let known = self.families.insert(name.clone(), metric.kind);
        assert_eq!(known, None, "{name} is there twice");
        for sample in &metric.samples {
            let suffix = match (metric.kind, sample.value.value_type) {
                (Type::Histogram, ValueType::Sample) => "_bucket",
                (_, ValueType::Sum) => "_sum",
                (_, ValueType::Count) => "_count",
                _ => "",
            };
            for label in sample.labels.iter() {
                self.labels.push((label.key.clone(), label.value.clone()));
            }
            let series = format!("{name}{suffix}{}", sample.labels);
            let known = self.series.insert(series, sample.value.value.as_f64());
            assert_eq!(known, None, "{name}{suffix}{} is there twice", sample.labels);
        }
    }

    /// The value of one series.
    #[track_caller]
    pub(crate) fn value(&self, series: &str) -> f64 {
        let value = self.series.get(series).copied();
        value.unwrap_or_else(|| panic!("there is no {series}"))
    }

    /// The values of a family that are not 0, by the values of its labels (joined by a space).
    pub(crate) fn counts(&self, family: &str) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for (series, value) in &self.series {
            let labels = series
                .strip_prefix(family)
                .and_then(|rest| rest.strip_prefix('{'));
            if let Some(labels) = labels.filter(|_| *value != 0.0) {
                let values: Vec<_> = labels.split('"').skip(1).step_by(2).collect();
                counts.insert(values.join(" "), whole(*value));
            }
        }
        counts
    }

    /// What a family has counted since an earlier moment.
    pub(crate) fn since(&self, earlier: &Scrape, family: &str) -> BTreeMap<String, u64> {
        let before = earlier.counts(family);
        let mut counts = self.counts(family);
        counts.retain(|labels, count| {
            *count -= before.get(labels).copied().unwrap_or_default();
            *count != 0
        });
        counts
    }
}

/// A count as a number without a fraction.
#[track_caller]
pub(crate) fn whole(value: f64) -> u64 {
    assert!(
        value >= 0.0 && value.fract() == 0.0 && value < 1e15,
        "{value} is no count"
    );
    value as u64
}

/// What one expects: names and numbers.
pub(crate) fn counts<const N: usize>(pairs: [(&str, u64); N]) -> BTreeMap<String, u64> {
    pairs.map(|(name, count)| (name.to_owned(), count)).into()
}
