//! The module structure that httpd loads, its directives and its configuration for each place.

use std::cell::UnsafeCell;
use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use oxd_core::config::directive::{self, Directive, Place};

use super::hooks;
use crate::ffi::dir_config::DirConfig;
use crate::ffi::pool::{Pool, c_text};
use crate::ffi::server::CommandEnv;
use crate::ffi::{guard, sys};

/// httpd writes into the structure (index, handle, list), and reads it while no other thread runs.
#[repr(transparent)]
pub struct Module(UnsafeCell<sys::module>);

// SAFETY: httpd changes the structure only while it loads modules, in its one configuration thread.
unsafe impl Sync for Module {}

/// The structure that `LoadModule oxd_module` looks for. It stands in Rust because a data symbol of the shim would not
/// be exported from a cdylib.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static oxd_module: Module = Module(UnsafeCell::new(sys::module {
    version: sys::MODULE_MAGIC_NUMBER_MAJOR as c_int,
    minor_version: sys::MODULE_MAGIC_NUMBER_MINOR as c_int,
    module_index: -1,
    name: c"mod_oxd.rs".as_ptr(),
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
struct Commands([sys::command_rec; directive::COUNT + 1]);

// SAFETY: the table is never written; its pointers point at constants.
unsafe impl Sync for Commands {}

/// The directives as httpd knows them, made from the one table in oxd-core. `cmd_data` is the index in that table.
static COMMANDS: Commands = Commands({
    const END: sys::command_rec = sys::command_rec {
        name: ptr::null(),
        func: sys::cmd_func { no_args: None },
        cmd_data: ptr::null_mut(),
        req_override: 0,
        args_how: sys::cmd_how_TAKE_ARGV,
        errmsg: ptr::null(),
    };
    let mut table = [END; directive::COUNT + 1];
    let mut at = 0;
    while at < directive::COUNT {
        let entry: &Directive = directive::TABLE[at];
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
    match unsafe { Pool::from_raw(pool) } {
        Some(pool) => pool.place(DirConfig::default()).as_ptr().cast(),
        None => ptr::null_mut(),
    }
}

unsafe extern "C" fn merge_dir_config(
    pool: *mut sys::apr_pool_t,
    outer: *mut c_void,
    inner: *mut c_void,
) -> *mut c_void {
    // SAFETY: both are configurations that `create_dir_config` or this function made, in pools that live as long as
    // `pool` or longer.
    let (outer, inner) = unsafe { (&*outer.cast::<DirConfig>(), &*inner.cast::<DirConfig>()) };
    let merged = DirConfig {
        settings: outer.settings.overlaid_with(&inner.settings),
        handler_base: inner.handler_base.or(outer.handler_base),
        configured: outer.configured || inner.configured,
    };
    // SAFETY: as above.
    match unsafe { Pool::from_raw(pool) } {
        Some(pool) => pool.place(merged).as_ptr().cast(),
        None => ptr::null_mut(),
    }
}

/// One directive of the configuration. Answers NULL, or a message in the command's pool.
unsafe extern "C" fn take_directive(
    cmd: *mut sys::cmd_parms,
    config: *mut c_void,
    argc: c_int,
    argv: *const *mut c_char,
) -> *const c_char {
    // SAFETY: httpd passes live parameters; `info` is the cmd_data of the table above, and `config` is what
    // `create_dir_config` made for this section.
    let (pool, index, config) = unsafe {
        let Some(pool) = Pool::from_raw((*cmd).pool) else {
            return ptr::null();
        };
        (pool, (*cmd).info.addr(), &mut *config.cast::<DirConfig>())
    };
    let parse = || -> Result<(), String> {
        let directive = directive::TABLE.get(index).ok_or("an unknown directive")?;
        let mut args = Vec::new();
        for at in 0..usize::try_from(argc).unwrap_or(0) {
            // SAFETY: argv holds argc C strings that live during this call.
            let text = unsafe { c_text(*argv.add(at)) };
            let text = text.and_then(|t| t.to_str().ok());
            args.push(text.ok_or_else(|| format!("{}: the value is not UTF-8 text", directive.name()))?);
        }
        // SAFETY: the parameters are live during this call.
        let env = unsafe { CommandEnv::new(cmd) };
        directive.parse(
            &mut config.settings,
            &Place {
                arena: pool.arena(),
                env: &env,
            },
            &args,
        )?;
        config.configured = true;
        Ok(())
    };
    let outcome = guard::contained(parse, |message| Err(format!("mod_oxd failed here: {message}")));
    match outcome {
        Ok(()) => ptr::null(),
        Err(line) => pool.text(line.as_bytes()).as_ptr(),
    }
}
