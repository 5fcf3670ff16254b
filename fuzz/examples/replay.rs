//! Runs each target over the inputs that a folder has for it, once and without looking for new ones
//! (`scripts/coverage.sh fuzz`).

use std::path::PathBuf;
use std::{env, fs};

type Target = (&'static str, fn(&[u8]));

/// A target and its name.
macro_rules! targets {
    ($($name:ident)*) => { [$((stringify!($name), oxd_fuzz::$name as fn(&[u8]))),*] };
}

const TARGETS: [Target; 18] = targets! {
    access_token claim_rule claims cookie_header directive form language login logout_token oxd_answer page
    request_headers resources return_address session_record store_entry stream_entry trace
};

fn main() {
    let folder = PathBuf::from(
        env::args()
            .nth(1)
            .expect("a folder with a folder of inputs for each target"),
    );
    for (name, target) in TARGETS {
        let inputs = fs::read_dir(folder.join(name)).unwrap_or_else(|why| panic!("{name}: {why}"));
        let mut count = 0;
        for input in inputs {
            target(&fs::read(input.expect("an input").path()).expect("an input"));
            count += 1;
        }
        println!("{name}: {count} inputs");
    }
}
