//! `oxdctl pages export`

use std::fs;
use std::process::Command;

fn export(folder: &std::path::Path) -> (Option<i32>, String) {
    let program = env!("CARGO_BIN_EXE_oxdctl");
    let ran = Command::new(program)
        .args(["pages", "export"])
        .arg(folder)
        .output()
        .unwrap();
    let text = [ran.stdout, ran.stderr].concat();
    (ran.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn the_built_in_templates_are_a_start_and_nothing_is_overwritten() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("our looks/pages");
    let (status, text) = export(&folder);
    assert_eq!(status, Some(0), "{text}");
    assert!(
        text.contains(&format!("OxdPages        \"{}\"", folder.display())),
        "{text}"
    );
    for (name, source) in oxd_core::templates::FILES {
        assert_eq!(fs::read_to_string(folder.join(name)).unwrap(), *source, "{name}");
    }
    let own = folder.join("error.html");
    fs::write(&own, "mine").unwrap();
    fs::remove_file(folder.join("frame.html")).unwrap();
    let (status, text) = export(&folder);
    assert!(status == Some(5) && text.contains("exists already"), "{text}");
    assert_eq!(fs::read_to_string(&own).unwrap(), "mine");
    assert!(!folder.join("frame.html").exists(), "all or nothing");
    // What is exported compiles, as OxdPages reads it.
    let names: Vec<String> = oxd_core::templates::FILES
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    let read = |name: &str| {
        let source = oxd_core::templates::FILES
            .iter()
            .find(|(known, _)| *known == name)
            .unwrap()
            .1;
        Ok(source.into())
    };
    oxd_core::templates::Templates::of_folder(&names, read).unwrap();
}
