//! What administrators get wrong, and the one line with cause and cure that each mistake gets.

mod mistakes {
    mod configtest;
    mod faq;
    mod running;
    mod said;
}
