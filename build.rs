//! Finds the headers of httpd and APR, generates the bindings that the module uses, and compiles the shim.

use std::env;
use std::path::PathBuf;
use std::process::Command;

/// The functions of httpd and APR to generate bindings for: only those that the module calls.
const FUNCTIONS: &[&str] = &[
    "ap_add_output_filter_handle",
    "ap_auth_name",
    "ap_auth_type",
    "ap_destroy_sub_req",
    "ap_discard_request_body",
    "ap_expr_str_exec",
    "ap_get_client_block",
    "ap_get_core_module_config",
    "ap_get_server_description",
    "ap_get_server_name_for_url",
    "ap_get_server_port",
    "ap_getword_conf",
    "ap_global_mutex_create",
    "ap_hook_access_checker_ex",
    "ap_hook_check_access",
    "ap_hook_check_authn",
    "ap_hook_check_authz",
    "ap_hook_check_config",
    "ap_hook_child_init",
    "ap_hook_expr_lookup",
    "ap_hook_fixups",
    "ap_hook_handler",
    "ap_hook_header_parser",
    "ap_hook_log_transaction",
    "ap_hook_open_logs",
    "ap_hook_post_config",
    "ap_hook_post_read_request",
    "ap_hook_pre_config",
    "ap_index_of_response",
    "ap_lookup_provider",
    "ap_mpm_query",
    "ap_mutex_register",
    "ap_open_piped_log_ex",
    "ap_pass_brigade",
    "ap_piped_log_write_fd",
    "ap_register_auth_provider",
    "ap_register_output_filter",
    "ap_register_provider",
    "ap_remove_output_filter",
    "ap_response_code_string",
    "ap_retained_data_create",
    "ap_retained_data_get",
    "ap_run_access_checker_ex",
    "ap_run_http_scheme",
    "ap_run_insert_error_filter",
    "ap_runtime_dir_relative",
    "ap_rwrite",
    "ap_server_root_relative",
    "ap_set_content_length",
    "ap_set_content_type",
    "ap_setup_client_block",
    "ap_should_client_block",
    "ap_show_mpm",
    "ap_state_query",
    "ap_sub_req_lookup_uri",
    "apr_file_open",
    "apr_file_pipe_timeout_set",
    "apr_global_mutex_child_init",
    "apr_global_mutex_lock",
    "apr_global_mutex_lockfile",
    "apr_global_mutex_trylock",
    "apr_global_mutex_unlock",
    "apr_optional_hook_add",
    "apr_os_file_get",
    "apr_palloc",
    "apr_pool_cleanup_null",
    "apr_pool_cleanup_register",
    "apr_pool_clear",
    "apr_pool_create_ex",
    "apr_pool_destroy",
    "apr_pool_pre_cleanup_register",
    "apr_pool_userdata_get",
    "apr_pool_userdata_setn",
    "apr_pstrmemdup",
    "apr_strerror",
    "apr_table_add",
    "apr_table_addn",
    "apr_table_get",
    "apr_table_make",
    "apr_table_overlay",
    "apr_table_set",
    "apr_table_setn",
    "apr_table_unset",
    "oxd_.*",
];

const TYPES: &[&str] = &[
    "ap_directive_t",
    "ap_expr_eval_ctx_t",
    "ap_expr_lookup_parms",
    "ap_expr_string_func_t",
    "ap_filter_rec_t",
    "ap_filter_t",
    "ap_socache_hints",
    "ap_socache_provider_t",
    "apr_global_mutex_t",
    "apr_table_entry_t",
    "authz_provider",
    "command_rec",
    "core_dir_config",
    "core_server_config",
    "module",
];

const CONSTANTS: &[&str] = &[
    "ACCESS_CONF",
    "APLOG_(ERR|WARNING|NOTICE|INFO|DEBUG)",
    "APR_EBUSY",
    "APR_EGENERAL",
    "APR_EINVAL",
    "APR_ENOMEM",
    "APR_ENOSPC",
    "APR_FOPEN_(APPEND|CREATE|LARGEFILE|WRITE)",
    "APR_FPROT_(UREAD|UWRITE|GREAD)",
    "APR_HOOK_.*",
    "APR_LOCK_DEFAULT",
    "APR_NOTFOUND",
    "APR_SUCCESS",
    "AP_AUTH_INTERNAL_PER_CONF",
    "AP_EXPR_FUNC_STRING",
    "AP_MPMQ_MAX_THREADS",
    "AP_SOCACHE_.*",
    "AP_SQ_.*",
    "AP_STATUS_SHORT",
    "AUTHZ_PROVIDER_(GROUP|VERSION)",
    "DECLINED",
    "DONE",
    "HTTP_INTERNAL_SERVER_ERROR",
    "HTTP_UNAUTHORIZED",
    "MODULE_MAGIC_COOKIE",
    "MODULE_MAGIC_NUMBER_(MAJOR|MINOR)",
    "OK",
    "OR_AUTHCFG",
    "REQUEST_CHUNKED_DECHUNK",
    "RSRC_CONF",
    "ap_conftree",
    "ap_filter_type.*",
    "apr_lockmech_e.*",
];

