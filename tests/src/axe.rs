//! axe-core, the library that looks for what keeps people from using a page.

use std::fs;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::npm::NpmPackage;
use crate::webdriver::WebDriver;

const PACKAGE: NpmPackage = NpmPackage {
    name: "axe",
    files: &[
        ("package.json", include_str!("../axe/package.json")),
        ("package-lock.json", include_str!("../axe/package-lock.json")),
    ],
};

/// The rules: WCAG 2.2 A and AA, and the library's own good practice.
const TAGS: [&str; 6] = [
    "wcag2a",
    "wcag2aa",
    "wcag21a",
    "wcag21aa",
    "wcag22aa",
    "best-practice",
];

/// Runs the rules and answers with one text for each violation: the rule, the element, what is wrong.
const RUN: &str = "
const told = (found) => found.violations.flatMap((rule) => rule.nodes.map((node) =>
  `${rule.id}: ${node.html.slice(0, 200)}: ${node.failureSummary.replace(/\\s+/g, ' ')}`));
return axe.run({ runOnly: arguments[0], resultTypes: ['violations'], iframes: false })
  .then((found) => ({ passed: found.passes.length, violations: told(found) }));
";

impl WebDriver {
    /// Brings axe-core into each page that is opened from now on: through the driver, past the page's own policy.
    #[track_caller]
    pub fn bring_axe(&self) {
        let script = json!({ "source": source() });
        self.command("Page.addScriptToEvaluateOnNewDocument", &script);
    }

    /// The violations that axe-core finds in the page as it is shown now, after [`WebDriver::bring_axe`].
    #[track_caller]
    pub fn violations(&self) -> Vec<String> {
        let found = self.script_with(RUN, &json!([TAGS]));
        let texts = |value: &Value| value.as_str().map(str::to_owned);
        let violations = found["violations"].as_array().expect("axe-core's findings");
        let violations: Vec<_> = violations.iter().filter_map(texts).collect();
        let looked = found["passed"].as_u64().is_some_and(|passed| passed > 0);
        assert!(
            looked || !violations.is_empty(),
            "axe-core has looked at nothing: {found}"
        );
        violations
    }
}

/// The library, as a script that defines `axe`.
fn source() -> &'static str {
    static SOURCE: OnceLock<String> = OnceLock::new();
    SOURCE.get_or_init(|| {
        let file = PACKAGE.install().join("node_modules/axe-core/axe.min.js");
        let source = fs::read_to_string(&file);
        source.unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    })
}
