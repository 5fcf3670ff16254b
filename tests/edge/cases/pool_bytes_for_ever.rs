use oxd_edge::edge::Pool;

fn keep(pool: Pool<'_>) -> &'static mut [u8] {
    pool.bytes(8)
}

fn main() {}
