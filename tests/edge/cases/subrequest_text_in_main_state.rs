//! A former use after free: a subrequest's header in the main request's state.

use oxd_edge::edge::{Cookies, Request};

fn hook(request: Request<'_>) {
    let header = request.header(c"Cookie").unwrap_or_default();
    let cookies = Cookies { header, is_alone: false };
    request.with_first(|first| first.update_state(|state| state.cookies = Some(cookies)));
}

fn main() {}
