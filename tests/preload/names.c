/* Preloaded into httpd by the suite `crash`: names below names.test are this machine, unless the file that OXD_NAMES names
 * says that they are gone, or that no server of names answers. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How long the system's resolver waits for servers that do not answer, in seconds: twice five for each of two. */
#define PATIENCE 20

typedef int (*resolve)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static int says(const char *what)
{
    char said[16] = "";
    FILE *file = fopen(getenv("OXD_NAMES"), "re");
    if (file != NULL) {
        if (fgets(said, sizeof said, file) == NULL)
            said[0] = 0;
        fclose(file);
    }
    return strcmp(said, what) == 0;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    static const char ours[] = ".names.test";
    resolve next = (resolve)dlsym(RTLD_NEXT, "getaddrinfo");
    size_t length = name == NULL ? 0 : strlen(name);
    if (length > sizeof ours && strcmp(name + length - (sizeof ours - 1), ours) == 0) {
        for (int waited = 0; says("hangs"); waited++) {
            if (waited == PATIENCE * 10)
                return EAI_AGAIN;
            usleep(100000);
        }
        if (says("gone"))
            return EAI_NONAME;
        name = "127.0.0.1";
    }
    return next(name, service, hints, found);
}
