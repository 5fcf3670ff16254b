use oxd_edge::edge::Request;

fn to_another_thread(_: impl Send) {}

fn hook(request: Request<'static>) {
    to_another_thread(request);
}

fn main() {}
