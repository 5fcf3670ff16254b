//! The files that are installed beside the programs, laid out as below `/usr/share`.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use crate::project::output;
use crate::{man, write};

/// The completions of oxdctl: the shell's name for oxdctl, and the file's place.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "bash-completion/completions/oxdctl"),
    ("zsh", "zsh/site-functions/_oxdctl"),
    ("fish", "fish/vendor_completions.d/oxdctl.fish"),
];

/// Makes the folder anew.
pub fn make(oxdctl: &Path, folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(why) if why.kind() != ErrorKind::NotFound => return Err(format!("{}: {why}", folder.display())),
        _ => {}
    }
    let commands = folder.join("man/man1");
    ask(
        oxdctl,
        ["manual".as_ref(), "--out".as_ref(), commands.as_os_str()],
    )?;
    write(place(&folder.join("man/man5/mod_oxd.5"))?, &man::page())?;
    for (shell, file) in COMPLETIONS {
        let script = ask(oxdctl, ["completions", shell])?;
        write(place(&folder.join(file))?, &script)?;
    }
    Ok(())
}

/// The same file, once its folder is there.
fn place(file: &Path) -> Result<&Path, String> {
    let folder = file.parent().unwrap_or(file);
    fs::create_dir_all(folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    Ok(file)
}

/// The output of oxdctl.
fn ask(oxdctl: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<String, String> {
    output(Command::new(oxdctl).args(arguments))
}
