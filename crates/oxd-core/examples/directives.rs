//! Prints `docs/DIRECTIVES.md` from the table of directives.

fn main() {
    print!("{}", oxd_core::directive::reference_page());
}
