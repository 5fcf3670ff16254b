/* A module for the bed's own check: its handler says what it finds in the memory of a destroyed pool. */
#include <httpd.h>
#include <http_config.h>
#include <http_protocol.h>
#include <apr_strings.h>

static int handler(request_rec *r)
{
    apr_pool_t *pool, *next;
    if (r->handler == NULL || strcmp(r->handler, "freed") != 0)
        return DECLINED;
    apr_pool_create(&pool, r->pool);
    const volatile char *text = apr_pstrdup(pool, "text");
    apr_pool_destroy(pool);
    /* Memory that is given out again at once would hide that it was freed. */
    apr_pool_create(&next, r->pool);
    apr_pstrdup(next, "text");
    ap_set_content_type(r, "text/plain");
    ap_rprintf(r, "%02x", (unsigned char)*text);
    return OK;
}

static void hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_handler(handler, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(freed) = { STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, hooks, 0 };