fn main() {
    // The compile-fail tests (tests/edge) build the same sources as another package.
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let root = package
        .ancestors()
        .find(|root| root.join("c_shim/shim.h").is_file());
    let root = root.unwrap_or_else(|| fail("c_shim/shim.h is missing."));
    if let Err(error) = env::set_current_dir(root) {
        fail(&format!("{}: {error}", root.display()));
    }
    for file in ["c_shim/shim.c", "c_shim/shim.h", "build.rs"] {
        println!("cargo:rerun-if-changed={}", root.join(file).display());
    }
    for variable in ["APXS", "APR_CONFIG", "APU_CONFIG"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    let flags = header_flags();

    let mut shim = cc::Build::new();
    shim.file("c_shim/shim.c").flag("-std=gnu11").warnings(true);
    for flag in &flags {
        shim.flag(flag);
    }
    shim.compile("oxd_shim");

    let mut bindings = bindgen::Builder::default()
        .header("c_shim/shim.h")
        .clang_args(&flags)
        .layout_tests(false)
        .generate_comments(false)
        .derive_debug(false)
        .derive_copy(true)
        .default_macro_constant_type(bindgen::MacroTypeVariation::Signed)
        .use_core();
    for name in FUNCTIONS {
        bindings = bindings.allowlist_function(name);
    }
    for name in TYPES {
        bindings = bindings.allowlist_type(name);
    }
    for name in CONSTANTS {
        bindings = bindings.allowlist_var(name);
    }
    let bindings = bindings.generate().unwrap_or_else(|error| {
        fail(&format!(
            "bindgen could not read httpd's headers: {error}\nIt needs libclang: Debian's package libclang-dev."
        ))
    });
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("httpd.rs");
    if let Err(error) = bindings.write_to_file(&out) {
        fail(&format!("{} cannot be written: {error}", out.display()));
    }

    if env::var_os("CARGO_PKG_NAME").is_none_or(|name| name != "mod_oxd") {
        return;
    }
    // httpd unloads and reloads every module at each restart, but running threads and their destructors need their
    // code.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    // An undefined symbol should fail this build, not LoadModule. The linker cannot check for that, because httpd's
    // symbols are only known at load time; binding all symbols at load time is the next best.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,now");
}

/// The compiler flags that locate the headers of httpd and APR.
fn header_flags() -> Vec<String> {
    let include = ask(&["APXS"], &["apxs", "apxs2"], &["-q", "INCLUDEDIR"]);
    let apr = ask(
        &["APR_CONFIG"],
        &["apr-1-config", "apr-config"],
        &["--includes", "--cppflags"],
    );
    let apu = ask(&["APU_CONFIG"], &["apu-1-config", "apu-config"], &["--includes"]);
    let mut flags = vec![format!("-I{}", include.trim())];
    flags.extend(
        apr.split_whitespace()
            .chain(apu.split_whitespace())
            .map(str::to_owned),
    );
    flags.dedup();
    let header = PathBuf::from(include.trim()).join("httpd.h");
    if !header.is_file() {
        fail(&format!(
            "apxs says that httpd's headers are in {}, but there is no httpd.h.",
            include.trim()
        ));
    }
    flags
}

/// The output of the first program in the list that can be run; an environment variable may name another program.
fn ask(variables: &[&str], programs: &[&str], arguments: &[&str]) -> String {
    let named = variables.iter().filter_map(|v| env::var(v).ok());
    for program in named.chain(programs.iter().map(|p| (*p).to_owned())) {
        if let Ok(output) = Command::new(&program).args(arguments).output()
            && output.status.success()
        {
            return String::from_utf8_lossy(&output.stdout).into_owned();
        }
    }
    fail(&format!(
        "None of {} can be run. mod_oxd is built against httpd's and APR's headers: install Debian's package \
         apache2-dev (Fedora: httpd-devel and apr-util-devel), or name the program in {}.",
        programs.join(", "),
        variables.join(", ")
    ))
}

/// Fails the build with only this message, without a panic's backtrace.
fn fail(message: &str) -> ! {
    for line in message.lines() {
        println!("cargo:warning={line}");
    }
    eprintln!("\n{message}\n");
    std::process::exit(1)
}
