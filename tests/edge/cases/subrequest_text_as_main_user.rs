use oxd_edge::edge::Request;

fn hook(request: Request<'_>) {
    let text = request.pool().text(b"user");
    request.with_first(|first| first.set_user(text.into()));
}

fn main() {}
