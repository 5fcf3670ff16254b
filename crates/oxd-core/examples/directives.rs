//! Prints `docs/DIRECTIVES.md` from the table of directives.

fn main() {
    print!("{}", oxd_core::config::directive::reference_page());
}
