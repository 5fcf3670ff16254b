//! What safe code cannot do at the boundary to httpd: each case must not compile, for the reason in its `.stderr`.

#[test]
fn memory_of_a_pool_does_not_outlive_it() {
    trybuild::TestCases::new().compile_fail("cases/*.rs");
}
