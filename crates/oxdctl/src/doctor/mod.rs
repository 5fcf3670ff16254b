//! stub
use crate::cli::Doctor;
use crate::problem::Outcome;
use crate::screen::Screen;
pub fn run(_screen: &Screen, _args: &Doctor) -> Outcome<bool> {
    Ok(true)
}
