use oxd_edge::edge::{Request, Table};

fn hook<'a, 'b>(one: Request<'a>, other: Request<'b>) {
    let text = one.pool().text(b"text");
    other.add(Table::Notes, c"note", text);
}

fn main() {}
