use oxd_edge::edge::{AuthParam, Command, DirConfig};

fn take<'a, 'b>(command: Command<'a>, config: &mut DirConfig<'b>) -> Result<(), String> {
    let value = command.compile("%{REQUEST_URI}")?;
    let list = command.pool().arena().keep_list(&[], AuthParam { name: "x", value });
    config.settings.auth_params = Some(list);
    Ok(())
}

fn main() {}
