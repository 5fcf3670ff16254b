//! The fault of old: a subrequest's header kept with the main request.

use oxd_edge::edge::Request;

fn hook(request: Request<'_>) {
    let header = request.header(c"Cookie");
    request.with_first(|first| first.update_state(|state| state.cookies = header));
}

fn main() {}
