//! A former use after free: a subrequest's header in the main request's state.

use oxd_edge::edge::Request;

fn hook(request: Request<'_>) {
    let header = request.header(c"Cookie");
    request.with_first(|first| first.update_state(|state| state.cookies = header));
}

fn main() {}
