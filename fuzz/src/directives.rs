//! Directives: any value is taken, or refused with one line that says what is allowed and shows no secret.

use oxd_core::base::Arena;
use oxd_core::config::RawSettings;
use oxd_core::config::directive::{Place, TABLE};

use crate::configuration::{Files, keys, settings};

/// Directives whose value may be a secret.
const SECRET: [&str; 2] = ["OxdCryptoKey", "OxdClientSecret"];

/// The values: the directive's name, its arguments, and at the end what each file, variable and command holds.
pub fn directive(data: &[u8]) {
    let mut parts: Vec<_> = crate::parts(data).collect();
    let name = crate::text(parts.first().copied()).into_owned();
    let Some(directive) = TABLE.iter().find(|known| known.name() == name) else {
        return;
    };
    let content = if parts.len() > 2 {
        parts.pop().unwrap_or_default()
    } else {
        b""
    };
    // httpd hands on texts that end with a NUL.
    let arguments: Option<Vec<&str>> = parts[1..]
        .iter()
        .map(|part| str::from_utf8(part).ok().filter(|text| !text.contains('\0')))
        .collect();
    let Some(arguments) = arguments else { return };

    let arena = Arena::default();
    let files = Files {
        content,
        ..Files::default()
    };
    let mut raw = RawSettings::default();
    let parsed = directive.parse(
        &mut raw,
        &Place {
            arena: &arena,
            env: &files,
        },
        &arguments,
    );
    // httpd escapes what goes into its log, as warnings do, and prints an error as it is.
    if let Err(line) = &parsed {
        assert!(crate::is_one_line(line), "more than one line: {line:?}");
    }
    let warned = files.warned.borrow();
    for line in warned.iter().chain(parsed.as_ref().err()) {
        assert!(line.len() < 64 * 1024, "{} bytes", line.len());
        if SECRET.contains(&name.as_str()) {
            let content = String::from_utf8_lossy(content);
            // A word of the message itself may stand in a secret: so only this one counts.
            let is_shown = |secret: &str| secret.contains("hunter2") && line.contains("hunter2");
            let (sources, secrets): (Vec<&str>, Vec<&str>) =
                arguments.iter().partition(|text| text.contains(':'));
            // Where a secret comes from is shown, whatever it is called.
            let is_named = sources.iter().any(|source| source.contains("hunter2"));
            assert!(
                is_named || !secrets.into_iter().chain([&*content]).any(is_shown),
                "a secret is shown: {line}"
            );
        }
    }
    match parsed {
        Err(line) => assert!(
            line.starts_with(&format!("{name}: ")) && line.contains("allowed: "),
            "{line}"
        ),
        Ok(()) => {
            let keys = keys();
            // Whatever was taken can be resolved.
            let _ = format!("{:?}", settings(&raw, &keys));
        }
    }
}
