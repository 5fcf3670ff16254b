#include "shim.h"

/* The module itself is defined in Rust (src/entry/module.rs); its index selects the LogLevel. */
APLOG_USE_MODULE(oxd);

void oxd_log_request(const request_rec *r, int level, const char *line)
{
    ap_log_rerror(APLOG_MARK, level, 0, r, "%s", line);
}

void oxd_log_server(const server_rec *s, int level, const char *line)
{
    ap_log_error(APLOG_MARK, level, 0, s, "%s", line);
}

int oxd_logs_request(const request_rec *r, int level)
{
    return APLOG_R_IS_LEVEL(r, level);
}

ap_expr_info_t *oxd_compile_expression(const cmd_parms *cmd, const char *text, const char **error)
{
    return ap_expr_parse_cmd(cmd, text, AP_EXPR_FLAG_STRING_RESULT, error, NULL);
}
