/* The parts of httpd's interface that need C: variadic logging, macros with side effects, and the file and line that
 * the log macros take from the compiler. Rust calls everything else directly. */
#ifndef OXD_SHIM_H
#define OXD_SHIM_H

#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_core.h>
#include <mod_auth.h>
#include <ap_expr.h>
#include <ap_mpm.h>
#include <ap_provider.h>
#include <ap_socache.h>
#include <apr_optional_hooks.h>
#include <mod_status.h>
#include <util_filter.h>
#include <util_mutex.h>
#include <apr_strings.h>
#include <apr_tables.h>

/* Write a complete line; it is not a format string. */
void oxd_log_request(const request_rec *r, int level, const char *line);
void oxd_log_server(const server_rec *s, int level, const char *line);

/* Whether a line of that level would be written for this request (LogLevel oxd:...). */
int oxd_logs_request(const request_rec *r, int level);

/* Compiles an expression in its string form; NULL with a message in *error. */
ap_expr_info_t *oxd_compile_expression(const cmd_parms *cmd, const char *text, const char **error);

#endif
