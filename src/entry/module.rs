//! The module structure that httpd loads, its directives and its per-directory configuration.

use std::cell::UnsafeCell;
use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use oxd_core::config::directive::{COUNT, Directive, TABLE};

use super::hooks;
use crate::adapter::directive;
use crate::ffi::command::Command;
use crate::ffi::pool::c_text;
use crate::ffi::{dir_config, guard, sys};

/// httpd writes into the structure (index, handle, list), and reads it while no other thread runs.
#[repr(transparent)]
pub struct Module(UnsafeCell<sys::module>);

// SAFETY: httpd changes the structure only while it loads modules, in its one configuration thread.
unsafe impl Sync for Module {}

/// The structure that `LoadModule oxd_module` looks up. It is defined in Rust, because a cdylib would not export a data
/// symbol of the shim.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static oxd_module: Module = Module(UnsafeCell::new(sys::module {
    version: sys::MODULE_MAGIC_NUMBER_MAJOR as c_int,
    minor_version: sys::MODULE_MAGIC_NUMBER_MINOR as c_int,
    module_index: -1,
    // What `<IfModule mod_oxd.c>` compares: every module of httpd is named after a C file.
    name: c"mod_oxd.c".as_ptr(),
    dynamic_load_handle: ptr::null_mut(),
    next: ptr::null_mut(),
    magic: sys::MODULE_MAGIC_COOKIE as std::ffi::c_ulong,
    rewrite_args: None,
    create_dir_config: Some(create_dir_config),
    merge_dir_config: Some(merge_dir_config),
    create_server_config: None,
    merge_server_config: None,
    cmds: COMMANDS.0.as_ptr(),
    register_hooks: Some(hooks::register),
    flags: 0,
}));

#[repr(transparent)]
struct Commands([sys::command_rec; COUNT + 1]);

// SAFETY: the table is never written; its pointers point at constants.
unsafe impl Sync for Commands {}

/// The directive table for httpd, built from the table in oxd-core. `cmd_data` is the index in that table.
static COMMANDS: Commands = Commands({
    const END: sys::command_rec = sys::command_rec {
        name: ptr::null(),
        func: sys::cmd_func { no_args: None },
        cmd_data: ptr::null_mut(),
        req_override: 0,
        args_how: sys::cmd_how_TAKE_ARGV,
        errmsg: ptr::null(),
    };
    let mut table = [END; COUNT + 1];
    let mut at = 0;
    while at < COUNT {
        let entry: &Directive = TABLE[at];
        let everywhere = sys::RSRC_CONF | sys::ACCESS_CONF;
        table[at] = sys::command_rec {
            name: entry.name.as_ptr(),
            func: sys::cmd_func {
                take_argv: Some(take_directive),
            },
            cmd_data: ptr::without_provenance_mut(at),
            req_override: (if entry.htaccess {
                everywhere | sys::OR_AUTHCFG
            } else {
                everywhere
            }) as c_int,
            args_how: sys::cmd_how_TAKE_ARGV,
            errmsg: entry.summary.as_ptr(),
        };
        at += 1;
    }
    table
});

unsafe extern "C" fn create_dir_config(pool: *mut sys::apr_pool_t, _: *mut c_char) -> *mut c_void {
    // SAFETY: httpd passes the pool in which the configuration will live.
    unsafe { dir_config::create(pool) }
}

unsafe extern "C" fn merge_dir_config(
    pool: *mut sys::apr_pool_t,
    outer: *mut c_void,
    inner: *mut c_void,
) -> *mut c_void {
    // SAFETY: both are configurations that `create_dir_config` or this function made, in pools that live as long as
    // `pool` or longer.
    unsafe { dir_config::merge(pool, outer, inner) }
}

/// Parses one directive. Returns NULL, or an error message in the command's pool.
unsafe extern "C" fn take_directive(
    cmd: *mut sys::cmd_parms,
    config: *mut c_void,
    argc: c_int,
    argv: *const *mut c_char,
) -> *const c_char {
    let count = usize::try_from(argc).unwrap_or(0);
    // SAFETY: argv holds argc C strings that live during this call.
    let texts = (0..count).map(|at| unsafe { c_text(*argv.add(at)) });
    let args: Option<Vec<&str>> = texts.map(|text| text?.to_str().ok()).collect();
    let take = |command: Command<'_>| {
        let outcome = guard::contained(
            // SAFETY: `config` is what `create_dir_config` made for the section that contains the command.
            || unsafe { command.change(config, |config| directive::take(command, config, args.as_deref())) },
            |message| Err(format!("mod_oxd failed here: {message}")),
        );
        match outcome {
            Ok(()) => ptr::null(),
            Err(line) => command.pool().text(line.as_bytes()).as_ptr(),
        }
    };
    // SAFETY: httpd passes the live parameters of a command, in its one configuration thread or, for .htaccess, in that
    // of the request.
    unsafe { Command::during(cmd, take) }.unwrap_or(ptr::null())
}
