use oxd_edge::edge::Request;

fn shorten<'long: 'short, 'short>(request: Request<'long>) -> Request<'short> {
    request
}

fn main() {}
