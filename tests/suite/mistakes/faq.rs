//! The lines that docs/FAQ.md quotes are those that the mistakes get.

use std::path::Path;

use oxd_tests::Httpd;

use super::{configtest, running};

/// What httpd says where the module is not loaded.
const WITHOUT_THE_MODULE: &str = "Unknown Authz provider: oxd-claim";

#[test]
fn the_faq_quotes_lines_that_are_said() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/FAQ.md");
    let page = std::fs::read_to_string(page).expect("docs/FAQ.md");
    let said: Vec<&str> = configtest::lines()
        .chain(running::lines())
        .chain([WITHOUT_THE_MODULE])
        .collect();
    let (mut quoted, mut wrong) = (0, Vec::new());
    for block in page.split("```text\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        for line in block.lines() {
            quoted += 1;
            if !said.iter().any(|said| said.contains(line)) {
                wrong.push(line);
            }
        }
    }
    assert!(quoted > 20, "only {quoted} lines are quoted");
    assert!(wrong.is_empty(), "nothing says:\n{}", wrong.join("\n"));
}

#[test]
fn httpd_names_the_rule_of_a_module_that_is_not_loaded() {
    let place = "<Location /private>\nRequire oxd-claim role admin\n</Location>";
    let test = Httpd::builder().without_module().config(place).configtest();
    assert!(
        !test.ok && test.output.contains(WITHOUT_THE_MODULE),
        "{}",
        test.output
    );
}
