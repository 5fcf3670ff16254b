use oxd_edge::edge::{Command, Section};

fn mark<'a, 'b>(command: Command<'a>, section: Section<'b>) {
    let path = command.pool().arena().keep(String::from("/oxd"));
    section.change(|config| config.handler_base = Some(path));
}

fn main() {}
