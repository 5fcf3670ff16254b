use oxd_edge::edge::{Command, Expression};

fn keep(command: Command<'_>) -> Result<Expression<'static>, String> {
    command.compile("%{REQUEST_URI}")
}

fn main() {}
