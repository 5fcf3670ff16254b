use oxd_edge::edge::{DirConfig, Request};

fn keep(request: Request<'_>) -> Option<&'static DirConfig<'static>> {
    request.config()
}

fn main() {}
