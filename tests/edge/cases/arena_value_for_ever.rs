use oxd_edge::edge::Pool;

fn keep(pool: Pool<'_>) -> &'static String {
    pool.arena().keep(String::new())
}

fn main() {}
