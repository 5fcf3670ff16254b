use oxd_edge::edge::{Request, Table};

fn hook(request: Request<'_>) {
    let text = request.pool().text(b"text");
    request.with_first(|first| first.set(Table::HeadersIn, c"Cookie", text));
}

fn main() {}
